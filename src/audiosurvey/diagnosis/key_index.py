"""An index of fingerprints that finds possible copies without comparing all pairs.

Each fingerprint has keys: for a frame, the bands that rise and fall most there and in later frames, as one number. Keys
of all sounds are sorted, and each is compared with the next few: copies share the beginnings of many keys, strangers
those of few. Time grows as n log n, memory linearly, also where all sounds are alike.

The idea of looking up exact parts of fingerprints is that of J. Haitsma and T. Kalker (2002); sorting replaces their
table, so that the part that has to agree grows with the number of sounds by itself.
"""

from collections.abc import Sequence

import numpy as np

_SYMBOLS, _GAP = 8, 4
"""A key covers eight frames, each 64 ms (a window of the transform) after the one before."""
_NONE = 255
_MOST_KEYS = 256
"""Keys of one sound. Those kept of longer sounds are the same in both copies, since the key decides."""
_REACH = 4
"""Every key is compared with this many of the following ones."""
_LEAST_SHARED = 2
_KEPT = 8
"""Candidates of one sound."""
_WEIGHTS = _SYMBOLS + 1
_PART = 2**19
"""Codes of pairs that are ranked at once: about 100 MB."""


def keys_of(changes: Sequence[np.ndarray]) -> np.ndarray:
    """uint64, sorted: the keys of a sound, from its change of spectral shape (T, F) at one or more offsets in time."""
    found = np.unique(np.concatenate([_keys(change_TF) for change_TF in changes]))
    if len(found) > _MOST_KEYS:
        shuffled = (found >> np.uint64(8 * (_SYMBOLS - _LEAST_SHARED))) * np.uint64(0x9E3779B97F4A7C15)
        found = np.sort(found[np.argsort(shuffled, kind="stable")[:_MOST_KEYS]])
    return found


def key_neighbours(keys: Sequence[np.ndarray]) -> np.ndarray:
    """int64 (P, 2), sorted: pairs of positions, the lower first, of which one is among the eight sounds that share
    most beginnings of keys with the other."""
    sounds = np.repeat(np.arange(len(keys)), [len(some) for some in keys])
    found = np.concatenate([np.zeros(0, np.uint64), *keys])
    order = np.argsort(found, kind="stable")
    found, sounds = found[order], sounds[order]
    del order
    every = _pair_codes(found, sounds, len(keys))
    del found, sounds
    every.sort()
    return _pairs_of(_heaviest(every, len(keys)), len(keys))


def _pair_codes(found: np.ndarray, sounds: np.ndarray, count: int) -> np.ndarray:
    """int64: a code for each two close keys of two sounds: the pair, and in the last digit the symbols they share, so
    that one sort orders both."""
    codes = [np.zeros(0, np.int64)]
    for step in range(1, min(_REACH, len(found) - 1) + 1):
        one, other = sounds[:-step], sounds[step:]
        symbols = _shared_symbols(found[:-step], found[step:])
        close = (symbols >= _LEAST_SHARED) & (one != other)
        one, other = one[close], other[close]
        pair = np.minimum(one, other) * count + np.maximum(one, other)
        codes.append(pair * _WEIGHTS + symbols[close])
    return np.concatenate(codes)


def _heaviest(every: np.ndarray, count: int) -> np.ndarray:
    """The pairs, as numbers, that are among the heaviest of one of their sounds. `every`: sorted codes.

    Part by part, since what ranks the pairs takes twenty times the memory of their codes. A pair that is among the
    heaviest of all is so in its part, too.
    """
    pairs, weight = np.zeros(0, np.int64), np.zeros(0, np.int64)
    begin = 0
    while begin < len(every):
        end = min(begin + _PART, len(every))
        # A pair is not divided.
        end = int(np.searchsorted(every, (every[end - 1] // _WEIGHTS + 1) * _WEIGHTS))
        part = every[begin:end]
        first = np.flatnonzero(np.diff(part // _WEIGHTS, prepend=-1))
        part_weight = np.add.reduceat(part % _WEIGHTS, first)
        part_pairs = part[first] // _WEIGHTS
        kept = _nearest(_pairs_of(part_pairs, count), part_weight)
        pairs, weight = np.concatenate([pairs, part_pairs[kept]]), np.concatenate([weight, part_weight[kept]])
        if len(pairs) > 2 * _KEPT * count:
            kept = _nearest(_pairs_of(pairs, count), weight)
            pairs, weight = pairs[kept], weight[kept]
        begin = end
    return pairs[_nearest(_pairs_of(pairs, count), weight)]


def _pairs_of(numbers: np.ndarray, count: int) -> np.ndarray:
    return np.stack([numbers // count, numbers % count], axis=1)


def _keys(change_TF: np.ndarray) -> np.ndarray:
    frames = len(change_TF)
    if not frames:
        return np.zeros(0, np.uint64)
    moving = np.pad(change_TF.any(axis=1), (0, _GAP))
    symbols = np.pad(
        16 * change_TF.argmax(axis=1) + change_TF.argmin(axis=1), (0, _SYMBOLS * _GAP), constant_values=_NONE
    )
    keys = np.zeros(frames, np.uint64)
    for place in range(_SYMBOLS):
        keys = (keys << np.uint64(8)) | symbols[place * _GAP : place * _GAP + frames].astype(np.uint64)
    return keys[moving[:frames] & moving[_GAP : _GAP + frames]]


def _shared_symbols(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Number of equal symbols at the beginning of two keys."""
    differing = one ^ other
    count = np.full(len(one), int(_SYMBOLS), np.uint8)
    for place in range(1, _SYMBOLS + 1):
        count -= differing >= np.uint64(1 << (8 * place - 8))
    return count


def _nearest(pairs: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Indices of the pairs that are among the heaviest of one of their two sounds."""
    rows = np.tile(np.arange(len(pairs)), 2)
    sounds = pairs.T.ravel()
    order = np.lexsort((-weight[rows], sounds))
    begin = np.flatnonzero(np.diff(sounds[order], prepend=-1))
    rank = np.arange(len(order)) - np.repeat(begin, np.diff(begin, append=len(order)))
    return np.unique(rows[order[rank < _KEPT]])
