"""Pairs of fingerprints that may be copies: the first and cheapest step of the search for duplicates."""

from collections.abc import Iterable

import numpy as np

from audiosurvey.diagnosis.audio_fingerprint import AudioFingerprint
from audiosurvey.diagnosis.key_index import key_neighbours

NEIGHBOURS = 5
_OUTLINE_LEAST = 0.15
_BLOCK_CLIPS = 512
_MOST_COMPARED = 10_000
"""Sounds of which all pairs are compared, in a few seconds."""
_SHORT_FRAMES, _FEWEST_SHORT_FRAMES, _MOST_SHORT = 64, 8, 4000


def likely_pairs(prints: list[AudioFingerprint], short_least: float) -> list[tuple[int, int]]:
    """Pairs of positions, the lower first, that may be copies: neighbours by outline, and pairs of sounds of less than
    a second that agree by at least `short_least`.

    Of up to ten thousand sounds (4000 short ones) all pairs are compared. Of more, only the nearest by their keys are:
    time then grows hardly faster than the number of sounds. Memory grows linearly.
    """
    short = _short(prints)
    found = set(_agreeing_short_pairs(prints, short[:_MOST_SHORT], short_least))
    if len(prints) <= _MOST_COMPARED and len(short) <= _MOST_SHORT:
        return sorted(found.union(_outline_pairs(prints)))
    near = key_neighbours([one.keys for one in prints])
    found.update(_agreeing(prints, near, set(short), short_least))
    found.update(_outline_pairs(prints) if len(prints) <= _MOST_COMPARED else _like_outlines(prints, near))
    return sorted(found)


def _outline_pairs(prints: list[AudioFingerprint]) -> list[tuple[int, int]]:
    """Pairs of which one is among the nearest neighbours of the other by outline, from a comparison of all pairs."""
    outlines = np.array([one.outline for one in prints], np.float16)
    pairs: set[tuple[int, int]] = set()
    for begin in range(0, len(prints), _BLOCK_CLIPS):
        near = outlines[begin : begin + _BLOCK_CLIPS].astype(np.float32)
        products = [
            near @ outlines[other : other + _BLOCK_CLIPS].astype(np.float32).T
            for other in range(0, len(prints), _BLOCK_CLIPS)
        ]
        likeness = np.concatenate(products, axis=1)
        rows = np.arange(len(near))
        likeness[rows, begin + rows] = -1
        few = min(NEIGHBOURS, len(prints) - 1)
        nearest = np.argpartition(-likeness, few - 1, axis=1)[:, :few] if few else np.empty((len(near), 0), int)
        for row, column in zip(np.repeat(rows, few), nearest.ravel(), strict=True):
            if likeness[row, column] >= _OUTLINE_LEAST:
                one, other = sorted((begin + int(row), int(column)))
                pairs.add((one, other))
    return list(pairs)


def _like_outlines(prints: list[AudioFingerprint], near: np.ndarray) -> Iterable[tuple[int, int]]:
    """Those of the pairs (P, 2) whose outlines are alike."""
    for begin in range(0, len(near), _BLOCK_CLIPS):
        pairs = near[begin : begin + _BLOCK_CLIPS]
        one, other = (np.array([prints[row].outline for row in rows], np.float32) for rows in pairs.T)
        yield from map(_pair, pairs[(one * other).sum(axis=1) >= _OUTLINE_LEAST])


def _short(prints: list[AudioFingerprint]) -> list[int]:
    """Positions of sounds of less than a second. Their outlines carry too little information."""
    brief = [row for row, one in enumerate(prints) if len(one.change_TF) <= _SHORT_FRAMES]
    return [row for row in brief if prints[row].moving_frames >= _FEWEST_SHORT_FRAMES]


def _agreeing(
    prints: list[AudioFingerprint], near: np.ndarray, short: set[int], least: float
) -> Iterable[tuple[int, int]]:
    """Those of the pairs (P, 2) that are of two short sounds and agree by at least `least`."""
    both = np.array([one in short and other in short for one, other in near.tolist()], bool)
    near = near[both]
    for begin in range(0, len(near), _BLOCK_CLIPS):
        pairs = near[begin : begin + _BLOCK_CLIPS]
        one, other = (_short_spectra(prints, rows) for rows in pairs.T)
        cross = np.einsum("ptf,ptf->pt", one, other.conj())
        best = np.fft.irfft(cross, 2 * _SHORT_FRAMES, axis=1).max(axis=1)
        yield from map(_pair, pairs[best >= least])


def _agreeing_short_pairs(prints: list[AudioFingerprint], short: list[int], least: float) -> list[tuple[int, int]]:
    """Pairs of the sounds `short` that agree by at least `least`, from a comparison of all pairs."""
    if len(short) < 2:
        return []
    spectra = _short_spectra(prints, short)
    pairs: list[tuple[int, int]] = []
    for row in range(1, len(short)):
        # Not a matrix product: beside other busy processes, its threads wait for each other longer than they compute.
        cross = np.einsum("ntf,tf->nt", spectra[:row], spectra[row].conj())
        best = np.fft.irfft(cross, 2 * _SHORT_FRAMES, axis=1).max(axis=1)
        pairs += [(short[int(other)], short[row]) for other in np.flatnonzero(best >= least)]
    return pairs


def _short_spectra(prints: list[AudioFingerprint], rows: Iterable[int]) -> np.ndarray:
    """complex64 (N, T, F): spectra along time, of norm 1 before the transform."""
    tables = [prints[row].change_TF.astype(np.float32) for row in rows]
    return np.array([np.fft.rfft(t / np.linalg.norm(t), 2 * _SHORT_FRAMES, axis=0) for t in tables], np.complex64)


def _pair(rows: np.ndarray) -> tuple[int, int]:
    return int(rows[0]), int(rows[1])
