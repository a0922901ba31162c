"""Candidates for copies: those found by keys are those of a comparison of all pairs, at a cost that grows linearly."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_copies import COPIES, low

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.diagnosis import key_index, likely_pairs
from audiosurvey.diagnosis.audio_fingerprint import AudioFingerprint, agreement, audio_fingerprint
from audiosurvey.diagnosis.audit import audit_dataset
from audiosurvey.diagnosis.duplicates import AGREEMENT_LEAST, SHORT_AGREEMENT_LEAST
from audiosurvey.diagnosis.key_index import key_neighbours
from audiosurvey.diagnosis.waveform_match import match

Sound = Callable[..., np.ndarray]
MORE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    **COPIES,
    "half a frame later": lambda wave: low(np.pad(wave, (128, 0))),
    "its second half": lambda wave: low(wave[len(wave) // 2 + 77 :]),
}


@pytest.fixture
def by_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """All pairs are compared of no data set, however small."""
    monkeypatch.setattr(likely_pairs, "_MOST_COMPARED", 0)
    monkeypatch.setattr(likely_pairs, "_MOST_SHORT", 0)


@pytest.mark.parametrize("seconds", [0.6, 1.5, 3.0])
def test_keys_find_every_copy_that_all_pairs_find(seconds: float, sound: Sound, monkeypatch, request) -> None:
    waves = [low(sound(seed, seconds)) for seed in range(150)]
    for number, copy in enumerate(MORE.values()):
        waves += [copy(sound(3 * number + more, seconds)) for more in range(3)]
    prints = list(map(audio_fingerprint, waves))

    def copies() -> set[tuple[int, int]]:
        found = likely_pairs.likely_pairs(prints, SHORT_AGREEMENT_LEAST)
        close = [pair for pair in found if agreement(prints[pair[0]], prints[pair[1]]) >= AGREEMENT_LEAST]
        return {pair for pair in close if match(waves[pair[0]], waves[pair[1]]).same_recording}

    every = copies()
    request.getfixturevalue("by_keys")
    assert copies() >= every
    assert len(every) >= 3 * len(COPIES) - 3


def test_an_audit_finds_the_same_by_keys(tmp_path: Path, sound: Sound, monkeypatch, request) -> None:
    for label in "ab":
        for number in range(12):
            path = tmp_path / label / f"{number}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, sound(100 * (label == "b") + number), 16_000)
    soundfile.write(tmp_path / "a" / "softer.flac", 0.4 * sound(3), 16_000)
    soundfile.write(tmp_path / "a" / "later.wav", np.pad(sound(103), (1234, 0)), 16_000)
    soundfile.write(tmp_path / "b" / "coded.mp3", sound(107), 16_000)
    config = DatasetConfig(name="folder", root=tmp_path)
    every = audit_dataset(config).findings
    assert {finding.check for finding in every} >= {"near-duplicate", "contradiction"}
    request.getfixturevalue("by_keys")
    monkeypatch.setattr(likely_pairs, "_outline_pairs", None)
    assert audit_dataset(config).findings == every


def compared(prints: list[AudioFingerprint], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Comparisons of keys, and candidates that are left."""
    count = 0
    shared = key_index._shared_symbols

    def counted(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        nonlocal count
        count += len(one)
        return shared(one, other)

    with monkeypatch.context() as patch:
        patch.setattr(key_index, "_shared_symbols", counted)
        pairs = key_neighbours([one.keys for one in prints])
    return count, len(pairs)


@pytest.mark.parametrize("alike", [False, True], ids=["strangers", "all alike"])
def test_comparisons_grow_with_the_number_of_sounds_not_with_its_square(alike: bool, sound, monkeypatch) -> None:
    prints = [audio_fingerprint(low(sound(0 if alike else seed, 0.6))) for seed in range(160)]
    few, many = (compared(prints[:size], monkeypatch) for size in (40, 160))
    assert many[0] < 4.5 * few[0]
    assert many[1] <= key_index._KEPT * 160
    assert few[1] > 0


def test_copies_among_many_equal_sounds_are_linked(sound: Sound) -> None:
    prints = [audio_fingerprint(low(sound(0 if number % 2 else number, 0.6))) for number in range(100)]
    linked = {0}
    pairs = [
        (one // 2, other // 2) for one, other in key_neighbours([p.keys for p in prints]).tolist() if one % other % 2
    ]
    for _ in range(50):
        linked |= {row for pair in pairs if linked.intersection(pair) for row in pair}
    assert linked == set(range(50))


@pytest.mark.parametrize("count", [0, 1, 2])
def test_sounds_without_keys_have_no_neighbours(count: int) -> None:
    silent = audio_fingerprint(np.zeros(8000, np.float32))
    assert len(silent.keys) == 0
    assert key_neighbours([silent.keys] * count).shape == (0, 2)


def test_keys_of_a_long_sound_are_bounded(sound: Sound) -> None:
    assert len(audio_fingerprint(low(sound(0, 9.0))).keys) == key_index._MOST_KEYS
