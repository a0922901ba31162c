"""One pass over a clip: format, levels, silence, clipping, channels, spectrum and fingerprint.

Clips are read in blocks, so that a recording of hours needs no more memory than one of ten seconds.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from audiosurvey.data.audio.decoding import BadAudio, Probe, blocks, resample, to_mono
from audiosurvey.data.table import Clip
from audiosurvey.diagnosis.audio_fingerprint import LONGEST_S, PRINT_RATE, AudioFingerprint, audio_fingerprint
from audiosurvey.diagnosis.levels import SILENCE_DB, STEP_16_BIT, ClippingCounter, SilenceMeter, decibels
from audiosurvey.diagnosis.mean_spectrum import MeanSpectrum, bandwidth_hz

_HIGHEST_RATE = 1_000_000
"""Hz. Of sounds with a higher rate, which is a corrupt header, less than ten seconds enter the fingerprint."""

Unreadable = Literal["missing", "empty", "truncated", "not-numbers", "implausible", "unreadable"]
_REASONS: dict[str, Unreadable] = {
    "file not found": "missing",
    "the file is empty": "empty",
    "contains no sound": "empty",
    "truncated": "truncated",
    "contains samples that are not numbers": "not-numbers",
    "contains samples up to": "implausible",
}
"""How the decoder's reasons begin, and the check that reports them."""


@dataclass(frozen=True, slots=True)
class UnreadableClip:
    """A clip that cannot be decoded: the check that reports it, and the decoder's reason."""

    check: Unreadable
    reason: str


@dataclass(frozen=True, slots=True)
class ClipProfile:
    """Properties of a readable clip. Levels are RMS in dBFS: a sine of amplitude 1 has -3."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    seconds: float
    digest: str
    """Hash of the decoded samples, the same for WAV and FLAC. Identical channels are hashed once."""
    peak: float
    level_db: float
    """Level of all frames that are not silent, over all channels."""
    silent_share: float
    """Share of frames of 20 ms that are below -80 dBFS in every channel, without their mean."""
    clipped_share: float
    """Share of samples in flat tops at full scale (three equal samples or more) or beyond it."""
    dc: float
    """Mean of the channel with the largest offset; full scale is 1."""
    same_channels: bool
    dead_channel: bool
    """One channel is silent and another is not."""
    cancels: bool
    """The mean of the channels is more than 30 dB softer than the channels."""
    bands_db: np.ndarray = field(repr=False)
    band_hz: float
    bandwidth_hz: float
    print: AudioFingerprint = field(repr=False)

    @property
    def silent(self) -> bool:
        return self.silent_share == 1.0

    @property
    def form(self) -> str:
        """`WAV PCM_16, 2 channels`."""
        return f"{self.format} {self.subtype}, " + ("mono" if self.channels == 1 else f"{self.channels} channels")


def profile_clip(clip: Clip) -> ClipProfile | UnreadableClip:
    """Decode a clip once and measure it."""
    try:
        with blocks(clip.path, start_s=clip.start_s, end_s=clip.end_s) as (header, pieces):
            profiler = _Profiler(header)
            for piece_SC in pieces:
                profiler.add(piece_SC)
        return profiler.finish()
    except BadAudio as bad:
        checks: list[Unreadable] = [check for begin, check in _REASONS.items() if bad.reason.startswith(begin)]
        return UnreadableClip(checks[0] if checks else "unreadable", bad.reason)


class _Profiler:
    """Accumulates blocks."""

    def __init__(self, header: Probe) -> None:
        channels = header.channels
        self._header = header
        self._samples = 0
        self._peak_C, self._sum_C, self._energy_C = np.zeros(channels), np.zeros(channels), np.zeros(channels)
        self._mean_energy = self._largest_difference = 0.0
        self._silence, self._clipping = SilenceMeter(header.sample_rate, channels), ClippingCounter(channels)
        self._hash_first, self._hash_all = hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)
        self._spectrum = MeanSpectrum(header.sample_rate)
        self._begin_S: list[np.ndarray] = []

    def add(self, x_SC: np.ndarray) -> None:
        self._samples += len(x_SC)
        self._peak_C = np.maximum(self._peak_C, np.maximum(x_SC.max(axis=0), -x_SC.min(axis=0)))
        self._sum_C += x_SC.sum(axis=0, dtype=np.float64)
        self._energy_C += np.einsum("sc,sc->c", x_SC, x_SC, dtype=np.float64)
        wave_S = to_mono(x_SC, "mean")
        if self._header.channels > 1:
            self._largest_difference = max(self._largest_difference, float(np.abs(x_SC - x_SC[:, :1]).max()))
            self._mean_energy += float(np.einsum("s,s->", wave_S, wave_S, dtype=np.float64))
            # Adding zero turns -0.0 into 0.0, which has other bytes.
            self._hash_all.update((x_SC + np.float32(0)).tobytes())
        self._hash_first.update((x_SC[:, 0] + np.float32(0)).tobytes())
        self._silence.add(x_SC)
        self._clipping.add(x_SC)
        self._spectrum.add(wave_S)
        if self._samples - len(x_SC) < _print_samples(self._header.sample_rate):
            self._begin_S.append(wave_S)

    def finish(self) -> ClipProfile:
        header, samples = self._header, self._samples
        self._silence.finish()
        self._clipping.finish()
        several = header.channels > 1
        level_C = decibels(self._energy_C / samples)
        loudest = float(level_C.max())
        same = several and self._largest_difference < STEP_16_BIT
        cancels = several and loudest > SILENCE_DB and decibels(self._mean_energy / samples) < loudest - 30
        bands_db, band_hz = self._spectrum.bands_db(), self._spectrum.band_hz
        return ClipProfile(
            format=header.format,
            subtype=header.subtype,
            sample_rate=header.sample_rate,
            channels=header.channels,
            seconds=samples / header.sample_rate,
            digest=(self._hash_all if several and not same else self._hash_first).hexdigest(),
            peak=float(self._peak_C.max()),
            level_db=self._silence.level_db,
            silent_share=self._silence.share,
            clipped_share=self._clipping.samples / (samples * header.channels),
            dc=float(max(self._sum_C / samples, key=abs)),
            same_channels=same,
            dead_channel=several and loudest > SILENCE_DB + 20 and bool((level_C < SILENCE_DB).any()),
            cancels=bool(cancels),
            bands_db=bands_db,
            band_hz=band_hz,
            bandwidth_hz=bandwidth_hz(bands_db, band_hz, header.sample_rate),
            print=audio_fingerprint(print_wave(np.concatenate(self._begin_S), header.sample_rate)),
        )


def print_wave(wave_S: np.ndarray, sample_rate: int) -> np.ndarray:
    """The beginning of a mono wave at the rate of fingerprints; one zero if it is shorter than a sample there."""
    begin_S = np.ascontiguousarray(wave_S[: _print_samples(sample_rate)])
    try:
        return resample(begin_S, sample_rate, PRINT_RATE)
    except BadAudio:
        return np.zeros(1, np.float32)


def _print_samples(sample_rate: int) -> int:
    return round(LONGEST_S * min(sample_rate, _HIGHEST_RATE))
