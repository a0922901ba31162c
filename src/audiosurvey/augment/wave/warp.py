"""Warps of the time axis: continuous, piecewise linear maps with rounded corners, and waves (B, S) read along them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.interpolation import (
    FRACTION_BITS,
    PHASES,
    clips_at_once,
    interpolate,
    padded,
    read,
    unpadded,
)
from audiosurvey.augment.resampling import as_rational, read_rows
from audiosurvey.augment.tensors import on_device


@dataclass(frozen=True, slots=True)
class TimeShiftDraw:
    """Boundaries of the parts in samples of the input (`before`) and the output (`after`), from 0 to S; those between
    the ends are not always whole numbers."""

    before: tuple[float, ...]
    after: tuple[float, ...]


def warp(wave_BS: Tensor, draws: list[TimeShiftDraw], corner: int) -> Tensor:
    """Waves read along their maps, whose inner boundaries are rounded over 2 `corner` samples."""
    samples, device = wave_BS.shape[1], wave_BS.device
    if device.type == "cpu":
        return _warp_in_rows(wave_BS, draws, corner)
    clips = clips_at_once(device, samples)
    parts = [
        interpolate(
            wave_BS[first : first + clips], warp_positions(draws[first : first + clips], samples, corner, device)
        )
        for first in range(0, len(draws), clips)
    ]
    return torch.cat(parts)


def _warp_in_rows(wave_BS: Tensor, draws: list[TimeShiftDraw], corner: int) -> Tensor:
    """Parts of rational speed as matrix products; corners, and what is left between whole rows, by interpolation."""
    samples = wave_BS.shape[1]
    warped_BS = wave_BS.new_empty(wave_BS.shape)
    padded_1N = padded(wave_BS[:1])
    for wave_S, draw, warped_S in zip(wave_BS, draws, warped_BS, strict=True):
        # One clip at a time stays in the cache.
        unpadded(padded_1N)[0].copy_(wave_S)
        left, done = [], 0
        for first, stop, start, speed in _straight(draw, samples, corner):
            if fraction := as_rational(speed, samples):
                left.append(np.arange(done, first))
                done = first + read_rows(padded_1N[0], start, fraction, warped_S[first:stop])
        times = np.concatenate([*left, np.arange(done, samples)])
        if len(times):
            positions = np.minimum(positions_at(draw, times, corner), samples - 1 / PHASES)
            places = positions.astype(np.int64)
            phases = ((positions - places) * PHASES + 0.5).astype(np.int64)
            warped_S[torch.from_numpy(times)] = read(padded_1N, torch.from_numpy(places), torch.from_numpy(phases))
    return warped_BS


def _straight(draw: TimeShiftDraw, samples: int, corner: int) -> Iterator[tuple[int, int, float, float]]:
    """The parts between the corners: first and last output sample, exclusive; first input position and speed."""
    for (before, next_before), (after, next_after) in zip(pairwise(draw.before), pairwise(draw.after), strict=True):
        speed = (next_before - before) / (next_after - after)
        first = ceil(after) + corner if after else 0
        stop = int(next_after) - corner if next_after < samples else samples
        if first < stop:
            yield first, stop, before + (first - after) * speed, speed


def positions_at(draw: TimeShiftDraw, times: np.ndarray, corner: int) -> np.ndarray:
    """Input positions in samples of these output samples: those of `warp_positions` in closed form.

    A change of speed by D at `end` adds D max(0, t - end) to the map, rounded to a parabola within `corner` of the end;
    an end between two samples is the mean of both, weighted by its distances.
    """
    before, after = np.array(draw.before), np.array(draw.after)
    speeds = (before[1:] - before[:-1]) / (after[1:] - after[:-1])
    changes, whole = speeds[1:] - speeds[:-1], np.floor(after[1:-1])
    late = after[1:-1] - whole
    beside = times - np.concatenate([whole, whole + 1])[:, None]
    within = np.minimum(np.maximum(beside + corner, 0), 2 * corner)
    added = within * within / (4 * corner) + np.maximum(beside - corner, 0)
    return speeds[0] * times + np.concatenate([(1 - late) * changes, late * changes]) @ added


def warp_positions(draws: list[TimeShiftDraw], samples: int, corner: int, device: torch.device) -> Tensor:
    """Input position of each output sample (B, S), int64, in units of 2^-FRACTION_BITS samples.

    The map is piecewise linear; around each inner boundary the speed changes linearly over 2 `corner` samples, which
    leaves the map elsewhere unchanged.

    The step from sample m to m + 1 is the speed at m + 1/2. During a change by D it grows by D / (2 corner) per sample,
    and by half of that at both ends; this growth is the cumulative sum of two impulses at either end. So the position
    is a threefold cumulative sum of a few integers, and exact. The impulses of a boundary between two samples are split
    in proportion to its distance from both, and two more of one unit each make up for the rounding of D / (4 corner).
    """
    rows, places, halves = [], [], []
    starts = []
    for row, draw in enumerate(draws):
        speed = np.diff(draw.before) / np.diff(draw.after)
        starts.append(round(speed[0] * 2**FRACTION_BITS))
        for boundary, change in zip(draw.after[1:-1], np.diff(speed), strict=True):
            units, end = round(change * 2**FRACTION_BITS), int(boundary)
            half = round(units / (4 * corner))
            rest = units - half * 4 * corner
            late = round(half * (boundary - end))
            rows += [row] * 8
            places += [end + side * corner + after for side in (-1, 1) for after in (0, 1, 2)]
            places += [end - rest // 2, end - rest // 2 + rest]
            halves += [half - late, half, late, late - half, -half, -late, 1, -1]
    where = (
        on_device(rows, device, torch.int64),
        on_device(places, device, torch.int64),
    )
    growth_BS = torch.zeros(len(draws), samples, dtype=torch.int64, device=device)
    growth_BS.index_put_(where, on_device(halves, device, torch.int64), accumulate=True)
    speed_BS = growth_BS.cumsum(1).cumsum(1) + on_device(starts, device)[:, None]
    return speed_BS.cumsum(1) - speed_BS
