"""Sounds given as arrays: lists, NumPy arrays and tensors of any shape and dtype, converted to float32 waves.

`predict`, `embed`, `scores` and `logits` all interpret arrays as follows:

    (S)      one sound
    (B, S)   B sounds
    (S, C)   one sound of C channels, as soundfile reads it: at most 32 columns, and fewer columns than rows
"""

import math
import os
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch

from audiosurvey.data.audio.decoding import Mono, to_mono
from audiosurvey.data.audio.plausibility import implausible
from audiosurvey.errors import UserError

MOST_CHANNELS = 32
"""An array with at most this many columns contains channels: no sound is that short."""
_PCM_BYTES = (1, 2, 4)
_LEAST_SAMPLES = 2
_EXPECTED = "a sound is a path or an array of samples (S) or (S, C), several are a list or an array (B, S)"


def is_path(sound: Any) -> bool:
    """Whether a sound is given as a file path."""
    return isinstance(sound, (str, os.PathLike))


def several(sound: Any) -> tuple[list[Any], bool]:
    """The sounds of a list or an array (B, S), or the only one; and whether it was given alone."""
    if isinstance(sound, (list, tuple)) and not _is_flat(sound):
        return list(sound), False
    if is_path(sound):
        return [sound], True
    array = as_array(sound)
    return (list(_batch(array)), False) if array.ndim == 2 and not _has_channels(array) else ([array], True)


def wave_of(sound: Any, mono: Mono) -> np.ndarray:
    """One sound, (S) or (S, C), as a float32 wave (S). Integers are scaled to full scale 1.

    Raises UserError for other shapes and dtypes, for fewer than two samples, and for samples that are not finite.
    """
    array = as_array(sound)
    if array.ndim == 2 and _has_channels(array):
        wave_S = to_mono(_scaled(array), mono)
    elif array.ndim == 1:
        wave_S = _scaled(array)
    else:
        raise UserError(f"{_about(array)}: {_EXPECTED}")
    if len(wave_S) < _LEAST_SAMPLES:
        count = "no samples" if not len(wave_S) else "one sample"
        raise UserError(f"{_about(array)}: {count}; {_EXPECTED}")
    return wave_S


def waves_of(sounds: Any, mono: Mono) -> np.ndarray:
    """One or several sounds of equal length, (S), (B, S) or (S, C), as float32 waves (B, S).

    Raises UserError as `wave_of` does.
    """
    array = as_array(sounds)
    if array.ndim != 2 or _has_channels(array):
        return wave_of(array, mono)[None]
    return _scaled(_batch(array))


def rate_of(sample_rate: Any) -> int:
    """A sample rate in Hz as an int; `48000.0` is accepted. Raises UserError for anything else."""
    is_number = isinstance(sample_rate, (Real, np.number)) and not isinstance(sample_rate, bool)
    value = float(sample_rate) if is_number else math.nan
    if not value.is_integer() or value <= 0:
        shown = f"{value:g} Hz" if is_number else repr(sample_rate)
        raise UserError(f"sample_rate: {shown}; expected the rate of the samples in Hz, such as 44100")
    return int(value)


def as_array(sound: Any) -> np.ndarray:
    """A list, an array or a tensor as an array. Raises UserError if the rows differ in length."""
    if isinstance(sound, torch.Tensor):
        tensor = sound.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    try:
        return np.asarray(sound)
    except ValueError:
        raise UserError("an array whose rows differ in length; give sounds of different lengths as a list") from None


def _is_flat(sound: Sequence[Any]) -> bool:
    """Whether a list contains the samples of one sound."""
    return bool(sound) and all(isinstance(value, (Real, np.number)) for value in sound)


def _has_channels(array: np.ndarray) -> bool:
    rows, columns = array.shape
    return 0 < columns <= MOST_CHANNELS and (columns < rows or rows == 0)


def _batch(array: np.ndarray) -> np.ndarray:
    """The array (B, S). Raises UserError if its rows are too short to be sounds."""
    if len(array) and array.shape[1] <= MOST_CHANNELS:
        raise UserError(f"{_about(array)}: too few samples per row; {_EXPECTED}")
    return array


def _scaled(array: np.ndarray) -> np.ndarray:
    """float32 with full scale 1."""
    if array.dtype.kind not in "fiu":
        raise UserError(f"{_about(array)}: not samples; {_EXPECTED}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            wave = array.astype(np.float32)
    elif array.dtype.itemsize not in _PCM_BYTES:
        hint = "convert them to int16 or int32, or to float with full scale 1"
        raise UserError(f"{array.dtype} samples have no defined full scale; {hint}")
    else:
        full = 2 ** (8 * array.dtype.itemsize - 1)
        centre = full if array.dtype.kind == "u" else 0
        wave = ((array.astype(np.float64) - centre) / full).astype(np.float32)
    if fault := implausible(wave):
        raise UserError(f"{_about(array)}: {fault}")
    return wave


def _about(array: np.ndarray) -> str:
    return f"an array of {array.dtype} of shape {array.shape}"
