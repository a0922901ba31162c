"""The config that `audiosurvey init` writes: good defaults for a data set, and a comment for each key."""

import re
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from audiosurvey.config.manual.flow import flow
from audiosurvey.config.manual.shipped import description_of
from audiosurvey.config.presets import preset_document, preset_names
from audiosurvey.config.reading.faults import did_you_mean
from audiosurvey.config.set_file import read_set
from audiosurvey.data.dataset import DEFAULT_CLIP_SECONDS
from audiosurvey.data.sets.registry import BUILT_IN, spec_of
from audiosurvey.errors import ArgumentError

_OWN: dict[str, dict[str, Any]] = {
    "folder": {"root": "sounds", "clip_seconds": 5, "pad": "repeat", "num_folds": 5},
    "csv": {"root": "sounds", "table": "sounds/clips.csv", "clip_seconds": 5, "pad": "repeat", "num_folds": 5},
    "raven": {
        "root": "recordings",
        "pad": "repeat",
        "num_folds": 5,
        "windows": {"seconds": 5, "hop": 2.5},
    },
}
_OPTIONS = {
    "folder": [("# source_pattern: '^(.+?)_'", "recording in a file name: clips of one recording stay together")],
    "csv": [("# columns: {path: file, label: class}", "if your columns have other names")],
    "raven": [("# table: selections.txt", "one table that names its recordings")],
}
_COMMENTS = {
    "dataset.name": f"{', '.join(BUILT_IN)}, folder (a folder per class), csv or raven (selection tables)",
    "dataset.spec": "the file that describes the data set",
    "dataset.table": "one row per clip: path, label, and optionally fold, source, start, end",
    "mel_spectrogram.compression": "db: decibels; log10p1: log10(1 + x), as in the original system",
    "mel_spectrogram.standardize": "each band gets zero mean and unit variance, learned in training",
    "augmentation": "of training clips; p is the probability per clip, 0 is off",
    "train.lr": "maximum learning rate; halve it if the loss jumps",
    "protocol.selection": "last: fixed epochs; validation: a held-out fold chooses the epoch",
    "precision": "auto, fp32, bf16 or fp16; evaluation is always fp32",
    "model.preset": "see `audiosurvey presets`; or give blocks of your own",
}
"""Comments other than the first words of a key's description."""
_BEGINNING = """\
# {what}
# Every key has a default and may be left out; docs/config.md describes all keys.
# `audiosurvey check FILE` validates it, `describe` shows the network, `preview` renders the
# augmentation, `train` trains the model.
"""
_COLUMN = 40

_FRONT_END = ("sample_rate", "mel_spectrogram")
_OF_STEPS = ("augmentation", "precision")


def starter(
    dataset: str,
    preset: str | None = None,
    *,
    values: dict[str, Any] | None = None,
    reasons: Mapping[tuple[str, ...], str] = {},
    about: str = "",
) -> str:
    """The text of a starter config. Raises UserError for an unknown data set or preset.

    `values`: in place of those of `starter_values`; `reasons`: for values that depend on the data, by path; `about`:
    the data in a few words.
    """
    data = starter_values(dataset, preset) if values is None else values
    what = f"Data set {dataset}" + (f", preset {preset}" if preset else "") + (f": {about}" if about else "") + "."
    lines = _BEGINNING.format(what=what).splitlines()
    section, spec = True, spec_of(dataset)
    for key, value in data.items():
        if section or isinstance(value, dict):
            lines.append("")
        section = isinstance(value, dict)
        lines += _entry((key,), value, reasons)
        if key == "dataset":
            options = spec.starter_lines if spec else _OPTIONS.get(dataset, [])
            lines += [_line(f"  {text}", words) for text, words in options if text[2:].split(":")[0] not in value]
    return "\n".join(lines) + "\n"


def starter_values(dataset: str, preset: str | None = None) -> dict[str, Any]:
    """The values of a starter config before anything is known of the data."""
    names = [*BUILT_IN, *_OWN]
    if dataset.endswith((".yaml", ".yml")):
        described = read_set(Path(dataset))
        own = {"spec": Path(dataset).as_posix(), "clip_seconds": described.clip_seconds or DEFAULT_CLIP_SECONDS}
        data = _values(dataset, own)
    elif dataset in names:
        data = _values(dataset)
    else:
        near = did_you_mean(dataset, names)
        raise ArgumentError(f"{{dataset}}: expected one of {', '.join(names)}{near}", dataset=dataset)
    return data if preset is None else _with_preset(data, preset)


