"""Many sounds, short and long, through a model: their scores in portions, in the order of the sounds.

Enters: sources, and how they are to be gone through; leaves: portions of window scores. Files are decoded ahead in
threads; short ones are scored together, a long one a batch of windows after another, so that memory is bounded
whatever comes. How sounds fall into portions follows from the sounds alone: what was scored before (`Recorded`) is
passed over, and the rest comes out to the same bits.
"""

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol

import numpy as np

from audiosurvey.artefact.classifier import Classifier, unusable
from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.data.audio.windows import even_hop, window_starts
from audiosurvey.data.readahead import ahead, cpu_count, in_order
from audiosurvey.predict.sources import Source
from audiosurvey.predict.stream import WindowScores, in_samples, score_batches, score_sounds

SHORT_S = 30.0
"""Sounds up to this length are one answer each unless asked otherwise, as are those of one window of the model."""
_BLOCKS_AHEAD = 16

Mode = Literal["auto", "whole", "windows"]


@dataclass(frozen=True, slots=True)
class Windowing:
    """How sounds are gone through."""

    mode: Mode = "auto"
    """One answer a sound (`whole`), window by window (`windows`), or by the length of each sound (`auto`)."""
    window_s: float | None = None
    hop_s: float | None = None
    batch_size: int = 16
    """Windows of the model scored at once."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some windows of one sound, one after another."""

    sound: int
    """Its place among the sources."""
    whole: bool
    """The sound gets one answer, the mean of its windows."""
    windows: Sequence[WindowScores]
    done: bool
    """Nothing more comes of this sound."""
    fault: str | None = None
    """Why not, where it could not be read to its end."""


class Recorded(Protocol):
    """What was scored before."""

    def is_done(self, sound: int) -> bool:
        """Whether all of a sound is there."""
        ...

    def num_windows(self, sound: int) -> int:
        """How many windows of it are."""
        ...


@dataclass(slots=True)
class _Opened:
    """A sound of which the beginning has been decoded."""

    sound: int
    begin: list[np.ndarray]
    rest: Iterator[np.ndarray] | None = None
    """What follows; None where the beginning is all."""
    fault: str | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        yield from self.begin
        if self.rest is not None:
            yield from self.rest
        if self.fault:
            raise BadAudio(self.fault)


def scan(
    model: Classifier, sources: Sequence[Source], how: Windowing, recorded: Recorded | None = None
) -> Generator[list[Portion], None, None]:
    """The portions of all sounds that are not recorded, those that were worked out together in one list.

    Raises UserError for windows that the model cannot take.
    """
    window, hop = in_samples(model, how.window_s, how.hop_s)
    short = max(round(SHORT_S * model.sample_rate), model.clip_samples)
    known = [0 if recorded is None else recorded.num_windows(sound) for sound in range(len(sources))]
    todo = [sound for sound in range(len(sources)) if recorded is None or not recorded.is_done(sound)]

    def open_(sound: int) -> _Opened:
        return _open(sound, model, sources[sound], -1 if known[sound] or sources[sound].live else short)

    # A live sound is read in this thread, where Ctrl-C reaches it.
    live = any(source.live for source in sources)
    workers, depth = (0, 0) if live else (min(4, cpu_count()), _BLOCKS_AHEAD)
    opened = in_order(open_, todo, workers=workers, ahead=2 * workers)
    together: list[_Opened] = []
    num_windows = 0
    with contextlib.closing(opened):
        for one in opened:
            if one.rest is None and how.mode != "windows":
                together.append(one)
                num_windows += len(window_starts(sum(map(len, one.begin)), model.clip_samples))
                if num_windows >= how.batch_size:
                    yield _short(model, together, how.batch_size)
                    together, num_windows = [], 0
                continue
            if together:
                yield _short(model, together, how.batch_size)
                together, num_windows = [], 0
            whole = how.mode == "whole"
            if whole:
                try:
                    length = sources[one.sound].length(model.sample_rate)
                except BadAudio as bad:
                    yield [Portion(one.sound, whole, [], True, bad.reason)]
                    continue
                window, hop = model.clip_samples, even_hop(length, model.clip_samples)
            batch_size = 1 if sources[one.sound].live else how.batch_size
            for portion in _long(model, one, window, hop, batch_size, whole, known[one.sound], depth):
                yield [portion]
    if together:
        yield _short(model, together, how.batch_size)


def _open(sound: int, model: Classifier, source: Source, up_to: int) -> _Opened:
    """Decodes the beginning: the whole sound if that has no more than `up_to` samples; nothing where that is -1."""
    blocks = source.blocks(model.sample_rate, model.facts["mono"])
    if up_to < 0:
        return _Opened(sound, [], blocks)
    begin: list[np.ndarray] = []
    samples = 0
    try:
        for block_S in blocks:
            begin.append(block_S)
            samples += len(block_S)
            if samples > up_to:
                return _Opened(sound, begin, blocks)
    except BadAudio as bad:
        return _Opened(sound, begin, fault=bad.reason)
    return _Opened(sound, begin)


def _short(model: Classifier, opened: Sequence[_Opened], batch_size: int) -> list[Portion]:
    """One answer a sound, the windows of all of them scored together."""
    waves = {one.sound: np.concatenate(one.begin) for one in opened if one.fault is None}
    windows: dict[int, list[WindowScores]] = {}
    if waves:
        scored = score_sounds(model, list(waves.values()), batch_size)
        for (sound, wave_S), score_K, count in zip(waves.items(), scored.sounds_NK, scored.counts_N, strict=True):
            seconds, measures = len(wave_S) / model.sample_rate, model.measured(wave_S)
            windows[sound] = [WindowScores(0.0, seconds, score_K, int(count), measures)]
    faults = {one.sound: one.fault for one in opened}
    faults |= {sound: unusable(only.score_K) for sound, (only,) in windows.items()}
    return [
        Portion(one.sound, True, [] if faults[one.sound] else windows[one.sound], True, faults[one.sound])
        for one in opened
    ]


def _long(
    model: Classifier,
    one: _Opened,
    window: int,
    hop: Fraction,
    batch_size: int,
    whole: bool,
    skip: int,
    depth: int,
) -> Iterator[Portion]:
    """A portion a batch, then an empty one that says how the sound ended."""
    fault = None
    # A depth of 0 works the blocks out in this thread.
    with contextlib.closing(ahead(one.blocks(), depth)) as blocks:
        try:
            for batch in score_batches(model, blocks, window, hop, batch_size=batch_size, skip=skip):
                yield Portion(one.sound, whole, batch, False)
        except BadAudio as bad:
            fault = bad.reason
    yield Portion(one.sound, whole, [], True, fault)
