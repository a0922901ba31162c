"""Models of any preset for the tests of what runs them: as if trained, but made in a moment."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from audiosurvey.config.loader import load_config, load_text
from audiosurvey.data.heard import Heard
from audiosurvey.deploy.artefact import Model
from audiosurvey.deploy.golden import Golden
from audiosurvey.model.network import build_network

CLASSES = 5


@pytest.fixture(scope="session")
def model_of() -> Callable[..., Model]:
    """`model_of("mn04")` or `model_of(yaml_text)`: a model whose scores depend on the sound, as a trained one's do."""
    return _model_of


def _model_of(config: str, *overrides: str, temperature: float = 1.0, multi_label: bool = False) -> Model:
    loaded = load_text(config, "test.yaml", overrides) if "\n" in config else load_config(config, overrides)
    settled = loaded.config.resolved()
    network = build_network(
        settled.model,
        input_shape=settled.input_shape,
        classes=CLASSES,
        seed=0,
        standardize=settled.mel_spectrogram.standardize,
    )
    facts: dict[str, Any] = {
        "labels": ["bell", "dög", "rain, heavy", "saw", 'the "rest"'],
        "sample_rate": settled.sample_rate,
        "clip_samples": settled.clip_samples,
        "pad": settled.dataset.pad,
        "mono": settled.dataset.mono,
        "multi_label": multi_label,
        "calibration": {"temperature": temperature, "sound_temperature": temperature**0.5, "fitted_on": None},
        "thresholds": {"saw": 0.25},
        "licence": {"weights": "CC BY 4.0", "parts": {"sounds": "CC BY 4.0"}},
    }
    model = Model(settled, facts, network.state_dict(), {})
    wave_BS = _sounds(settled.sample_rate, min(settled.clip_samples, 2 * settled.sample_rate))
    _settle(model, torch.from_numpy(np.concatenate([gain * wave_BS for gain in (1, 0.3, 0.1, 0.01)])))
    window_BS = np.stack([np.resize(wave_S, settled.clip_samples) for wave_S in wave_BS])
    pcm_BS = np.round(window_BS * 32768).clip(-32768, 32767).astype(np.int16)
    golden = Golden(["a", "b", "c", "d"], [["saw"]] * 4, pcm_BS, np.full(4, 1 / 32768, np.float32), np.zeros((4, 0)))
    model.golden = replace(golden, logits_BK=model.logits(golden.wave_BS))
    return model


def _sounds(rate: int, samples: int) -> np.ndarray:
    """Four unlike sounds (4, S): two tones with their overtones, noise, and clicks, over a little noise."""
    rng = np.random.default_rng(0)
    seconds = np.arange(samples) / rate
    low, high = (sum(np.sin(2 * np.pi * hertz * k * seconds) / k for k in (1, 2, 3)) for hertz in (220, 900))
    clicks = (np.arange(samples) % (rate // 7) < 20).astype(float)
    sounds = np.stack([0.2 * low, 0.2 * high, 0.2 * rng.standard_normal(samples), 0.8 * clicks])
    return np.clip(sounds + 0.003 * rng.standard_normal(sounds.shape), -1, 1).astype(np.float32)


@torch.no_grad()
def _settle(model: Model, wave_BS: torch.Tensor) -> None:
    """Statistics of the norms from these sounds, and logits that differ by a few units from sound to sound."""
    network = model.network
    norms = [part for part in network.modules() if isinstance(part, torch.nn.modules.batchnorm._BatchNorm)]
    heard = model.front_end(wave_BS)
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    network(heard)
    network.eval()
    logits_BK = network(heard)
    spread = logits_BK.std(dim=0).mean()
    network.classifier.weight.mul_(1.5 / spread)
    network.classifier.bias.sub_((logits_BK * 1.5 / spread).mean(dim=0))


@pytest.fixture(scope="session")
def folder_of() -> Callable[[Model, Path], Path]:
    """`folder_of(model, path)` writes the model's folder."""

    def write(model: Model, path: Path) -> Path:
        from audiosurvey.deploy.artefact import save_artefact
        from audiosurvey.deploy.calibration import Calibration

        about = {
            "dataset": "toy",
            "subset": None,
            "data_hash": "0",
            "fold": 1,
            "folds": [1],
            "epochs": 1,
            "selection": "last",
            "init": None,
            "clips": 4,
            "metrics": {"accuracy": 0.5},
            "caveats": [],
        }
        assert model.golden is not None
        save_artefact(
            path,
            config=model.config,
            network=model.network,
            labels=model.labels,
            multi_label=model.facts["multi_label"],
            about=about,
            licences={"sounds": "CC BY 4.0"},
            heard=Heard({}),
            golden=model.golden,
            calibration=Calibration(temperature=model.temperature),
        )
        return path

    return write
