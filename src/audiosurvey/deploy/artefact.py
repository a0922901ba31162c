"""The artefact: a folder that holds a trained model and everything needed to use it, and nothing that runs.

model/
  weights.safetensors   all tensors of the network
  config.yaml           the resolved config it was trained with
  model.json            labels in order, windows, data, licence, checksums
  trained_on.json       the clips it was trained on, by id and content
  README.md             the same for a reader
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from audiosurvey.atomic import write_text
from audiosurvey.config.root import Config
from audiosurvey.deploy.classifier import Classifier, waves
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import make_front_end
from audiosurvey.model.network import Network, build_network
from audiosurvey.training.checkpoint import load_tensors, save_tensors
from audiosurvey.training.loss import Loss
from audiosurvey.version import __version__

SCHEMA = 1


def save_artefact(
    folder: Path,
    *,
    config: Config,
    resolved_yaml: str,
    network: Network,
    labels: Sequence[str],
    multi_label: bool,
    about: dict[str, Any],
    trained_on: dict[str, str],
) -> None:
    """Writes the artefact. `model.json` comes last: a folder without it is incomplete and refused.

    `about`: data set, licence, fold, protocol and results, as they are to be shown; `trained_on`: content digest of
    each clip that took part in the training, by clip id.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors(folder / "weights.safetensors", network.state_dict())
    write_text(folder / "config.yaml", resolved_yaml)
    write_text(folder / "trained_on.json", json.dumps(trained_on, indent=0, ensure_ascii=False) + "\n")
    facts = {
        "schema": SCHEMA,
        "version": __version__,
        "labels": list(labels),
        "sample_rate": config.sample_rate,
        "clip_samples": config.clip_samples,
        "pad": config.dataset.pad,
        "mono": config.dataset.mono,
        "multi_label": multi_label,
        "about": about,
        "sha256": {name: _sha256(folder / name) for name in ("weights.safetensors", "config.yaml", "trained_on.json")},
    }
    facts["sha256"]["model.json"] = _digest(facts)
    write_text(folder / "README.md", _card(facts, config, len(trained_on)))
    write_text(folder / "model.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def load_artefact(path: str | Path) -> "Model":
    """The model in an artefact folder, on the processor, ready to predict.

    Raises UserError for a folder that is not an artefact, is incomplete or was changed.
    """
    folder = find_model(Path(path))
    try:
        facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        schema, digests = facts["schema"], facts["sha256"]
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{path}: model.json is not that of a model; copy the whole folder again") from None
    if schema != SCHEMA:
        raise UserError(f"{path}: model of schema {schema}; this version of audiosurvey reads {SCHEMA}")
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise UserError(f"{path}: incomplete, {name} is missing; copy the whole folder again")
        if (_digest(facts) if name == "model.json" else _sha256(folder / name)) != digest:
            raise UserError(f"{path}: {name} was changed since it was written; copy the whole folder again")
    stored = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    config = Config.model_validate(stored).resolved()
    trained_on = json.loads((folder / "trained_on.json").read_text(encoding="utf-8"))
    return Model(config, facts, load_tensors(folder / "weights.safetensors")[0], trained_on)


def find_model(path: Path) -> Path:
    """The artefact folder that `path` means: itself, or the `model` in a run that has a final one.

    Raises UserError elsewhere, naming the models that are in a run.
    """
    for folder in (path, path / "model"):
        if (folder / "model.json").is_file():
            return folder
    inside = [found.parent.as_posix() for found in path.glob("fold-*/model/model.json")]
    if inside:
        raise UserError(f"{path}: not a model; models here: {', '.join(sorted(inside, key=lambda p: (len(p), p)))}")
    raise UserError(f"{path}: not a model; expected a folder with a model.json")


class Model(Classifier):
    """A trained network as a classifier: sounds in, labels with scores out."""

    def __init__(
        self, config: Config, facts: dict[str, Any], tensors: dict[str, torch.Tensor], trained_on: dict[str, str]
    ) -> None:
        super().__init__(facts)
        self.config = config
        self.trained_on = trained_on
        """Content digest of each clip that took part in the training, by clip id."""
        self.front_end = make_front_end(config.model.hears, config.mel_spectrogram, config.sample_rate)
        self.network = build_network(
            config.model,
            input_shape=config.input_shape,
            classes=len(self.labels),
            seed=0,
            standardize=config.mel_spectrogram.standardize,
        )
        self.network.load_state_dict(tensors)
        self.network.eval().requires_grad_(False)
        self.loss = Loss(config.loss, facts["multi_label"])
        self.to_scores = self.loss.scores

    @torch.no_grad()
    def logits(self, wave: Any) -> np.ndarray:
        """Logits (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window.

        Raises UserError for waves of another shape, that are not numbers, or too short for the network.
        """
        wave_BS = torch.from_numpy(waves(wave))
        try:
            return self.network(self.front_end(wave_BS)).numpy()
        except (RuntimeError, ValueError) as error:
            if wave_BS.shape[1] >= self.clip_samples:
                raise
            seconds = self.clip_samples / self.sample_rate
            raise UserError(
                f"a wave of {wave_BS.shape[1]} samples is too short for this network; pad it to {seconds:g} s, as "
                "predict does"
            ) from error

    def scores(self, wave: Any) -> np.ndarray:
        """Probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window."""
        return self.to_scores(torch.from_numpy(self.logits(wave))).numpy()


def _digest(facts: dict[str, Any]) -> str:
    """Of everything in model.json but this digest itself."""
    others = {name: digest for name, digest in facts["sha256"].items() if name != "model.json"}
    return hashlib.sha256(json.dumps(facts | {"sha256": others}, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _card(facts: dict[str, Any], config: Config, clips: int) -> str:
    about = facts["about"]
    licence = about.get("licence") or "not stated"
    lines = [
        "# An audiosurvey model",
        "",
        f"Classifies sound into {len(facts['labels'])} classes: {', '.join(facts['labels'])}.",
        "",
        f"- trained on: {about.get('dataset')}, {clips} clips; fold {about.get('fold')} held out",
        f"- licence of the data: {licence}",
        f"- input: mono, {config.sample_rate} Hz, windows of {config.clip_samples / config.sample_rate:g} s",
        f"- epoch chosen by: {config.protocol.selection}",
        *(f"- {name} on the held-out fold: {value:.4f}" for name, value in about.get("metrics", {}).items() if value),
        *(f"- **{said}**" for said in about.get("caveats", [])),
        "",
        '    import audiosurvey; audiosurvey.load("this folder").predict("sound.wav")',
        "",
    ]
    return "\n".join(lines)