def _values(dataset: str, own: dict[str, Any] | None = None) -> dict[str, Any]:
    spec = spec_of(dataset)
    if own is None:
        given = {"root": spec.root.as_posix(), "clip_seconds": spec.clip_seconds} if spec else deepcopy(_OWN[dataset])
        own = {"name": dataset, **given}
    return {
        "dataset": own,
        "sample_rate": spec.sample_rate if spec else 32_000,
        "mel_spectrogram": {
            "win_length": 0.032,
            "hop_length": 0.01,
            "n_mels": 64,
            "f_min": 50,
            "compression": "db",
            "standardize": "batch_norm",
        },
        "augmentation": {
            "mixup": {"p": 0.5},
            "cyclic_shift": {"p": 0.5},
            "gain": {"p": 0.8, "min_db": -45, "max_db": 10},
            "noise": {"p": 0.6, "min_snr_db": 5, "max_snr_db": 40},
            "low_pass": {"p": 0.4, "min_hz": 2500, "max_hz": 8000},
            "clipping": {"p": 0.25, "max_db": 15},
            "shorten": {"p": 0.3},
            "time_masking": {"p": 0.5, "tmp": 20, "num": 2},
            "freq_masking": {"p": 0.5, "fmp": 8, "num": 2},
        },
        "train": {"epochs": 100, "batch_size": 16, "lr": 0.003, "weight_decay": 0.01, "num_workers": 2},
        "loss": {"label_smoothing": 0.1},
        "protocol": {"selection": "last"},
        "seed": 0,
        "precision": "auto",
    }


def _with_preset(data: dict[str, Any], preset: str) -> dict[str, Any]:
    """The preset's network by name, and its other sections; of its data set, the sounds of no class alone."""
    if preset not in preset_names():
        near = did_you_mean(preset, preset_names())
        raise ArgumentError(f"{{preset}}: no such preset{near} ('audiosurvey presets' lists them)", preset=preset)
    given = preset_document(preset).data
    merged = {**data, **{key: value for key, value in given.items() if key not in ("dataset", "model")}}
    if other := given.get("dataset", {}).get("other"):
        merged["dataset"] = {**data["dataset"], "other": other}
    if "train" in given:
        # A whole recipe, which leaves these at their defaults.
        merged = {key: value for key, value in merged.items() if key in given or key not in ("loss", "protocol")}
    if given.get("model", {}).get("init"):
        # The front end is that of the weights.
        merged = {key: value for key, value in merged.items() if key in given or key not in _FRONT_END}
    length_s = data["dataset"].get("clip_seconds") or data["dataset"]["windows"]["seconds"]
    if merged["train"].get("crop_seconds", 0) >= length_s:
        # Clips of this data set are no longer than the sections that the recipe trains on.
        merged["train"] = {key: value for key, value in merged["train"].items() if key != "crop_seconds"}
    if given.get("train", {}).get("head_only"):
        # No training steps are taken, so there is nothing to augment.
        merged = {key: value for key, value in merged.items() if key in given or key not in _OF_STEPS}
    first = given.get("pretrain", {}).get("dataset")
    if first and first["name"] == data["dataset"].get("name"):
        # Pretraining on other classes of the same data set: the recipe says which ones are left.
        merged["dataset"] = given["dataset"]
    return {**merged, "model": {"preset": preset}}


def _entry(path: tuple[str, ...], value: Any, reasons: Mapping[tuple[str, ...], str]) -> list[str]:
    """A key with its comment; the section of a single augmentation is on one line."""
    text = "  " * (len(path) - 1) + path[-1] + ":"
    if isinstance(value, dict) and value and (len(path) == 1 or "dataset" in path):
        inner = [line for name, item in value.items() for line in _entry((*path, name), item, reasons)]
        return [_line(text, _comment(path)), *inner]
    reason = next((words for known, words in reasons.items() if known[: len(path)] == path), None)
    return [_line(f"{text} {flow(value)}", reason or _comment(path))]


def _line(text: str, comment: str) -> str:
    return f"{text}  ".ljust(_COLUMN) + f"# {comment}"


def _comment(path: tuple[str, ...]) -> str:
    """The first words of a key's description, or of its section's."""
    if own := _COMMENTS.get(".".join(path)):
        return own
    words = description_of(path) or path[-1]
    first = re.split(r"[.;:] ", " ".join(words.split()))[0].rstrip(".")
    return first[:1].lower() + first[1:]
