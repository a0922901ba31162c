"""Scores of many sounds, short and long, in the order of the sounds.

Files are decoded ahead in threads. Short sounds are scored together and long ones batch by batch, so that memory is
bounded. The batches depend on the sounds alone: windows scored by an earlier, interrupted run are skipped, and the
scores of the rest are the same to the last bit.
"""

import contextlib
from collections.abc import Generator, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from audiosurvey.artefact.classifier import Classifier, unusable_reason
from audiosurvey.data.audio.decoding import BadAudio
from audiosurvey.data.audio.windows import even_hop, window_starts
from audiosurvey.data.readahead import ahead, cpu_count, in_order
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.prediction.stream import WindowScores, score_batches, score_sounds, window_samples

SHORT_S = 30.0
"""In mode `auto`, sounds up to this length, or of one window of the model, get a single prediction."""
_BLOCKS_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Windowing:
    """How sounds are cut into windows."""

    mode: Literal["auto", "whole", "windows"] = "auto"
    """One prediction for each sound (`whole`), for each window (`windows`), or by the length of the sound (`auto`)."""
    window_s: float | None = None
    hop_s: float | None = None
    batch_size: int = 16
    """Windows of the model scored together."""


@dataclass(frozen=True, slots=True)
class WindowGroup:
    """Consecutive windows of one sound."""

    sound: int
    """Index of the source."""
    whole: bool
    """The sound gets one prediction, from the mean of its windows."""
    windows: Sequence[WindowScores]
    done: bool
    """These are the last windows of the sound."""
    fault: str | None = None
    """Why the sound could not be read to its end."""


@dataclass(slots=True)
class OpenedSound:
    """A sound whose beginning has been decoded."""

    sound: int
    begin: list[np.ndarray]
    rest: Iterator[np.ndarray] | None = None
    """The remaining blocks; None if there are none."""
    fault: str | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        yield from self.begin
        if self.rest is not None:
            yield from self.rest
        if self.fault:
            raise BadAudio(self.fault)


def score_sources(
    model: Classifier,
    sources: Sequence[SoundSource],
    how: Windowing,
    *,
    done: Set[int] = frozenset(),
    skip: Mapping[int, int] | None = None,
) -> Generator[list[WindowGroup], None, None]:
    """The windows of all sounds; groups scored together come in one list.

    `done`: sounds to leave out; `skip`: number of windows already scored of others. Raises UserError for a window or
    hop below one sample.
    """
    skip = skip or {}
    window, hop = window_samples(model, how.window_s, how.hop_s)
    short = short_samples(model)
    todo = [sound for sound in range(len(sources)) if sound not in done]

    def open_(sound: int) -> OpenedSound:
        return open_sound(sound, model, sources[sound], -1 if skip.get(sound) or sources[sound].live else short)

    # A live sound is read in this thread, where Ctrl-C arrives.
    live = any(source.live for source in sources)
    workers, depth = (0, 0) if live else (min(4, cpu_count()), _BLOCKS_AHEAD)
    opened = in_order(open_, todo, workers=workers, ahead=2 * workers)
    together: list[OpenedSound] = []
    num_windows = 0
    with contextlib.closing(opened):
        for one in opened:
            is_short = one.rest is None and how.mode != "windows"
            if is_short:
                together.append(one)
                num_windows += len(window_starts(sum(map(len, one.begin)), model.clip_samples))
            if together and (not is_short or num_windows >= how.batch_size):
                yield _score_short(model, together, how.batch_size)
                together, num_windows = [], 0
            if is_short:
                continue
            whole = how.mode == "whole"
            if whole:
                try:
                    length = sources[one.sound].length(model.sample_rate)
                except BadAudio as bad:
                    yield [WindowGroup(one.sound, whole, [], True, bad.reason)]
                    continue
                window, hop = model.clip_samples, even_hop(length, model.clip_samples)
            batch_size = 1 if sources[one.sound].live else how.batch_size
            for group in _score_long(model, one, window, hop, batch_size, whole, skip.get(one.sound, 0), depth):
                yield [group]
    if together:
        yield _score_short(model, together, how.batch_size)


def short_samples(model: Classifier) -> int:
    """Samples of the longest sound that gets a single prediction in mode `auto`."""
    return max(round(SHORT_S * model.sample_rate), model.clip_samples)


def open_sound(sound: int, model: Classifier, source: SoundSource, up_to: int) -> OpenedSound:
    """Decode the whole sound if it has at most `up_to` samples, else its beginning; nothing if `up_to` is -1."""
    blocks = source.blocks(model.sample_rate, model.facts["mono"])
    if up_to < 0:
        return OpenedSound(sound, [], blocks)
    begin: list[np.ndarray] = []
    samples = 0
    try:
        for block_S in blocks:
            begin.append(block_S)
            samples += len(block_S)
            if samples > up_to:
                return OpenedSound(sound, begin, blocks)
    except BadAudio as bad:
        return OpenedSound(sound, begin, fault=bad.reason)
    return OpenedSound(sound, begin)


def _score_short(model: Classifier, opened: Sequence[OpenedSound], batch_size: int) -> list[WindowGroup]:
    """One group for each sound; the windows of all sounds are scored together."""
    waves = {one.sound: np.concatenate(one.begin) for one in opened if one.fault is None}
    windows: dict[int, list[WindowScores]] = {}
    faults = {one.sound: one.fault for one in opened}
    if waves:
        scored = score_sounds(model, list(waves.values()), batch_size)
        for (sound, wave_S), score_K, count in zip(waves.items(), scored.sounds_NK, scored.counts_N, strict=True):
            seconds, measures = len(wave_S) / model.sample_rate, model.measured(wave_S)
            windows[sound] = [WindowScores(0.0, seconds, score_K, int(count), measures)]
            faults[sound] = unusable_reason(score_K)
    return [WindowGroup(sound, True, [] if fault else windows[sound], True, fault) for sound, fault in faults.items()]


def _score_long(
    model: Classifier,
    one: OpenedSound,
    window: int,
    hop: Fraction,
    batch_size: int,
    whole: bool,
    skip: int,
    depth: int,
) -> Iterator[WindowGroup]:
    """A group for each batch, then an empty one that tells how the sound ended."""
    fault = None
    # With a depth of 0, blocks are decoded in this thread.
    with contextlib.closing(ahead(one.blocks(), depth)) as blocks:
        try:
            for batch in score_batches(model, blocks, window, hop, batch_size=batch_size, skip=skip):
                yield WindowGroup(one.sound, whole, batch, False)
        except BadAudio as bad:
            fault = bad.reason
    yield WindowGroup(one.sound, whole, [], True, fault)
