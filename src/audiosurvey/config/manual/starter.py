"""The config that `audiosurvey init` writes: good defaults for a data set, light augmentation, a comment
for each key.

In: the name of a data set and, if wanted, of a preset. Out: the text of a config that loads as it stands.
The comments are short here; keys that only a preset brings get the manual's words.
"""

from typing import Any

from audiosurvey.config.manual.manual import flow
from audiosurvey.config.presets import preset_document, preset_names
from audiosurvey.config.reading.faults import did_you_mean
from audiosurvey.config.reading.keys import description_of
from audiosurvey.config.root import Config
from audiosurvey.data.sets.registry import BUILT_IN, spec_of
from audiosurvey.errors import UserError

_OWN: dict[str, dict[str, Any]] = {
    "folder": {"root": "sounds", "clip_seconds": 5, "pad": "repeat", "num_folds": 5},
    "csv": {"root": "sounds", "table": "sounds/clips.csv", "clip_seconds": 5, "pad": "repeat", "num_folds": 5},
}
_OPTIONS = {
    "folder": [("# source_pattern: '^(.+?)_'", "what names the recording in a file name: its clips stay together")],
    "csv": [("# columns: {path: file, label: class}", "where your columns have other names")],
}
_COMMENTS = {
    "dataset": "which sounds",
    "dataset.name": f"{', '.join(BUILT_IN)}, folder (a folder per class) or csv",
    "dataset.root": "where they are, from the working folder",
    "dataset.table": "one row a clip: path, label, and if you have them fold, source, start, end",
    "dataset.clip_seconds": "what the network hears at once; longer clips give several windows",
    "dataset.pad": "a shorter clip is repeated, or followed by zeros",
    "dataset.num_folds": "made where the data has none; each is tested once",
    "sample_rate": "Hz; all sounds are resampled to it once",
    "mel_spectrogram": "what the network sees",
    "mel_spectrogram.win_length": "seconds of sound in one frame",
    "mel_spectrogram.hop_length": "seconds from frame to frame",
    "mel_spectrogram.n_mels": "frequency bands",
    "mel_spectrogram.f_min": "Hz, lower edge of the lowest band",
    "mel_spectrogram.f_max": "Hz, upper edge of the highest band",
    "mel_spectrogram.compression": "db: decibels; log10p1: log10(1 + x), as the original system",
    "mel_spectrogram.standardize": "each band gets zero mean and unit spread, learned on the way",
    "augmentation": "what is done to training clips; p is the chance for each single clip, 0 is off",
    "augmentation.mixup": "a second clip is mixed in, with its share of the label",
    "augmentation.gain": "louder or softer",
    "augmentation.cyclic_shift": "the end of the clip moves to its beginning",
    "augmentation.reverb": "the clip is placed in a room",
    "augmentation.time_shift": "parts are stretched and compressed",
    "augmentation.noise": "white noise, this many dB below the clip",
    "augmentation.low_pass": "high frequencies are removed, as by a cheap recorder",
    "augmentation.clipping": "peaks are cut flat, as by a recorder set too loud",
    "augmentation.shorten": "only a stretch of the clip is kept, the rest is padding",
    "augmentation.pitch": "higher or lower",
    "augmentation.filter_augment": "some bands louder, others softer",
    "augmentation.tempo": "faster or slower",
    "augmentation.dropblock": "blocks of frames and bands are covered",
    "augmentation.time_masking": "num stretches of up to tmp frames are covered",
    "augmentation.freq_masking": "num stretches of up to fmp bands are covered",
    "train": "how long and how fast",
    "train.epochs": "passes over the training clips",
    "train.patience": "stop when the score has not risen for so many epochs",
    "train.batch_size": "clips in a batch",
    "train.lr": "learning rate at its highest; halve it if the loss jumps",
    "train.weight_decay": "pull of the weights towards zero",
    "train.num_workers": "threads that read ahead",
    "loss": "what training minimises",
    "loss.label_smoothing": "share of the label spread over all classes",
    "protocol": "how a score is earned",
    "protocol.selection": "last: fixed epochs; validation: a held-out fold picks the epoch",
    "seed": "all randomness follows from it",
    "precision": "auto, fp32, bf16 or fp16; evaluation is always fp32",
    "model": "the network",
    "model.preset": "`audiosurvey presets` lists them; or give blocks of your own",
}
_BEGINNING = """\
# {what}
# Every key may be left out and has then a sensible value; docs/config.md tells of all of them.
# `audiosurvey check FILE` looks it over, `describe` shows the network, `preview` lets you hear the
# augmentation, `train` trains it.
"""
_COLUMN = 40

