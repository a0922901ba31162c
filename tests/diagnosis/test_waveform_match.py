"""Short sounds: unrelated ones are not one recording, copies are, and the audit of made vowels says so."""

import io
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from scipy.signal import lfilter

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.diagnosis.audio_fingerprint import PRINT_RATE, agreement, audio_fingerprint
from audiosurvey.diagnosis.audit import Diagnosis, audit_dataset
from audiosurvey.diagnosis.duplicates import AGREEMENT_LEAST
from audiosurvey.diagnosis.waveform_match import NO_MATCH, match

RATE = 16_000
FORMANTS = {
    "a": (730, 1090, 2440),
    "e": (530, 1840, 2480),
    "i": (270, 2290, 3010),
    "o": (570, 840, 2410),
    "u": (300, 870, 2240),
    "y": (490, 1350, 1690),
}
"""Hz, after Peterson and Barney (1952)."""
Rng = np.random.Generator


def vowel(rng: Rng, name: str | None = None) -> np.ndarray:
    """0.2 to 0.4 s: pulses at a pitch of 90 to 280 Hz that glides and jitters, a breath of noise, three formants."""
    count = round(rng.uniform(0.2, 0.4) * RATE)
    time = np.linspace(-0.5, 0.5, count)
    pitch = rng.uniform(90, 280) * (1 + rng.uniform(-0.2, 0.2) * time)
    pitch = pitch * (1 + 0.02 * np.cumsum(rng.standard_normal(count)) / np.sqrt(count))
    wave = np.diff(np.floor(np.cumsum(pitch) / RATE + rng.uniform()), prepend=0)
    wave = lfilter([1], [1, -0.96], wave) + 0.02 * rng.standard_normal(count)
    for formant in FORMANTS[name or rng.choice(list(FORMANTS))]:
        hertz = formant * rng.uniform(0.95, 1.05)
        radius = np.exp(-np.pi * (60 + 0.05 * hertz) / RATE)
        resonance = [1, -2 * radius * np.cos(2 * np.pi * hertz / RATE), radius**2]
        wave = np.asarray(lfilter([1 - radius], resonance, wave))
    rise = np.minimum(1, np.arange(count) / 160)
    return 0.5 * wave / np.abs(wave).max() * rise * rise[::-1]


def tone(rng: Rng) -> np.ndarray:
    hertz, seconds = np.exp(rng.uniform(np.log(150), np.log(3500))), rng.uniform(0.1, 1.0)
    return 0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE + rng.uniform(0, 7))


def noise(rng: Rng) -> np.ndarray:
    return 0.1 * rng.standard_normal(round(rng.uniform(0.1, 1.0) * RATE))


def click(rng: Rng) -> np.ndarray:
    count = round(rng.uniform(0.1, 1.0) * RATE)
    wave, begin = np.zeros(count), rng.integers(0, count // 2)
    time = np.arange(count - begin) / RATE
    ring = np.sin(2 * np.pi * rng.uniform(300, 3000) * time) + 0.3 * rng.standard_normal(len(time))
    wave[begin:] = np.exp(-time / rng.uniform(0.003, 0.05)) * ring
    return 0.5 * wave / np.abs(wave).max()


def low(wave: np.ndarray, rate: int = RATE) -> np.ndarray:
    return soxr.resample(wave.astype(np.float32), rate, PRINT_RATE)


def as_mp3(wave: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, wave, RATE, format="MP3", subtype="MPEG_LAYER_III")
    return soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0]


COPIES: dict[str, Callable[[np.ndarray], tuple[np.ndarray, int]]] = {
    "softer": lambda wave: (0.3 * wave, RATE),
    "later": lambda wave: (np.pad(wave, (1235, 0)), RATE),
    "without its beginning": lambda wave: (wave[len(wave) // 5 :], RATE),
    "at 11 kHz": lambda wave: (soxr.resample(wave, RATE, 11_025), 11_025),
    "as MP3": lambda wave: (as_mp3(wave), RATE),
}


@pytest.mark.parametrize("make", [vowel, tone, noise, click], ids=lambda make: make.__name__)
def test_unrelated_short_sounds_are_not_one_recording(make: Callable[[Rng], np.ndarray]) -> None:
    rng = np.random.default_rng(0)
    waves = [low(make(rng)) for _ in range(60)]
    prints = [audio_fingerprint(wave) for wave in waves]
    for one, other in combinations(range(60), 2):
        if agreement(prints[one], prints[other]) >= AGREEMENT_LEAST:
            found = match(waves[one], waves[other])
            assert not found.same_recording, found


@pytest.mark.parametrize("copy", COPIES)
@pytest.mark.parametrize("make", [vowel, noise], ids=lambda make: make.__name__)
def test_copies_of_short_sounds_are_one_recording(make: Callable[[Rng], np.ndarray], copy: str) -> None:
    rng = np.random.default_rng(1)
    found = [match(low(wave), low(*COPIES[copy](wave))) for wave in (make(rng) for _ in range(20))]
    assert all(one.same_recording for one in found), [one for one in found if not one.same_recording]


def test_silence_and_scraps_match_nothing() -> None:
    wave = low(vowel(np.random.default_rng(2)))
    assert match(np.zeros(4000), wave) == NO_MATCH
    assert match(wave[:100], wave) == NO_MATCH
    assert match(np.zeros(1), np.zeros(1)) == NO_MATCH
    assert not NO_MATCH.same_recording


def twins(diagnosis: Diagnosis) -> set[frozenset[str]]:
    checks = ("contradiction", "duplicate", "near-duplicate")
    return {frozenset(one.clips) for one in diagnosis.findings if one.check in checks}


@pytest.mark.parametrize("number", [20, pytest.param(120, marks=pytest.mark.slow)])
def test_the_audit_of_made_vowels_finds_the_planted_copies_alone(tmp_path: Path, number: int) -> None:
    rng = np.random.default_rng(3)
    for name in FORMANTS:
        (tmp_path / name).mkdir()
        for n in range(number):
            soundfile.write(tmp_path / name / f"{n:03}.wav", vowel(rng, name), RATE)
    config = DatasetConfig(name="folder", root=tmp_path)
    assert twins(audit_dataset(config)) == set()
    planted = set()
    for n, (copy, change) in enumerate(COPIES.items()):
        for name in FORMANTS:
            wave, rate = change(soundfile.read(tmp_path / name / f"{n:03}.wav", dtype="float32")[0])
            to = tmp_path / (name if n % 2 else "a") / f"{copy} {name}.wav"
            soundfile.write(to, wave, rate)
            planted.add(frozenset({f"{name}/{n:03}.wav", to.relative_to(tmp_path).as_posix()}))
    assert twins(audit_dataset(config)) == planted
