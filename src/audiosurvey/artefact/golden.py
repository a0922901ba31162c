"""Golden clips: eight windows of training clips stored with a model, and its logits for them when it was written.

They show whether a model still computes the same after it was moved, converted or published. A model whose training
audio must not be passed on has made sounds in their place.

golden.safetensors
  pcm (B, S) int16, scale (B) float32   the windows: pcm * scale, 16 bits as in the store
  logits (B, K) float32                 logits before any temperature
  header: clips, labels                 ids and labels of the clips, as JSON; made: yes, for made sounds
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from audiosurvey.data.audio.windows import Pad, split_windows
from audiosurvey.data.store.spool import quantize
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream
from audiosurvey.tensorfile import load_tensors, save_tensors

FILE = "golden.safetensors"
COUNT = 8
TOLERANCE = 1e-3
"""Largest difference of logits due to another processor or number of threads, relative to the largest golden logit (at
least 1)."""


@dataclass(frozen=True)
class Golden:
    """Windows at the model's rate, and their expected logits."""

    clips: list[str]
    """Ids of the training clips that the windows are from."""
    labels: list[list[str]]
    """Labels of each clip."""
    pcm_BS: np.ndarray
    scale_B: np.ndarray
    logits_BK: np.ndarray
    """Expected logits before any temperature; (B, 0) before they are computed."""
    made: bool = False
    """Whether these are made sounds instead of training clips."""

    @property
    def wave_BS(self) -> np.ndarray:
        """float32 windows."""
        return self.pcm_BS * self.scale_B[:, None]

    @property
    def tolerance(self) -> float:
        """Largest difference of logits of an intact model."""
        return TOLERANCE * max(1.0, float(np.abs(self.logits_BK).max(initial=0)))


class HasGolden(Protocol):
    """A model with golden clips."""

    @property
    def golden(self) -> Golden | None: ...

    def logits(self, wave: np.ndarray) -> np.ndarray: ...


def check_golden(model: HasGolden) -> float:
    """The largest difference between the logits of the golden clips and the expected ones.

    It is at most `model.golden.tolerance` for an intact model. Raises UserError for a model without golden clips.
    """
    golden = model.golden
    if golden is None:
        raise UserError("this model has no golden clips: an older version of audiosurvey wrote it; train it again")
    return float(np.abs(model.logits(golden.wave_BS) - golden.logits_BK).max())


def choose_golden(
    store: Store, clips: Sequence[Clip], classes: Sequence[str], *, clip_samples: int, pad: Pad
) -> Golden:
    """The loudest windows of eight of these clips (or fewer), spread over the classes, without logits.

    The choice does not depend on the order of the clips: the first by id of evenly spaced classes. Silent clips are
    used only if there are no others.
    """
    chosen = [_loudest(store, clip, clip_samples, pad) for clip in _spread(store, clips, len(classes))]
    pairs = [quantize(window_S) for _, window_S in chosen]
    return Golden(
        clips=[clip.id for clip, _ in chosen],
        labels=[[classes[label] for label in clip.labels] for clip, _ in chosen],
        pcm_BS=np.stack([pcm_S.astype(np.int16) for pcm_S, _ in pairs]),
        scale_B=np.array([scale for _, scale in pairs], dtype=np.float32),
        logits_BK=np.zeros((len(pairs), 0), dtype=np.float32),
    )


