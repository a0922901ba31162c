"""What one pass over a clip finds out: its form, levels, silence, clipping, channels, spectrum, soundprint.

Enters: a clip of the table; leaves: its `Facts`, or why it cannot be read. The sound is read in blocks, whose size
changes nothing: a recording of hours needs no more memory than one of ten seconds.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Probe, blocks, resample, to_mono
from audiosurvey.data.table import Clip
from audiosurvey.doctor.clipping import STEP, Clipping
from audiosurvey.doctor.silence import SILENCE_DB, Silence, decibels
from audiosurvey.doctor.soundprint import LONGEST_S, PRINT_RATE, Soundprint, soundprint
from audiosurvey.doctor.spectrum import Spectrum, bandwidth_hz

_HIGHEST_RATE = 1_000_000
"""Hz: of a higher rate, which only a false header gives, fewer than ten seconds go into the soundprint."""

Fault = Literal["missing", "empty", "truncated", "not-numbers", "implausible", "unreadable"]
_FAULTS: tuple[tuple[str, Fault], ...] = (
    ("file not found", "missing"),
    ("the file is empty", "empty"),
    ("holds no sound", "empty"),
    ("cut short", "truncated"),
    ("holds samples that are not numbers", "not-numbers"),
    ("holds samples up to", "implausible"),
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A clip that gives no sound: which check it falls under, and the reader's reason."""

    check: Fault
    reason: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What one pass over a readable clip found. Levels in dB below full scale (a sine of amplitude 1 has -3)."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    seconds: float
    digest: str
    """Of the decoded samples, whatever the container: equal for WAV and FLAC of one sound. A sound that is the same in
    all channels has the digest of one."""
    peak: float
    level_db: float
    """Root mean square of what is not silence, over all channels."""
    silent_share: float
    """Of the frames of 20 ms: those whose level, about their mean, is below -80 dB in every channel."""
    clipped_share: float
    """Of the samples: those in flat tops at full scale (three alike and more), or beyond it."""
    dc: float
    """Mean of the channel that is farthest from zero, in units of full scale."""
    same_channels: bool
    dead_channel: bool
    """One channel is silent and another is not."""
    cancels: bool
    """The mean of the channels is more than 30 dB softer than they are."""
    bands_db: np.ndarray = field(repr=False)
    band_hz: float
    bandwidth_hz: float
    print: Soundprint = field(repr=False)

    @property
    def silent(self) -> bool:
        return self.silent_share == 1.0

    @property
    def form(self) -> str:
        """`WAV PCM_16, 2 channels`."""
        return f"{self.format} {self.subtype}, " + ("mono" if self.channels == 1 else f"{self.channels} channels")


def listen(clip: Clip) -> Facts | Broken:
    """One pass over a clip."""
    try:
        with blocks(clip.path, start_s=clip.start_s, end_s=clip.end_s) as (about, pieces):
            gathered = _Gathered(about)
            for piece_SC in pieces:
                gathered.add(piece_SC)
        return gathered.facts()
    except BadAudio as bad:
        return Broken(_fault(bad.reason), bad.reason)


def _fault(reason: str) -> Fault:
    for begin, fault in _FAULTS:
        if reason.startswith(begin):
            return fault
    return "unreadable"


class _Gathered:
    """Sums over the pieces so far."""

    def __init__(self, about: Probe) -> None:
        channels = about.channels
        self._about = about
        self._samples = 0
        self._peak_C, self._sum_C, self._energy_C = np.zeros(channels), np.zeros(channels), np.zeros(channels)
        self._mean_energy = self._apart = 0.0
        self._silence, self._clipping = Silence(about.sample_rate, channels), Clipping(channels)
        self._first, self._all = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
        self._spectrum = Spectrum(about.sample_rate)
        self._begin_S: list[np.ndarray] = []

    def add(self, x_SC: np.ndarray) -> None:
        channels = self._about.channels
        self._samples += len(x_SC)
        self._peak_C = np.maximum(self._peak_C, np.maximum(x_SC.max(axis=0), -x_SC.min(axis=0)))
        self._sum_C += x_SC.sum(axis=0, dtype=np.float64)
        self._energy_C += np.einsum("sc,sc->c", x_SC, x_SC, dtype=np.float64)
        wave_S = to_mono(x_SC, "mean")
        if channels > 1:
            self._apart = max(self._apart, float(np.abs(x_SC - x_SC[:, :1]).max()))
            self._mean_energy += float(np.einsum("s,s->", wave_S, wave_S, dtype=np.float64))
            # Adding zero makes a minus zero a plain one: they are equal, and so are their bytes then.
            self._all.update((x_SC + np.float32(0)).tobytes())
        self._first.update((x_SC[:, 0] + np.float32(0)).tobytes())
        self._silence.add(x_SC)
        self._clipping.add(x_SC)
        self._spectrum.add(wave_S)
        if self._samples - len(x_SC) < _print_samples(self._about.sample_rate):
            self._begin_S.append(wave_S)

    def facts(self) -> Facts:
        about, samples = self._about, self._samples
        self._silence.finish()
        self._clipping.finish()
        level_C = decibels(self._energy_C / samples)
        loudest = float(level_C.max())
        same = about.channels > 1 and self._apart < STEP
        bands_db, band_hz = self._spectrum.bands_db(), self._spectrum.band_hz
        cancels = about.channels > 1 and loudest > SILENCE_DB and decibels(self._mean_energy / samples) < loudest - 30
        dead = about.channels > 1 and loudest > SILENCE_DB + 20 and bool((level_C < SILENCE_DB).any())
        return Facts(
            format=about.format,
            subtype=about.subtype,
            sample_rate=about.sample_rate,
            channels=about.channels,
            seconds=samples / about.sample_rate,
            digest=(self._first if same or about.channels == 1 else self._all).hexdigest(),
            peak=float(self._peak_C.max()),
            level_db=self._silence.level_db,
            silent_share=self._silence.share,
            clipped_share=self._clipping.samples / (samples * about.channels),
            dc=float(max(self._sum_C / samples, key=abs)),
            same_channels=same,
            dead_channel=dead,
            cancels=bool(cancels),
            bands_db=bands_db,
            band_hz=band_hz,
            bandwidth_hz=bandwidth_hz(bands_db, band_hz, about.sample_rate),
            print=soundprint(print_wave(np.concatenate(self._begin_S), about.sample_rate)),
        )


def print_wave(wave_S: np.ndarray, sample_rate: int) -> np.ndarray:
    """The beginning of a mono wave, at the rate that soundprints are made at; empty for less than one sample."""
    begin_S = np.ascontiguousarray(wave_S[: _print_samples(sample_rate)])
    try:
        return resample(begin_S, sample_rate, PRINT_RATE)
    except BadAudio:
        return np.zeros(1, np.float32)


def _print_samples(sample_rate: int) -> int:
    return round(LONGEST_S * min(sample_rate, _HIGHEST_RATE))
