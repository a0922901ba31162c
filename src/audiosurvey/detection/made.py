"""Soundscapes made of the clips of a run, and the windows of each as a model scores them that was not trained on them.

Each soundscape has test clips of one fold, and is scored by the model of that fold. Backgrounds are made noise, mains
hum and silence, and the recordings of `augmentation.background`; one in six has nothing but background. Recorded sounds
of no class (`dataset.other`) that were held out with the fold are in them too.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice, zip_longest
from pathlib import Path

import numpy as np

from audiosurvey.data.annotations.annotation import AnnotatedRecording, Annotation
from audiosurvey.data.other.reading import is_made
from audiosurvey.data.recordings import Recordings
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split
from audiosurvey.data.table import Clip
from audiosurvey.detection.soundscapes import coloured, mix, sounding_rms, trimmed
from audiosurvey.randomness import stream

EVENTS = 6
"""In a soundscape."""
LEAST_EVENTS, EVENTS_A_CLASS, MOST_EVENTS = 60, 3, 300
"""In all soundscapes together."""
WINDOWS = 24
"""Length of a soundscape, in windows of the model."""
OTHERS = 2
"""Sounds of no class in a soundscape, if there are any in `dataset.other`."""
EMPTY_SHARE = 0.2
"""Soundscapes of nothing but background, as a share of the others."""
LONGEST = 2
"""Longer sounds are cut to so many windows."""
QUIETER_DB = 12.0
"""Backgrounds are up to so much softer than the sounds on average."""
BACKGROUNDS = ("pink", "white", "brown", "hum", "silence")
_SLOPES = {"white": 0.0, "pink": 1.0, "brown": 2.0}
LEVEL = 0.03
"""Root mean square where no clip tells it."""
_MAINS_HZ = (50.0, 60.0)
_HARMONICS = 10
_HUM_NOISE = 0.01
_FLAT_BELOW = 1e-3
"""Of the sample rate: else brown noise would be all but inaudible."""


@dataclass(frozen=True)
class MadeSoundscape:
    """A soundscape with test clips of one fold."""

    fold: int
    wave_S: np.ndarray
    recording: AnnotatedRecording
    """Its events; the path is a name."""


class SoundscapeMaker:
    """Makes the soundscapes of a run, the same ones each time."""

    def __init__(self, sounds: Sounds, tested: Mapping[int, Split], seed: int, recorded: Recordings | None):
        """`tested`: the splits whose test clips are taken; `recorded`: backgrounds."""
        self._sounds, self._seed, self._recorded = sounds, seed, recorded
        self.rate, self._window = sounds.store.sample_rate, sounds.window_samples
        self._tested = tested
        classes = len(sounds.table.classes)
        events = min(max(LEAST_EVENTS, EVENTS_A_CLASS * classes), MOST_EVENTS)
        full = -(-events // EVENTS)
        self.count = full + max(1, round(EMPTY_SHARE * full))
        self.backgrounds = (*BACKGROUNDS, *(("recording",) * len(BACKGROUNDS) if recorded else ()))
        """In turn."""
        self._every = self.count // (self.count - full)

    def of_fold(self, fold: int) -> Iterator[MadeSoundscape]:
        """Those with test clips of a fold."""
        split, others = self._tested[fold], self._sounds.others
        clips = self._deck(fold, split.test)
        rest = [clip for clip in others.split(split).test if not is_made(clip.id)] if others else []
        unknown = self._deck(fold, rest)
        place = list(self._tested).index(fold)
        for number in range(place, self.count, len(self._tested)):
            yield self._make(number, fold, clips, unknown)

    def _make(self, number: int, fold: int, clips: Iterator[Clip], unknown: Iterator[Clip]) -> MadeSoundscape:
        rng = stream(self._seed, "soundscape", number)
        drawn = [(clip, self._sound(clip, rng)) for clip in (*islice(clips, EVENTS), *islice(unknown, OTHERS))]
        drawn = [(clip, sound_S) for clip, sound_S in drawn if len(sound_S)]
        samples = WINDOWS * self._window
        level = float(np.median([sounding_rms(sound_S) for _, sound_S in drawn])) if drawn else LEVEL
        quieter_db = rng.uniform(0, QUIETER_DB)
        kind = self.backgrounds[number % len(self.backgrounds)]
        wave_S = level * 10 ** (-quieter_db / 20) * self._background(kind, rng, samples)
        if number % self._every == self._every - 1:
            drawn = []
        while sum(len(sound_S) for _, sound_S in drawn) > samples / 2:
            drawn.pop()
        wave_S, placed = mix(rng, wave_S, [sound_S for _, sound_S in drawn], self.rate, level)
        classes = self._sounds.table.classes
        events = tuple(
            Annotation(classes[label], one.start / self.rate, (one.start + one.samples) / self.rate)
            for one in placed
            for label in drawn[one.number][0].labels
        )
        peak = max(1.0, float(np.abs(wave_S).max()))
        return MadeSoundscape(
            fold, wave_S / peak, AnnotatedRecording(Path(f"soundscape {number + 1} ({kind})"), events)
        )

    def _deck(self, fold: int, clips: Sequence[Clip]) -> Iterator[Clip]:
        """The clips of a fold in random order, class by class in turn, again and again."""
        rng = stream(self._seed, "soundscapes of fold", fold)
        piles: dict[tuple[int, ...], list[Clip]] = {}
        for place in rng.permutation(len(clips)):
            piles.setdefault(clips[place].labels, []).append(clips[place])
        turns = [clip for row in zip_longest(*piles.values()) for clip in row if clip is not None]
        return cycle(turns)

    def _sound(self, clip: Clip, rng: np.random.Generator) -> np.ndarray:
        """A clip without silence at its ends, at most `LONGEST` windows of it."""
        wave_S = trimmed(self._sounds.store.read(clip.id))
        longest = LONGEST * self._window
        start = int(rng.integers(max(1, len(wave_S) - longest + 1)))
        return wave_S[start : start + longest]

    def _background(self, kind: str, rng: np.random.Generator, samples: int) -> np.ndarray:
        """A background of unit root mean square, or silence."""
        if kind == "silence":
            return np.zeros(samples, np.float32)
        if kind == "hum":
            return _hum(rng, samples, self.rate)
        if kind == "recording":
            return self._recording(rng, samples)
        return coloured(rng, samples, _SLOPES[kind], flat_below=_FLAT_BELOW)

    def _recording(self, rng: np.random.Generator, samples: int) -> np.ndarray:
        assert self._recorded is not None
        store, names = self._recorded.store, self._recorded.names
        name = names[int(rng.integers(len(names)))]
        spare = store.length(name) - samples
        if spare >= 0:
            wave_S = store.read(name, int(rng.integers(spare + 1)), samples)
        else:
            wave_S = np.resize(np.roll(store.read(name), -int(rng.integers(store.length(name)))), samples)
        return wave_S / max(float(np.sqrt(np.mean(np.square(wave_S, dtype=np.float64)))), 1e-9)


def _hum(rng: np.random.Generator, samples: int, rate: int) -> np.ndarray:
    """Mains hum: a low tone with harmonics of random strength, and a little noise."""
    base_hz = _MAINS_HZ[int(rng.integers(len(_MAINS_HZ)))]
    times_S = np.arange(samples) / rate
    wave_S = np.zeros(samples)
    for harmonic in range(1, _HARMONICS + 1):
        strength, phase = rng.uniform() / harmonic, rng.uniform(0, 2 * math.pi)
        if harmonic * base_hz < rate / 2:
            wave_S += strength * np.sin(2 * math.pi * harmonic * base_hz * times_S + phase)
    wave_S /= max(float(wave_S.std()), 1e-9)
    return (wave_S + _HUM_NOISE * rng.standard_normal(samples)).astype(np.float32)