_FRONT_END = ("sample_rate", "mel_spectrogram")
_OF_STEPS = ("augmentation", "precision")


def starter(dataset: str, preset: str | None = None) -> str:
    """The text of a starter config. Raises UserError for a data set or a preset that there is not."""
    names = [*BUILT_IN, *_OWN]
    if dataset not in names:
        raise UserError(f"--dataset: {dataset!r} is not one of {', '.join(names)}{did_you_mean(dataset, names)}")
    data = _values(dataset)
    if preset is not None:
        data = _with_preset(data, preset)
    what = f"Data set {dataset}" + (f", preset {preset}." if preset else ".")
    lines = _BEGINNING.format(what=what).splitlines()
    section, spec = True, spec_of(dataset)
    for key, value in data.items():
        if section or isinstance(value, dict):
            lines.append("")
        section = isinstance(value, dict)
        lines += _entry((key,), value)
        if key == "dataset":
            lines += [_line(f"  {text}", words) for text, words in (spec.starter_lines if spec else _OPTIONS[dataset])]
    return "\n".join(lines) + "\n"


def _values(dataset: str) -> dict[str, Any]:
    spec = spec_of(dataset)
    return {
        "dataset": {
            "name": dataset,
            **({"root": spec.root.as_posix(), "clip_seconds": spec.clip_seconds} if spec else _OWN[dataset]),
        },
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
        "train": {"epochs": 100, "batch_size": 16, "lr": 0.001, "weight_decay": 0.01, "num_workers": 2},
        "loss": {"label_smoothing": 0.1},
        "protocol": {"selection": "last"},
        "seed": 0,
        "precision": "auto",
    }


def _with_preset(data: dict[str, Any], preset: str) -> dict[str, Any]:
    """The preset's network by name, and the values of its other sections but for the data set."""
    if preset not in preset_names():
        near = did_you_mean(preset, preset_names())
        raise UserError(f"--preset: no preset {preset!r}{near} (audiosurvey presets lists them)")
    given = preset_document(preset).data
    merged = {**data, **{key: value for key, value in given.items() if key not in ("dataset", "model")}}
    if "train" in given:
        # A whole recipe: what it leaves open is not ours to set.
        merged = {key: value for key, value in merged.items() if key in given or key not in ("loss", "protocol")}
    if given.get("model", {}).get("init"):
        # The weights bring the front end that they were trained with.
        merged = {key: value for key, value in merged.items() if key in given or key not in _FRONT_END}
    if merged["train"].get("crop_seconds", 0) >= data["dataset"]["clip_seconds"]:
        # The sections that a recipe trains on are no shorter than the clips of this data set.
        merged["train"] = {key: value for key, value in merged["train"].items() if key != "crop_seconds"}
    if given.get("train", {}).get("head_only"):
        # No step of training is taken, so that there is nothing to augment.
        merged = {key: value for key, value in merged.items() if key in given or key not in _OF_STEPS}
    first = given.get("pretrain", {}).get("dataset")
    if first and first["name"] == data["dataset"]["name"]:
        # Other classes of the same data set come first: which ones are left is the recipe's to say.
        merged["dataset"] = given["dataset"]
    return {**merged, "model": {"preset": preset}}


def _entry(path: tuple[str, ...], value: Any) -> list[str]:
    """A key with its comment; the sections of single augmentations stand on one line."""
    text = "  " * (len(path) - 1) + path[-1] + ":"
    if isinstance(value, dict) and (len(path) == 1 or "dataset" in path):
        inner = [line for name, item in value.items() for line in _entry((*path, name), item)]
        return [_line(text, _comment(path)), *inner]
    return [_line(f"{text} {flow(value)}", _comment(path))]


def _line(text: str, comment: str) -> str:
    return f"{text}  ".ljust(_COLUMN) + f"# {comment}"


def _comment(path: tuple[str, ...]) -> str:
    dotted = ".".join(path)
    if dotted in _COMMENTS:
        return _COMMENTS[dotted]
    if dotted.startswith("pretrain.") and (words := _COMMENTS.get(dotted.removeprefix("pre"))):
        return words
    words = " ".join((description_of(Config, path) or path[-1]).split())
    return words.split(". ")[0].split("; ")[0].rstrip(".")
