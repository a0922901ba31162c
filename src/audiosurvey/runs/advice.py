"""What is likely to make a result worse than it need be, said before training: padding, and few training steps."""

from math import ceil

from audiosurvey.config.root import Config
from audiosurvey.config.suited import FEW_STEPS, suited_epochs, suited_window_s
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.splits.folds import Split

_MOSTLY = 0.5
"""Share of the input."""


def advice(config: Config, sounds: Sounds, split: Split) -> list[str]:
    """A line for each thing to change, with the key and a value that suits the data. `split`: a fold to train."""
    return [line for line in (_padding(config, sounds), _steps(config, split)) if line]


def _padding(config: Config, sounds: Sounds) -> str | None:
    """Most of the network's input is padding, or repeated sound."""
    rate, window_s = sounds.store.sample_rate, config.clip_seconds
    seconds = sorted(sounds.store.length(clip.id) / rate for clip in sounds.table.clips if clip.id in sounds.store)
    if not seconds:
        return None
    padded = 1 - sum(min(length, window_s) for length in seconds) / (len(seconds) * window_s)
    suited_s = suited_window_s(seconds)
    if padded <= _MOSTLY or suited_s >= window_s:
        return None
    how = "repeats of the clip" if config.dataset.pad == "repeat" else "padding"
    median = seconds[len(seconds) // 2]
    return (
        f"{padded:.0%} of the network's input is {how}: half of the clips last {median:.2g} s at most, and the window "
        f"is {window_s:g} s; set dataset.clip_seconds: {suited_s:g}"
    )


def _steps(config: Config, split: Split) -> str | None:
    """So few training steps that a network with random weights learns little."""
    train, clips = config.train, len(split.train)
    if train.head_only or not train.epochs or config.model.init or config.pretrain_dataset or not clips:
        return None
    batch = train.batch_size * train.accum_iter
    steps = train.epochs * ceil(clips / batch)
    epochs = suited_epochs(clips, batch)
    if steps >= FEW_STEPS or epochs <= train.epochs:
        return None
    return (
        f"{steps} training steps ({clips} clips in batches of {batch}, {train.epochs} epochs) are few for a network "
        f"that starts from random weights; set train.epochs: {epochs}"
    )
