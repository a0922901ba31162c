"""Comparison of two front ends: the settings that differ, as faults that name the key and the remedy."""

from dataclasses import dataclass
from typing import Any

from audiosurvey.errors import Fault
from audiosurvey.features.mel import WINDOWS, MelConfig


@dataclass(frozen=True)
class FrontEnd:
    """A front end as data: that of a network, or the one that weights were trained with."""

    sample_rate: int
    """Hz."""
    mel: MelConfig | None
    """None if the input is the waveform only."""

    def given(self) -> dict[str, Any]:
        """The mel settings that differ from the defaults, as they would be written in YAML."""
        if self.mel is None:
            return {}
        default = MelConfig().model_dump(mode="json")
        return {key: value for key, value in self.mel.model_dump(mode="json").items() if value != default[key]}


def disagreements(ours: FrontEnd, trained: FrontEnd, weights: str) -> list[Fault]:
    """A fault for each setting of `ours` that is not what the weights (named `weights`) were trained with.

    Settings that change nothing are not compared: the floor of a logarithm that is not used, the same length written in
    another way; nor a spectrogram that only one of the two uses.
    """
    differing: list[tuple[tuple[str, ...], str, str]] = []
    if ours.sample_rate != trained.sample_rate:
        differing.append((("sample_rate",), str(ours.sample_rate), str(trained.sample_rate)))
    if ours.mel is not None and trained.mel is not None:
        differing += _other_settings(ours.mel, trained.mel, trained.sample_rate)
    return [
        Fault(path, f"{own}, the weights of {weights} were trained with {right}; write {path[-1]}: {right}")
        for path, own, right in differing
    ]


def _other_settings(ours: MelConfig, trained: MelConfig, sample_rate: int) -> list[tuple[tuple[str, ...], str, str]]:
    """Path, our value and theirs of each setting that differs."""
    # Both at the rate of the weights: a wrong rate is one fault, and not one in every length besides.
    mine, theirs = (_heard(mel, sample_rate) for mel in (ours, trained))
    return [
        (("mel_spectrogram", key), _shown(ours, key, mine[key]), _shown(trained, key, value))
        for key, value in theirs.items()
        if mine.get(key, value) != value
    ]


def _heard(mel: MelConfig, sample_rate: int) -> dict[str, Any]:
    """The settings that make a difference, in a form in which equal ones are equal."""
    values = mel.model_dump()
    del values["onesided"]
    periodic = {"periodic": True} | WINDOWS[mel.window_fn][1] | (mel.wkwargs or {})
    values |= {
        "win_length": mel.win_samples(sample_rate),
        "hop_length": mel.hop_samples(sample_rate),
        "n_fft": mel.fft_samples(sample_rate),
        "f_max": mel.limits_hz(sample_rate)[1],
        "normalized": "window" if mel.normalized is True else mel.normalized,
        "wkwargs": {name: float(value) for name, value in periodic.items()},
    }
    db = mel.compression == "db"
    used = {"floor_db": db, "top_db": db, "log_offset": mel.compression == "ln", "pad_mode": mel.center}
    return {key: value for key, value in values.items() if used.get(key, True)}


def _shown(mel: MelConfig, key: str, heard: Any) -> str:
    """A value as it would be written in the YAML."""
    if key in ("win_length", "hop_length"):
        return f"{getattr(mel, key):g}"
    if key == "wkwargs":
        given = {"periodic": True} | (mel.wkwargs or {})
        return "{" + ", ".join(f"{name}: {_word(value)}" for name, value in given.items()) + "}"
    return _word(heard)


def _word(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:.12g}" if isinstance(value, float) else str(value)
