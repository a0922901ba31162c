"""Everything that the demo shows of a sound: waveform, spectrogram, scores, and for a long sound scores over time.

The size of the arrays is bounded by the width of the page, whatever the length of the sound.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from audiosurvey.artefact.classifier import Classifier, unusable_reason
from audiosurvey.artefact.decision import Threshold, decide
from audiosurvey.artefact.folder import Model
from audiosurvey.errors import UserError
from audiosurvey.features.front_end import mel_for_show
from audiosurvey.features.mel import MelConfig, MelFrontEnd
from audiosurvey.prediction.stream import WindowScores, score_sounds, score_stream
from audiosurvey.serving.limits import UploadLimits, decoded

COLUMNS = 1000
"""Largest width of plots."""
_MOST_WINDOWS = 240
"""Most windows of the scores over time; a longer sound has a longer hop."""
_BATCH = 8
_CHUNK_FRAMES = 2000


@dataclass(frozen=True)
class SoundAnalysis:
    """The analysis of one sound."""

    name: str
    seconds: float
    outline_C2: np.ndarray
    """Lowest and highest sample of each of C equal sections."""
    mel_TF: np.ndarray
    """The spectrogram; each row is a section of time."""
    mel: MelConfig
    sample_rate: int
    own_front_end: bool
    """Whether `mel_TF` is the input of the model."""
    scores: dict[str, float]
    """Of the whole sound, highest first, as from `Classifier.predict`."""
    labels: tuple[str, ...]
    """Of the columns of `over_time`."""
    answer: str
    """The predicted class, several labels of a multi-label model, or `unknown`."""
    over_time: tuple[WindowScores, ...]
    """Windows with calibrated scores; empty if the sound is not longer than a window."""
    windows: int = 1
    """Number of windows averaged in `scores`."""
    multi_label: bool = False
    """Whether a sound may have several labels; else classes are exclusive."""
    notes: tuple[str, ...] = ()
    """How the sound differs from the training clips."""


def analyse_sound(
    path: Path, model: Classifier, *, limits: UploadLimits, threshold: Threshold | None = None
) -> SoundAnalysis:
    """Analyse a sound file. Raises UserError, with the name of the file, for one that cannot be read or is too
    long."""
    wave_S = read_wave(path, model, limits)
    scored = score_sounds(model, [wave_S], _BATCH)
    if fault := unusable_reason(scored.sounds_NK[0]):
        raise UserError(f"{path.name}: {fault}")
    windows = int(scored.counts_N[0])
    scores = model.ranked(scored.sounds_NK[0], windows)
    own_mel = model.config.mel_spectrogram if isinstance(model, Model) and "mel" in model.config.model.hears else None
    front_end = mel_for_show(own_mel, model.sample_rate)
    return SoundAnalysis(
        name=path.name,
        seconds=len(wave_S) / model.sample_rate,
        outline_C2=outline(wave_S),
        mel_TF=spectrogram(front_end, wave_S),
        mel=front_end.config,
        sample_rate=model.sample_rate,
        own_front_end=own_mel is not None,
        scores=scores,
        labels=tuple(model.labels),
        answer=", ".join(decide(scores, threshold, windows, multi_label=model.multi_label)),
        over_time=scores_over_time(model, wave_S),
        notes=tuple(model.notes(wave_S)),
        windows=windows,
        multi_label=model.multi_label,
    )


def read_wave(path: Path, model: Classifier, limits: UploadLimits) -> np.ndarray:
    """The sound (S) at the model's rate. Raises UserError; no more than the limits allow is decoded."""
    try:
        size = path.stat().st_size
    except OSError:
        raise UserError(f"{path.name}: no longer available; upload it again") from None
    if size > limits.max_bytes:
        raise UserError(f"{path.name}: {size / 1e6:.3g} MB; the limit is {limits.mb:g} MB")
    return decoded(path, model, limits)


def scores_over_time(model: Classifier, wave_S: np.ndarray) -> tuple[WindowScores, ...]:
    """Windows with 50% overlap, or less overlap for a long sound; none for a short one."""
    if len(wave_S) <= model.clip_samples:
        return ()
    window_s, length_s = model.clip_samples / model.sample_rate, len(wave_S) / model.sample_rate
    hop_s = max(window_s / 2, length_s / _MOST_WINDOWS)
    windows = score_stream(model, [wave_S], hop_s=hop_s, batch_size=_BATCH)
    return tuple(replace(one, score_K=model.temperatures.apply(one.score_K, one.windows)) for one in windows)


def outline(wave_S: np.ndarray) -> np.ndarray:
    """Lowest and highest sample (C, 2) of each of at most `COLUMNS` equal sections."""
    edges = _edges(len(wave_S))
    return np.stack([np.minimum.reduceat(wave_S, edges), np.maximum.reduceat(wave_S, edges)], axis=1)


def spectrogram(front_end: MelFrontEnd, wave_S: np.ndarray) -> np.ndarray:
    """The spectrogram (T, F) of a sound of any length; each column is the maximum over its frames."""
    least = front_end.n_fft + front_end.hop
    wave_S = np.pad(wave_S, (0, max(0, least - len(wave_S))))
    step = _CHUNK_FRAMES * front_end.hop
    parts: list[np.ndarray] = []
    with torch.no_grad():
        for begin in range(0, max(1, len(wave_S) - least), step):
            last = begin + step >= len(wave_S) - least
            # Pieces overlap, so that all frames are complete.
            piece_S = wave_S[begin:] if last else wave_S[begin : begin + step + least]
            mel_TF = front_end(torch.from_numpy(piece_S)[None])[0, 0].numpy()
            parts.append(mel_TF if last else mel_TF[:_CHUNK_FRAMES])
    mel_TF = np.concatenate(parts)
    return np.maximum.reduceat(mel_TF, _edges(len(mel_TF)), axis=0)


def _edges(length: int) -> np.ndarray:
    """Start of each of at most `COLUMNS` equal sections."""
    columns = min(COLUMNS, length)
    return np.arange(columns) * length // columns