def make_golden(clip_samples: int, sample_rate: int) -> Golden:
    """Made sounds in place of golden clips, without logits: chirps, tones, clicks and noise of several levels.

    Noise 40 dB below each covers every band: where there is nothing, decibels show rounding errors.
    """
    seconds_S = np.arange(clip_samples) / sample_rate
    top_hz, length_s = 0.45 * sample_rate, clip_samples / sample_rate
    rng = stream("golden sounds")
    rising_S = 20 * seconds_S + (top_hz - 20) / length_s * seconds_S**2 / 2
    noise_S = rng.standard_normal(clip_samples)
    sounds = {
        "rising chirp": np.sin(2 * np.pi * rising_S),
        "falling chirp": np.sin(2 * np.pi * rising_S[::-1]),
        "low tone": np.sin(2 * np.pi * 0.02 * sample_rate * seconds_S),
        "chord": sum(np.sin(2 * np.pi * share * sample_rate * seconds_S) for share in (0.03, 0.07, 0.2)) / 3,
        "tone bursts": np.sin(2 * np.pi * 0.1 * sample_rate * seconds_S) * (np.sin(2 * np.pi * 4 * seconds_S) > 0),
        "clicks": (np.arange(clip_samples) % max(1, sample_rate // 8) == 0).astype(float),
        "noise": 0.3 * noise_S,
        "swelling noise": 0.3 * noise_S * np.sin(np.pi * seconds_S / length_s),
    }
    levels = np.geomspace(0.8, 0.01, len(sounds))
    waves = [
        (level * (wave_S + 0.01 * rng.standard_normal(clip_samples))).astype(np.float32)
        for level, wave_S in zip(levels, sounds.values(), strict=True)
    ]
    pairs = [quantize(wave_S) for wave_S in waves]
    return Golden(
        clips=[f"made: {name}" for name in sounds],
        labels=[[] for _ in sounds],
        pcm_BS=np.stack([pcm_S.astype(np.int16) for pcm_S, _ in pairs]),
        scale_B=np.array([scale for _, scale in pairs], dtype=np.float32),
        logits_BK=np.zeros((len(pairs), 0), dtype=np.float32),
        made=True,
    )


def save_golden(path: Path, golden: Golden) -> None:
    tensors = {
        "pcm": torch.from_numpy(golden.pcm_BS),
        "scale": torch.from_numpy(golden.scale_B),
        "logits": torch.from_numpy(golden.logits_BK),
    }
    header = {"clips": json.dumps(golden.clips), "labels": json.dumps(golden.labels)}
    save_tensors(path, tensors, header | ({"made": "yes"} if golden.made else {}))


def load_golden(path: Path) -> Golden:
    """The golden clips in a file. Raises UserError for a damaged file."""
    tensors, header = load_tensors(path)
    try:
        golden = Golden(
            json.loads(header["clips"]),
            json.loads(header["labels"]),
            tensors["pcm"].numpy(),
            tensors["scale"].numpy(),
            tensors["logits"].numpy(),
            made=header.get("made") == "yes",
        )
        count = len(golden.clips)
        fits = len(golden.labels) == count and golden.scale_B.shape == (count,)
        fits = fits and golden.pcm_BS.ndim == golden.logits_BK.ndim == 2
        fits = fits and len(golden.pcm_BS) == len(golden.logits_BK) == count
    except (KeyError, ValueError, TypeError, RecursionError):
        golden, fits = None, False
    if golden is None or not fits:
        raise UserError(f"{path}: contains no golden clips; copy the whole folder again")
    return golden


def _spread(store: Store, clips: Sequence[Clip], classes: int) -> list[Clip]:
    ordered = list(dict.fromkeys(_in_turns(sorted(clips, key=lambda clip: clip.id), _evenly(classes))))
    audible = list(islice((clip for clip in ordered if store.read(clip.id).any()), COUNT))
    others = (clip for clip in ordered if clip not in audible)
    return [*audible, *islice(others, COUNT - len(audible))]


def _in_turns(clips: list[Clip], labels: list[int]) -> Iterator[Clip]:
    """One clip of each of these classes, then a second of each, and so on; finally all clips."""
    for turn in zip_longest(*([clip for clip in clips if label in clip.labels] for label in labels)):
        yield from (clip for clip in turn if clip is not None)
    yield from clips


def _evenly(classes: int) -> list[int]:
    """Eight evenly spaced classes, or all of them."""
    if classes <= COUNT:
        return list(range(classes))
    return [round(place * (classes - 1) / (COUNT - 1)) for place in range(COUNT)]


def _loudest(store: Store, clip: Clip, clip_samples: int, pad: Pad) -> tuple[Clip, np.ndarray]:
    """The window (S) of the clip with the largest energy, cut and padded as in evaluation."""
    windows_WS = split_windows(store.read(clip.id), clip_samples, pad)
    return clip, max(windows_WS, key=lambda window_S: float(np.square(window_S).sum()))
