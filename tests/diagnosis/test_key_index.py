"""The index of keys: the same neighbours whether pairs are ranked at once or in parts, in little memory."""

import tracemalloc

import numpy as np
import pytest

from audiosurvey.diagnosis import key_index


def sounds(count: int, keys: int) -> list[np.ndarray]:
    """Keys of few symbols, so that many of them begin alike, as those of sounds do; every tenth sound is a copy."""
    rng = np.random.default_rng(5)
    symbols = rng.zipf(1.4, (count, keys, 8)).clip(max=200).astype(np.uint64)
    symbols[9::10] = symbols[8:-1:10]
    found = np.zeros((count, keys), np.uint64)
    for place in range(8):
        found = (found << np.uint64(8)) | symbols[:, :, place]
    return [np.unique(row) for row in found]


@pytest.mark.parametrize("part", [1, 7, 100])
def test_ranking_in_parts_finds_the_same_pairs(part: int, monkeypatch: pytest.MonkeyPatch):
    keys = sounds(200, 40)
    at_once = key_index.key_neighbours(keys)
    monkeypatch.setattr(key_index, "_PART", part)
    assert np.array_equal(key_index.key_neighbours(keys), at_once)
    assert {(number - 1, number) for number in range(9, 200, 10)} <= set(map(tuple, at_once.tolist()))


def test_memory_is_that_of_the_codes_of_pairs(monkeypatch: pytest.MonkeyPatch):
    """Four codes of 8 bytes at most for each key, twice while they are joined, and what computes them."""
    monkeypatch.setattr(key_index, "_PART", 2**14, raising=False)
    keys = sounds(3000, 60)
    tracemalloc.start()
    key_index.key_neighbours(keys)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 250 * sum(map(len, keys))


def test_nothing_to_compare():
    assert key_index.key_neighbours([]).shape == (0, 2)
    assert key_index.key_neighbours([np.zeros(0, np.uint64), np.array([5], np.uint64)]).shape == (0, 2)
