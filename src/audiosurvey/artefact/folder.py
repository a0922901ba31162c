"""The model folder: a trained model with everything needed to use it, and no code.

model/
  weights.safetensors   all tensors of the network
  config.yaml           the resolved config it was trained with
  golden.safetensors    eight windows of training clips, or made sounds, and their expected logits
  trained_on.json       the training clips by id, with content and source
  model.json            labels in order, windows, temperature and thresholds, range of the training clips, data,
                        licences, versions, checksums
  README.md             the model card, in the format of the Hugging Face Hub
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact import golden as golden_clips
from audiosurvey.artefact.arrays import several, waves_of
from audiosurvey.artefact.calibration import Calibration
from audiosurvey.artefact.card import SCORES, add_detection, model_card, replace_section
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.artefact.exported import is_exported
from audiosurvey.artefact.golden import Golden
from audiosurvey.artefact.licence import strictest
from audiosurvey.artefact.training_range import TrainingRange
from audiosurvey.atomic import write_text
from audiosurvey.config.network import network_of
from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.config.root import Config
from audiosurvey.config.stored import read_stored
from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import make_front_end
from audiosurvey.model.blocks.inputs import laid_out
from audiosurvey.model.network import Network
from audiosurvey.tensorfile import WEIGHTS, load_tensors, save_tensors
from audiosurvey.training.devices import check_device, pick_device
from audiosurvey.training.loss import Loss
from audiosurvey.version import __version__

SCHEMA = 3
_READ = (1, 2, SCHEMA)
"""Schema 1 has no golden clips, temperatures and thresholds; 2 has no sources in trained_on.json."""
_ALWAYS = (WEIGHTS, "config.yaml", "trained_on.json")
_CHECKED = (*_ALWAYS, golden_clips.FILE)
_REQUIRED = ("labels", "sample_rate", "clip_samples", "pad", "mono", "multi_label")
"""Entries of model.json needed to compute scores."""
FILES = (*_CHECKED, "model.json", "README.md")
"""All files of a model. No others are downloaded or published."""


_SHOWN_RUNS = 5
_FINAL = "'audiosurvey survey {survey} --final ROW' trains one on all folds"


def save_artefact(
    folder: Path,
    *,
    config: Config,
    network: Network,
    labels: Sequence[str],
    multi_label: bool,
    about: dict[str, Any],
    licences: Mapping[str, str | None],
    heard: Provenance,
    golden: Golden,
    calibration: Calibration,
    training_range: TrainingRange | None = None,
) -> None:
    """Write a model folder. `model.json` comes last: without it a folder is incomplete and refused.

    `config`: resolved; `about`: data set, fold, protocol and results for the card; `licences`: of each source of the
    model; `heard`: the training clips; `golden`: windows of training clips, whose logits are computed here by the model
    as it will be loaded; `training_range`: None if unknown.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {
        "schema": SCHEMA,
        "version": __version__,
        "labels": list(labels),
        "sample_rate": config.sample_rate,
        "clip_samples": config.clip_samples,
        "pad": config.dataset.pad,
        "mono": config.dataset.mono,
        "multi_label": multi_label,
        **calibration.facts(),
        "training_range": None if training_range is None else training_range.as_json(),
        "about": about,
        "licence": {"weights": strictest(licences), "parts": dict(licences)},
        "versions": {"audiosurvey": __version__, "torch": str(torch.__version__), "numpy": np.__version__},
    }
    tensors = {name: value.detach().cpu() for name, value in network.state_dict().items()}
    golden = replace(golden, logits_BK=Model(config, facts, tensors, heard).logits(golden.wave_BS))
    save_tensors(folder / WEIGHTS, tensors)
    write_text(folder / "config.yaml", resolved_yaml(config))
    heard.save(folder / "trained_on.json")
    golden_clips.save_golden(folder / golden_clips.FILE, golden)
    facts["sha256"] = {name: _sha256(folder / name) for name in _CHECKED}
    facts["sha256"]["model.json"] = _digest(facts)
    write_text(folder / "README.md", model_card(facts, config, golden))
    write_text(folder / "model.json", json.dumps(facts, indent=2, ensure_ascii=False) + "\n")


def store_detection(path: Path, settings: DetectionSettings) -> Path:
    """Writes settings into the model.json and the card of a model, in place of those that it had.

    Returns the model.json, which is written last.
    """
    folder = find_model(path)
    add_detection(folder / "README.md", settings)
    return _change_facts(folder, {"detection": settings.as_json()})


def store_calibration(path: Path, calibration: Calibration) -> Path:
    """Replaces temperatures and thresholds of a model, in its card too. Returns its model.json.

    Raises UserError for a folder that is not a model, is incomplete or was changed.
    """
    folder = find_model(path)
    model = load_artefact(folder)
    file = _change_facts(folder, calibration.facts())
    assert model.golden is not None, "written by this version"
    replace_section(folder / "README.md", SCORES, model_card(read_facts(folder), model.config, model.golden))
    return file


