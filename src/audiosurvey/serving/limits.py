"""Limits on sounds that others upload, checked while they are decoded."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.data.audio.decoding import BadAudio, probe
from audiosurvey.errors import UserError
from audiosurvey.prediction.stream import read_blocks


@dataclass(frozen=True)
class UploadLimits:
    """Largest upload and longest sound."""

    mb: float = 100
    minutes: float = 10

    @property
    def max_bytes(self) -> int:
        return round(self.mb * 1e6)

    @property
    def duration(self) -> str:
        """The longest sound: `1 minute`, `2.5 minutes`."""
        return f"{self.minutes:g} minute{'s' if self.minutes != 1 else ''}"


class TooLong(UserError):
    """A sound that is longer than the limit."""


def header_seconds(path: Path, name: str, limits: UploadLimits) -> float | None:
    """The length that the header gives, None if it gives none. Raises TooLong and BadAudio.

    The header is checked before anything is decoded: at a rate of a few Hz, a single block lasts for hours.
    """
    seconds = probe(path).seconds
    if (seconds or 0) > limits.minutes * 60:
        raise _too_long(name, limits)
    return seconds


def limited_blocks(path: Path, name: str, model: Classifier, limits: UploadLimits) -> Iterator[np.ndarray]:
    """A sound file as mono blocks (S) at the model's rate. No more than the limits allow is decoded.

    Raises TooLong and BadAudio.
    """
    header_seconds(path, name, limits)
    longest = round(limits.minutes * 60 * model.sample_rate)
    samples = 0
    for block_S in read_blocks(path, sample_rate=model.sample_rate, mono=model.facts["mono"]):
        samples += len(block_S)
        if samples > longest:
            raise _too_long(name, limits)
        yield block_S


def _too_long(name: str, limits: UploadLimits) -> TooLong:
    return TooLong(f"{name}: too long; the limit is {limits.duration} of sound")


def decoded(path: Path, model: Classifier, limits: UploadLimits) -> np.ndarray:
    """A sound file (S) at the model's rate. Raises TooLong, and UserError for a file that cannot be read."""
    try:
        return np.concatenate(list(limited_blocks(path, path.name, model, limits)))
    except BadAudio as error:
        raise UserError(f"{path.name}: {error.reason}") from None
