"""Values that suit a data set: its window, sample rate, folds, epochs and sampling, each with the reason.

In: what the headers of the data say, or its clips. Out: values of keys; nothing is read and nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from audiosurvey.data.profile import DataProfile, quantile
from audiosurvey.errors import number_of

BALANCED_FROM = 3.0
"""If the largest class has this many times the clips of the smallest, balanced sampling is chosen."""
FEW_STEPS = 200
"""Fewer training steps than this are few for a network that starts from random weights."""
_STEPS, _MOST_STEPS = 1100, 20_000
_EPOCHS, _LEAST_EPOCHS, _MOST_EPOCHS = 100, 10, 300
_BATCH, _SMALL_BATCH = 16, 8
_FEW_CLIPS, _FEWEST_CLIPS = 200, 64
"""Training clips below which pretrained weights are suggested, and below which batches are small."""
_SHARE = 0.95
"""Share of the clips that fit into the window."""
_LONGEST_S, _SHORTEST_S = 10.0, 0.25
_LONG_WINDOW_S = 5.0
_RATES_HZ = (8_000, 11_025, 16_000, 22_050, 24_000, 32_000)
_FOLDS, _LEAST_FOLDS = 5, 3
_MASK_FRAMES = 20
_EXCESS, _PADDED = 0.01, 1.05
"""A window is the next round length; but where clips are longer than a round length by less than the first share, and
the next one is longer than the clips by more than the second factor, it is their own length."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The value of a key, and why it is this one."""

    value: Any
    reason: str