def without_golden_clips(path: Path, target: Path) -> Path:
    """A copy of a model folder, `target`, with made sounds in place of its golden clips, which are training audio.

    Raises UserError for a folder that is not a model, is incomplete or was changed.
    """
    folder = find_model(path)
    model = load_artefact(folder)
    made = golden_clips.make_golden(model.clip_samples, model.sample_rate)
    made = replace(made, logits_BK=model.logits(made.wave_BS))
    shutil.copytree(folder, target)
    golden_clips.save_golden(target / golden_clips.FILE, made)
    facts = read_facts(target)
    _change_facts(target, {"sha256": facts["sha256"] | {golden_clips.FILE: _sha256(target / golden_clips.FILE)}})
    for section in ("Licences", "Files"):
        replace_section(target / "README.md", section, model_card(facts, model.config, made))
    return target


def read_facts(folder: Path) -> dict[str, Any]:
    """The content of a model.json, unchecked."""
    return json.loads((folder / "model.json").read_text(encoding="utf-8"))


def _change_facts(folder: Path, changed: dict[str, Any]) -> Path:
    file = folder / "model.json"
    facts = read_facts(folder) | changed
    del facts["sha256"]["model.json"]
    facts["sha256"]["model.json"] = _digest(facts)
    write_text(file, json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    return file


def load_artefact(path: str | Path) -> "Model":
    """The model in a folder, on the CPU, ready to predict.

    Raises UserError for a folder that is not a model, is incomplete or was changed.
    """
    folder = find_model(Path(path))
    try:
        facts = read_facts(folder)
        schema, digests = facts["schema"], dict(facts["sha256"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise UserError(f"{folder}: its model.json is not valid; copy the whole folder again") from None
    if schema not in _READ:
        raise UserError(
            f"{folder}: model of schema {schema}; this version of audiosurvey reads {', '.join(map(str, _READ))}"
        )
    if not digests.keys() <= {*_CHECKED, "model.json"}:
        raise UserError(f"{folder}: model.json lists files that do not belong to a model; copy the whole folder again")
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise UserError(f"{folder}: incomplete, {name} is missing; copy the whole folder again")
        if (_digest(facts) if name == "model.json" else _sha256(folder / name)) != digest:
            raise UserError(f"{folder}: {name} was changed since it was written; copy the whole folder again")
    if not facts.keys() >= set(_REQUIRED) or not digests.keys() >= set(_ALWAYS):
        raise UserError(f"{folder}: its model.json is not valid; copy the whole folder again")
    wrote = f"use the version of audiosurvey that wrote it ({facts.get('version', 'unknown')})"
    config = read_stored(folder / "config.yaml", wrote)
    heard = Provenance.load(folder / "trained_on.json")
    tensors = load_tensors(folder / WEIGHTS)[0]
    golden = golden_clips.load_golden(folder / golden_clips.FILE) if schema > 1 else None
    try:
        return Model(config, facts, tensors, heard, golden)
    except RuntimeError as error:
        raise UserError(f"{folder}: its weights do not fit the network that this version builds; {wrote}") from error


def find_model(path: Path) -> Path:
    """The model folder at `path`: itself, or the final model of a run.

    Raises UserError if there is none; for a run it names the fold models.
    """
    if is_exported(path):
        raise UserError(f"{path}: has the name of an exported file; give the model folder that it was made from")
    for folder in (path, path / "model"):
        if (folder / "model.json").is_file():
            return folder
    inside = [found.parent.as_posix() for found in path.glob("fold-*/model/model.json")]
    if inside:
        final = f"; {_another_model(path)}" if (path / "config.yaml").is_file() else ""
        listed = ", ".join(sorted(inside, key=lambda p: (len(p), p)))
        raise UserError(f"{path}: has no final model; models of folds: {listed}{final}")
    if (path / "results.json").is_file() and (path / "config.yaml").is_file():
        raise UserError(f"{path}: a run whose models were not kept; {_another_model(path)}")
    if (path / "plan.json").is_file() and (path / "cells").is_dir():
        models = sorted(found.parents[1].as_posix() for found in path.glob("runs/*/model/model.json"))
        has = f"its models are in {', '.join(models)}" if models else f"it has no models; {_FINAL.format(survey=path)}"
        raise UserError(f"{path}: a survey, not a model; {has}")
    if runs := sorted(found.parent.as_posix() for found in path.glob("*/config.yaml")):
        more = ", ..." if len(runs) > _SHOWN_RUNS else ""
        raise UserError(f"{path}: neither a model nor a run; runs here: {', '.join(runs[:_SHOWN_RUNS])}{more}")
    raise UserError(f"{path}: {'' if path.exists() else 'no such file or folder, so '}not a model; {_expected(path)}")


def _another_model(run: Path) -> str:
    """How to get a model from a run without any."""
    if (run / "row.json").is_file():
        return _FINAL.format(survey=run.parents[1])
    return f"'audiosurvey train {run.as_posix()}/config.yaml --run-dir {run.as_posix()} --resume --final' trains one"


def _expected(path: Path) -> str:
    expected = "expected a folder with a model.json"
    if not path.is_file():
        return expected
    if path.suffix.lower() in AUDIO_EXTENSIONS:
        return f"{expected}; the model comes first, then the sounds"
    if path.suffix in (".yaml", ".yml"):
        return f"{expected}; a config contains no model, 'audiosurvey train {path.as_posix()} --final' makes one"
    if (path.parent / "model.json").is_file():
        return f"{expected}; did you mean {path.parent.as_posix()}?"
    if path.suffix in (".pt", ".pth", ".ckpt", ".bin", ".safetensors"):
        return f"{expected}; training can start from these weights (--set model.init={path.as_posix()})"
    return expected


class Model(Classifier):
    """A trained network as a classifier."""

    def __init__(
        self,
        config: Config,
        facts: dict[str, Any],
        tensors: dict[str, torch.Tensor],
        heard: Provenance,
        golden: Golden | None = None,
    ) -> None:
        self.loss = Loss(config.loss, facts["multi_label"])
        super().__init__(facts, binary=self.loss.binary)
        self.config = config
        self.heard = heard
        """The training clips."""
        self.golden = golden
        """Windows with their expected logits; None in a model of an older version."""
        self.front_end = make_front_end(config.model.hears, config.mel_spectrogram, config.sample_rate)
        self.network = network_of(config, len(self.labels))
        self.network.load_state_dict(tensors)
        self.network.eval().requires_grad_(False)
        self.network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.to_scores = self.loss.scores
        """Convert logits to probabilities, without a temperature."""

    def to(self, device: str) -> None:
        """Move the model to a device (`auto`: a GPU if available). Sounds and scores stay on the CPU.

        Raises UserError for a device that is not there.
        """
        check_device(device)
        self.network.to(pick_device(device))
        self.front_end.to(pick_device(device))

    def logits(self, wave: Any) -> np.ndarray:
        """Logits (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window.

        No temperature is applied. Raises UserError for waves of another shape, that are not finite, or too short for
        the network.
        """
        return self._through(self.network, wave)

    def scores(self, wave: Any) -> np.ndarray:
        """Calibrated probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window."""
        return self.to_scores(torch.from_numpy(self.logits(wave) / np.float32(self.temperature))).numpy()

    def uncalibrated(self, wave: Any) -> np.ndarray:
        """Uncalibrated probabilities (B, K), float32, of waves (S) or (B, S) at `sample_rate`."""
        return self.to_scores(torch.from_numpy(self.logits(wave))).numpy()

    def features(self, wave: Any) -> np.ndarray:
        """The features (B, N) before the classifier, of waves as in `logits`."""
        return self._through(self.network.embed, wave)

    def embed(self, sound: Any, sample_rate: int | None = None) -> np.ndarray:
        """The features before the classifier, float32, of sounds as in `predict`.

        They are averaged over the windows of a long sound. Shape: (N) for a path or an array (S); (B, N) for a list
        or an array (B, S).
        """
        sounds, alone = several(sound)
        means = self._means(self.features, sounds, sample_rate)
        rows = [mean.value() for mean in means]
        if not rows:
            return np.empty((0, self.network.classifier.in_features), dtype=np.float32)
        return rows[0] if alone else np.stack(rows)

    @torch.inference_mode()
    def _through(self, part: Callable[[Any], torch.Tensor], wave: Any) -> np.ndarray:
        wave_BS = torch.from_numpy(waves_of(wave, self.facts["mono"]))
        device = self.network.classifier.weight.device
        try:
            return part(laid_out(self.front_end(wave_BS.to(device)))).cpu().numpy()
        except (RuntimeError, ValueError) as error:
            if wave_BS.shape[1] >= self.clip_samples:
                raise
            seconds = self.clip_samples / self.sample_rate
            raise UserError(
                f"a wave of {wave_BS.shape[1]} samples is too short for this network; pad it to {seconds:g} s, as "
                "predict does"
            ) from error


def _digest(facts: dict[str, Any]) -> str:
    """Hash of model.json without this hash."""
    others = {name: digest for name, digest in facts["sha256"].items() if name != "model.json"}
    return hashlib.sha256(json.dumps(facts | {"sha256": others}, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
