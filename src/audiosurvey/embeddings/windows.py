"""The embeddings of the windows of many sounds, in the order of the sounds and in bounded memory.

Sounds are cut as `predict` cuts them: up to 30 s evenly, so that the mean of the windows is that of `Model.embed`, and
longer ones, or all if a hop is given, in windows of the model. Files are decoded ahead in threads, and windows of
several sounds are computed together.
"""

import contextlib
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.data.audio.windows import cut, window_starts
from audiosurvey.data.readahead import ahead, cpu_count, in_order
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.prediction.stream import window_samples
from audiosurvey.prediction.window_scoring import OpenedSound, open_sound, short_samples

_SILENT = 2 / 32768
"""A window in which no sample is further from the middle of its range is silent: two steps of 16 bits, as dither."""

_BLOCKS_AHEAD = 16


@dataclass(frozen=True)
class EmbeddedSound:
    """The windows of one sound; none for a sound that could not be read."""

    times_W2: np.ndarray
    """Start and end of each in seconds, float64; the end is that of the sound if this is shorter than the window."""
    features_WN: np.ndarray
    """The features before the classifier, float32."""
    silent_W: np.ndarray
    """Whether there is nothing in the window; its features mean nothing."""
    fault: str | None = None
    """Why the sound could not be read to its end."""
    short: bool = False
    """It was cut into evenly spaced windows, whose mean stands for the whole sound."""

    @property
    def silent(self) -> bool:
        """Whether there is nothing in any window."""
        return bool(len(self.silent_W) and self.silent_W.all())

    @property
    def seconds(self) -> float:
        """Where the last window ends."""
        return float(self.times_W2[-1, 1]) if len(self.times_W2) else 0.0


@dataclass(frozen=True, slots=True)
class _Place:
    """What is kept of a window once its features are computed: its samples are not."""

    start_s: float
    end_s: float
    silent: bool


_Window = tuple[_Place, np.ndarray]
"""A window and its samples (S)."""
_Embedded = tuple[_Place, np.ndarray]
"""A window and its features (N)."""


def embed_sounds(
    model: Model, sources: Sequence[SoundSource], hop_s: float | None = None, batch_size: int = 16
) -> Generator[EmbeddedSound, None, None]:
    """The embedded windows of each sound. `hop_s`: seconds from window to window, for sounds of any length.

    Raises UserError for a hop below one sample.
    """
    window_samples(model, None, hop_s)  # refused before any sound is decoded
    most = short_samples(model)
    workers = min(4, cpu_count())
    opened = in_order(
        lambda place: open_sound(place, model, sources[place], most),
        range(len(sources)),
        workers=workers,
        ahead=2 * workers,
    )
    found: defaultdict[int, list[_Embedded]] = defaultdict(list)
    waiting: list[tuple[int, _Window]] = []
    ended: list[tuple[int, bool, str | None]] = []
    with contextlib.closing(opened):
        for one in opened:
            short = one.rest is None and hop_s is None
            try:
                for window in _windows(model, one, hop_s):
                    waiting.append((one.sound, window))
                    if len(waiting) >= batch_size:
                        _compute(model, waiting, found)
                        yield from (_sound(model, found.pop(sound, []), fault, short) for sound, short, fault in ended)
                        waiting, ended = [], []
                ended.append((one.sound, short, None))
            except BadAudio as bad:
                ended.append((one.sound, short, bad.reason))
    if waiting:
        _compute(model, waiting, found)
    yield from (_sound(model, found.pop(sound, []), fault, short) for sound, short, fault in ended)


def _windows(model: Model, one: OpenedSound, hop_s: float | None) -> Iterator[_Window]:
    """The windows of a sound that is opened. Raises BadAudio where it is faulty, before any window of a short one."""
    rate, samples = model.sample_rate, model.clip_samples
    if one.rest is None:
        if one.fault:
            raise BadAudio(one.fault)
        if hop_s is None:
            wave_S = np.concatenate(one.begin)
            for start, window_S in zip(window_starts(len(wave_S), samples), model.windows(wave_S), strict=True):
                yield _window(start, wave_S[start : start + samples], window_S, rate)
            return
    window, hop = window_samples(model, None, hop_s)
    with contextlib.closing(ahead(one.blocks(), _BLOCKS_AHEAD)) as blocks:
        for start, part_S in cut(blocks, window, hop):
            yield _window(start, part_S, model.windows(part_S)[0], rate)


def _window(start: int, part_S: np.ndarray, window_S: np.ndarray, rate: int) -> _Window:
    """`part_S`: the sound in the window, before its padding."""
    silent = float(part_S.max() - part_S.min()) <= 2 * _SILENT
    return _Place(start / rate, (start + len(part_S)) / rate, silent), window_S


def _compute(model: Model, waiting: Sequence[tuple[int, _Window]], found: dict[int, list[_Embedded]]) -> None:
    """Adds the features of each window to those of its sound."""
    features_BN = model.features(np.stack([window_S for _, (_, window_S) in waiting]))
    for (sound, (place, _)), features_N in zip(waiting, features_BN, strict=True):
        found[sound].append((place, features_N))


def _sound(model: Model, rows: Sequence[_Embedded], fault: str | None, short: bool) -> EmbeddedSound:
    """A sound of its windows, as far as their features are numbers."""
    finite = [bool(np.isfinite(features_N).all()) for _, features_N in rows]
    if not all(finite):
        first = finite.index(False)
        rows, fault = rows[:first], f"the features are not numbers, from {rows[first][0].start_s:g} s on"
    size = model.network.classifier.in_features
    return EmbeddedSound(
        np.array([(place.start_s, place.end_s) for place, _ in rows], np.float64).reshape(-1, 2),
        np.array([features_N for _, features_N in rows], np.float32).reshape(-1, size),
        np.array([place.silent for place, _ in rows], bool),
        fault,
        short,
    )