def suited_values(
    seen: DataProfile, batch_size: int | None = None, hop_s: float = 0.01
) -> dict[tuple[str, ...], Choice]:
    """Values for the keys of a config that depend on the data, by path. `batch_size`: if it is given already; `hop_s`:
    seconds from frame to frame."""
    chosen: dict[tuple[str, ...], Choice] = {}
    if seen.seconds:
        window = _window(seen)
        if not seen.cut:
            chosen["dataset", "clip_seconds"] = window
        if (frames := ceil(window.value / hop_s) // 8) < _MASK_FRAMES:
            reason = f"masks of up to {frames} frames: an eighth of the window at most"
            chosen["augmentation", "time_masking", "tmp"] = Choice(frames, reason)
    if not seen.divided:
        chosen["dataset", "num_folds"] = _folds(seen)
    train = _train_clips(seen)
    if seen.rates_hz:
        chosen["sample_rate",] = rate = _rate(seen.rates_hz)
        chosen |= _low_pass(rate.value)
    if batch_size is None:
        small = train < _FEWEST_CLIPS
        batch_size = _SMALL_BATCH if small else _BATCH
        if small:
            chosen["train", "batch_size"] = Choice(batch_size, f"{train} training clips are few: small batches")
    chosen["train", "epochs"] = _epochs(train, batch_size)
    if (ratio := uneven(seen.counts)) and not seen.multi_label:
        largest, smallest = max(seen.counts.values()), min(seen.counts.values())
        reason = f"the largest class has {ratio:.0f} times the clips of the smallest ({largest} and {smallest})"
        chosen["train", "sampling"] = Choice("balanced", f"all classes equally often: {reason}")
    return chosen


def few_clips(seen: DataProfile) -> bool:
    """Whether the training clips are few for a network that starts from random weights."""
    return _train_clips(seen) < _FEW_CLIPS


def _train_clips(seen: DataProfile) -> int:
    if seen.divided:
        return round(seen.clips * seen.train_share)
    folds = _folds(seen).value
    return round(seen.clips * (folds - 1) / folds)


def suited_windows(event_seconds: Sequence[float]) -> dict[tuple[str, ...], Choice]:
    """`dataset.windows` for events of these lengths, ascending: twice the length of most, and half a window apart."""
    most = quantile(event_seconds, _SHARE)
    length_s = min(max(ceil(2 * most), 1), _LONGEST_S)
    reason = f"95 % of the events last {most:.2g} s at most; a window holds twice that, up to {_LONGEST_S:g} s"
    where = ("dataset", "windows")
    return {
        (*where, "seconds"): Choice(length_s, reason),
        (*where, "hop"): Choice(length_s / 2, "half a window: an event that one window cuts is whole in the next"),
    }


def uneven(counts: Mapping[str, int]) -> float | None:
    """How many times as many clips the largest class has as the smallest, if that is a lot."""
    present = [count for count in counts.values() if count]
    ratio = max(present, default=1) / min(present, default=1)
    return ratio if ratio >= BALANCED_FROM else None


def suited_window_s(seconds: Sequence[float]) -> float:
    """The window for clips of these lengths, ascending: 95 % fit, unless few are much longer than most.

    Long recordings get windows of 5 s.
    """
    most, median = quantile(seconds, _SHARE), quantile(seconds, 0.5)
    if median > _LONGEST_S:
        return _LONG_WINDOW_S
    length_s = max(min(most, 2 * median, _LONGEST_S), _SHORTEST_S)
    step = 0.05 if length_s < 1 else 0.1 if length_s < 3 else 0.5
    window_s = _up(length_s, step)
    if window_s > _PADDED * length_s and length_s % step < _EXCESS * length_s:
        # Clips of 5.002 s would be padded by a tenth.
        window_s = _up(length_s, 0.01)
    return window_s


def _up(length_s: float, step: float) -> float:
    return round(ceil(length_s / step - 1e-6) * step, 2)


def suited_epochs(train_clips: int, batch_size: int) -> int:
    """Epochs for about 1100 training steps at least, and 20 000 at most; 100 where that is in between."""
    steps = max(1, ceil(train_clips / batch_size))
    if steps * _EPOCHS < _STEPS:
        return min(_MOST_EPOCHS, 10 * ceil(_STEPS / steps / 10))
    return min(_EPOCHS, max(_LEAST_EPOCHS, 5 * (_MOST_STEPS // steps // 5)))


def _window(seen: DataProfile) -> Choice:
    window_s, median = suited_window_s(seen.seconds), seen.seconds_at(0.5)
    if median > _LONGEST_S:
        return Choice(window_s, f"the recordings are long (half of them over {median:.3g} s): cut into windows")
    fits = sum(length <= window_s + 1e-6 for length in seen.seconds) / len(seen.seconds)
    longest = seen.seconds[-1]
    if fits == 1:
        return Choice(window_s, f"the longest clip lasts {longest:.2g} s, half of them at most {median:.2g} s")
    share = f"{min(fits, 0.99):.0%} of the clips are shorter (the longest: {longest:.3g} s)"
    return Choice(window_s, f"{share}; longer ones are cut into windows")


def _rate(rates_hz: Sequence[int]) -> Choice:
    """The rate of most files, up to 32 kHz."""
    usual = rates_hz[len(rates_hz) // 2]
    rate = next((known for known in _RATES_HZ if known >= usual), _RATES_HZ[-1])
    if rate == usual:
        return Choice(rate, "Hz, the sample rate of most files")
    if rate > usual:
        return Choice(rate, f"Hz; most files have {usual} Hz")
    return Choice(rate, f"Hz; most files have {usual} Hz, of which little is heard above 16 kHz")


def _low_pass(rate: int) -> dict[tuple[str, ...], Choice]:
    """Cut-off frequencies that lie below half of the sample rate."""
    path = ("augmentation", "low_pass")
    if rate >= 2 * 8000:
        return {}
    reason = "cut-off frequencies below half of the sample rate"
    return {
        (*path, "min_hz"): Choice(min(2500, round(0.3 * rate)), reason),
        (*path, "max_hz"): Choice(min(8000, rate // 2), reason),
    }


def _folds(seen: DataProfile) -> Choice:
    name, fewest = min(seen.recordings.items(), key=lambda each: each[1])
    counted = number_of(fewest, "clip" if seen.recordings == seen.counts else "recording")
    if fewest >= _FOLDS:
        return Choice(_FOLDS, f"every class has {counted} or more")
    return Choice(max(_LEAST_FOLDS, fewest), f"class '{name}' has only {counted}")


def _epochs(train_clips: int, batch_size: int) -> Choice:
    epochs = suited_epochs(train_clips, batch_size)
    steps = max(1, ceil(train_clips / batch_size))
    return Choice(epochs, f"{epochs * steps} training steps: {train_clips} clips in batches of {batch_size}")
