"""What no section can see alone: whether the parts of a config fit together.

In: a config whose every key is valid by itself, and what was repaired to make it so. Out: faults (it cannot
work) and warnings (it runs, and is likely a mistake), with the path of the key to change.
"""

from collections.abc import Collection, Iterable

import torch

from audiosurvey.augmentation.settings import MEL_MIXINGS, MEL_OPERATIONS
from audiosurvey.config.checks.idle_checks import IDLE_CHECKS
from audiosurvey.config.checks.rule import Check, Warn
from audiosurvey.config.checks.sketch import can_be_built, sketch
from audiosurvey.config.checks.training_checks import TRAINING_CHECKS
from audiosurvey.config.checks.weight_checks import WEIGHT_CHECKS
from audiosurvey.config.reading.document import Path
from audiosurvey.config.reading.repair import Repaired, touches
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import builtin_classes
from audiosurvey.data.sets.registry import is_published
from audiosurvey.errors import Fault
from audiosurvey.model.blocks.drop import DropItem
from audiosurvey.model.faults import shape_faults, thread_shapes
from audiosurvey.section import Section
from audiosurvey.training.settings import TrainConfig

_MOST_RUNS = 6
"""Of empty bands in one message."""


def cross_faults(config: Config, repaired: Repaired | None = None) -> tuple[list[Fault], list[Warn]]:
    """All faults and warnings of a config whose sections are valid, without those that only a repair
    brought in."""
    repaired = repaired or Repaired()
    found = [
        fault
        for check in CHECKS
        for fault in _found(check, config, repaired.unknown)
        if not any(touches(fault.path, path) for path in repaired.faulty)
    ]
    return [f for f in found if not isinstance(f, Warn)], [f for f in found if isinstance(f, Warn)]


def _found(check: Check, config: Config, unknown: Collection[Path]) -> list[Fault]:
    if check.about_mel and not config.hears_mel:
        return []
    if not any(touches(tuple(need.split(".")), path) for need in check.needs for path in unknown):
        return list(check.find(config))
    if not check.about_length:
        return []
    still = {fault.path for fault in check.find(_longer(config))}
    note = " (reckoned with the defaults of faulty keys)"
    return [Fault(fault.path, fault.message + note) for fault in check.find(config) if fault.path in still]


def _longer(config: Config) -> Config:
    dataset = config.dataset.model_copy(update={"clip_seconds": 2 * _seconds(config)})
    return config.model_copy(update={"dataset": dataset})


def _seconds(config: Config) -> float:
    return config.clip_samples / config.sample_rate


def _window_fits(config: Config) -> Iterable[Fault]:
    mel, seconds = config.mel_spectrogram, _seconds(config)
    if seconds < mel.win_length:
        path = ("dataset", "clip_seconds") if config.dataset.clip_seconds else ("mel_spectrogram", "win_length")
        yield Fault(path, f"a clip of {seconds:g} s is shorter than one window of {mel.win_length:g} s")
    elif config.num_frames < 1:
        n_fft = mel.fft_samples(config.sample_rate)
        yield Fault(
            ("mel_spectrogram", "n_fft"),
            f"a clip of {config.clip_samples} samples is shorter than one transform of {n_fft}: no frame is left",
        )
    elif mel.center and mel.pad_mode in ("reflect", "circular"):
        half = mel.fft_samples(config.sample_rate) // 2
        if half >= mel.framed_samples(config.clip_samples):
            yield Fault(
                ("mel_spectrogram", "n_fft"),
                f"a clip of {config.clip_samples} samples is too short to be continued by {half} samples "
                f"(pad_mode: {mel.pad_mode}); shorten the transform or use pad_mode: constant",
            )


def _lengths_hold_a_sample(config: Config) -> Iterable[Fault]:
    mel, rate = config.mel_spectrogram, config.sample_rate
    for key, usual in (("win_length", 0.03), ("hop_length", 0.01)):
        samples = getattr(mel, key) * rate
        if samples < 1 - 1e-6:
            yield Fault(
                ("mel_spectrogram", key),
                f"{getattr(mel, key):g} seconds are less than one sample at {rate} Hz ({1 / rate:.3g} s); "
                f"{usual:g} is usual",
            )


def _transform_holds_window(config: Config) -> Iterable[Fault]:
    mel, rate = config.mel_spectrogram, config.sample_rate
    if mel.n_fft is not None and mel.n_fft < mel.win_samples(rate):
        yield Fault(
            ("mel_spectrogram", "n_fft"),
            f"{mel.n_fft} samples cannot hold the window of {mel.win_length:g} s, "
            f"{mel.win_samples(rate)} samples at {rate} Hz",
        )


def _band_below_half_rate(config: Config) -> Iterable[Fault]:
    mel, half = config.mel_spectrogram, config.sample_rate / 2
    if mel.f_min >= half:
        yield Fault(
            ("mel_spectrogram", "f_min"),
            f"{mel.f_min:g} Hz is not below half of sample_rate ({half:g} Hz): there is no sound above it",
        )


def _empty_filters(config: Config) -> Iterable[Fault]:
    mel, rate = config.mel_spectrogram, config.sample_rate
    if mel.f_min >= rate / 2:
        return
    above = mel.f_max is not None and mel.f_max > rate / 2
    empty = mel.empty_bands(rate)
    beyond: list[int] = []
    if above:
        assert mel.f_max is not None
        beyond = _beyond(config, empty)
        named = (
            f"nothing reaches mel {_bands(beyond)}" if beyond else "the highest bands hear only a part of their range"
        )
        yield Warn(
            ("mel_spectrogram", "f_max"),
            f"{mel.f_max:g} Hz is above half of sample_rate ({rate / 2:g} Hz): {named}; "
            f"set f_max to {rate / 2:g} or lower",
        )
    narrow = [band for band in empty if band not in beyond]
    if narrow:
        n_fft = mel.fft_samples(rate)
        yield Warn(
            ("mel_spectrogram", "n_mels"),
            f"{mel.n_mels} bands are too many for n_fft = {n_fft} ({rate / n_fft:.3g} Hz a bin): "
            f"nothing reaches mel {_bands(narrow)}; lower n_mels or raise n_fft or f_min",
        )


def _beyond(config: Config, empty: list[int]) -> list[int]:
    """Those empty bands that are at the top: empty because the sound ends below them."""
    top, band = [], config.mel_spectrogram.n_mels - 1
    while band in empty:
        top.append(band)
        band -= 1
    return top[::-1]


def _bands(bands: list[int]) -> str:
    """`filter 127`, `filters 1, 2, 4`, `filters 100 to 127`, the first few of many; counted from 0."""
    if len(bands) == 1:
        return f"filter {bands[0]}"
    runs: list[list[int]] = []
    for band in bands:
        if runs and runs[-1][-1] == band - 1:
            runs[-1].append(band)
        else:
            runs.append([band])
    words = [f"{run[0]} to {run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs[:_MOST_RUNS]]
    more = f" and others, {len(bands)} in all" if len(runs) > _MOST_RUNS else ""
    return "filters " + ", ".join(words) + more


def _time_masks_fit(config: Config) -> Iterable[Fault]:
    heard = _as_trained(config)
    frames, masks, drop = heard.num_frames, config.augmentation.time_masking, config.augmentation.dropblock
    if frames < 1:
        return
    have = f"longer than the clip, which has {frames} ({_seconds(heard):g} s)"
    if _asked(masks.p, masks, "tmp") and masks.tmp > frames:
        yield Fault(("augmentation", "time_masking", "tmp"), f"masks of up to {masks.tmp} frames are {have}")
    if _asked(drop.p, drop.block_size, "t") and drop.block_size.t > frames:
        path = ("augmentation", "dropblock", "block_size", "t")
        yield Fault(path, f"a block of {drop.block_size.t} frames is {have}")


def _band_masks_fit(config: Config) -> Iterable[Fault]:
    bands = config.mel_spectrogram.n_mels
    masks, drop = config.augmentation.freq_masking, config.augmentation.dropblock
    have = f"higher than the spectrogram, which has {bands} (n_mels)"
    if _asked(masks.p, masks, "fmp") and masks.fmp > bands:
        yield Fault(("augmentation", "freq_masking", "fmp"), f"masks of up to {masks.fmp} bands are {have}")
    if _asked(drop.p, drop.block_size, "f") and drop.block_size.f > bands:
        path = ("augmentation", "dropblock", "block_size", "f")
        yield Fault(path, f"a block of {drop.block_size.f} bands is {have}")


def _dropped_blocks_fit(config: Config) -> Iterable[Fault]:
    """Those of `drop` in the network, which are cut to the map that they meet."""
    heard = _as_trained(config)
    if not can_be_built(heard):
        return
    for index, step in enumerate(thread_shapes(heard.model, heard.input_shape)):
        if not isinstance(step.block, DropItem):
            continue
        p, share, *sides = step.block.numbers
        frames, bands = step.entered[1:]
        if p and share and (sides[0] > frames or sides[1] > bands):
            yield Warn(
                ("model", "blocks", config.model.written(index), "drop"),
                f"a block of {sides[0]} frames x {sides[1]} bands is larger than the map here, {frames} x {bands}, and "
                "is cut to it",
            )


def _jittered_bands_keep_their_order(config: Config) -> Iterable[Fault]:
    jitter, (lowest, highest) = config.augmentation.band_jitter, config.mel_spectrogram.limits_hz(config.sample_rate)
    if jitter.p == 0 or lowest >= config.sample_rate / 2:
        return
    raised, lowered = lowest + jitter.low_hz, min(highest - jitter.high_hz, config.sample_rate / 2)
    if lowered <= raised:
        yield Fault(
            ("augmentation", "band_jitter", "high_hz"),
            f"the highest edge ({highest:g} Hz) may come down to {max(lowered, 0):g} Hz, and the lowest rise to "
            f"{raised:g} Hz: no band is left between them; lower high_hz, or low_hz",
        )


def _asked(p: float, section: Section, key: str) -> bool:
    """Whether an operation is on, or its `key` was moved from the default: then the user means it."""
    return p > 0 or getattr(section, key) != type(section).model_fields[key].default


def _mel_is_heard(config: Config) -> Iterable[Fault]:
    """What works on the spectrogram needs one, and what mixes it must mix all that is heard."""
    asked = [name for name in (*MEL_OPERATIONS, *MEL_MIXINGS) if getattr(config.augmentation, name).p > 0]
    for name in asked:
        path = ("augmentation", name, "p")
        if not config.hears_mel:
            yield Fault(path, "works on the mel spectrogram, and the network hears the wave alone; leave it out")
        elif "wave" in config.model.hears and name in MEL_MIXINGS:
            yield Fault(path, "mixes spectrograms alone, and the network hears the wave too; mixup mixes both")
    if not config.hears_mel and config.mel_spectrogram != Config().mel_spectrogram:
        yield Warn(("mel_spectrogram",), "not used: the network hears the wave alone")


def _as_trained(config: Config) -> Config:
    """The config with windows as a step hears them."""
    crop = config.train.crop_seconds
    if crop is None or crop > _seconds(config):
        return config
    return config.model_copy(update={"dataset": config.dataset.model_copy(update={"clip_seconds": crop})})


def _crop_fits(config: Config) -> Iterable[Fault]:
    return [Fault(("train", "crop_seconds"), why) for why in _crop_faults(config)]


def _pretraining_crop_fits(config: Config) -> Iterable[Fault]:
    dataset = config.pretrain_dataset
    if dataset is None or config.pretrain.crop_seconds is None:
        return []
    first = config.model_copy(update={"dataset": dataset, "train": config.pretrain})
    return [Fault(("pretrain", "crop_seconds"), why) for why in _crop_faults(first)]


def _crop_faults(config: Config) -> Iterable[str]:
    """Why the network cannot train on sections of `train.crop_seconds` and hear whole windows after that."""
    crop, window = config.train.crop_seconds, _seconds(config)
    if crop is None or not can_be_built(config):
        return
    if crop > window:
        yield f"a section of {crop:g} s is longer than the clip of {window:g} s; lower it, or leave it out (null)"
        return
    heard = _as_trained(config)
    faults = list(_window_fits(heard)) if config.hears_mel else []
    if faults := faults or shape_faults(config.model, heard.input_shape):
        yield f"too short: {faults[0].message}"
    elif _weights(config) != _weights(heard):
        yield (
            f"weights of this network belong to clips of {window:g} s, so that it cannot hear {crop:g} s in training "
            "and the whole in evaluation; leave it out"
        )


def _weights(config: Config) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in sketch(config).state_dict().items()}


def _shapes_fit(config: Config) -> Iterable[Fault]:
    if config.hears_mel and config.num_frames < 1:
        return []
    return shape_faults(config.model, config.input_shape)


def _momentum_falls(config: Config) -> Iterable[Fault]:
    low, key = config.schedule.momentum_low, "momentum" if config.optimizer.name == "sgd" else "beta1"
    high: float = getattr(config.optimizer, key)
    if low is not None and low > high:
        yield Fault(
            ("schedule", "momentum_low"), f"{low:g} is above optimizer.{key} ({high:g}), from which it falls; lower it"
        )


def _patience_is_used(config: Config) -> Iterable[Fault]:
    if config.protocol.selection == "last" and config.train.patience:
        yield Fault(
            ("protocol", "selection"),
            "last takes the weights after a fixed number of epochs, so train.patience has nothing to watch; "
            "remove train.patience, or choose selection: validation",
        )


def _training_ends(config: Config) -> Iterable[Fault]:
    return _stage_ends("train", config.train)


def _pretraining_ends(config: Config) -> Iterable[Fault]:
    return _stage_ends("pretrain", config.pretrain)


def _stage_ends(name: str, stage: TrainConfig) -> Iterable[Fault]:
    if stage.epochs == 0 and not stage.patience:
        yield Fault(
            (name, "epochs"),
            f"0 trains until the patience runs out, and there is none; give {name}.patience, or epochs",
        )


def _pretraining_is_possible(config: Config) -> Iterable[Fault]:
    given, first = config.pretrain.dataset, config.pretrain_dataset
    if config.pretrain_urban and given is not None and given.name != "urbansound8k":
        yield Fault(
            ("pretrain_urban",),
            f"true asks for UrbanSound8K, but pretrain.dataset is {given.name}; keep one of the two",
        )
        return
    path = ("pretrain_urban",) if given is None else ("pretrain", "dataset")
    if first is None or first.name != config.dataset.name or not is_published(first.name):
        return
    # Of one data set, other classes may come first: ESC-50 without the ten of ESC-10, say.
    before, after = builtin_classes(first) or (), builtin_classes(config.dataset) or ()
    if set(before) <= set(after):
        yield Fault(path, f"pretraining on {first.name} and training on it: every clip would be known before")


_WINDOW = ("sample_rate", *(f"mel_spectrogram.{key}" for key in ("win_length", "n_fft")))
_LENGTH = ("dataset.name", "dataset.clip_seconds", *_WINDOW)
_FRAMES = (*_LENGTH, *(f"mel_spectrogram.{key}" for key in ("hop_length", "center", "pad")))
_BANDS = tuple(f"mel_spectrogram.{key}" for key in ("n_mels", "f_min", "f_max", "mel_scale"))
CHECKS = (
    Check(_LENGTH, _window_fits, about_mel=True),
    Check(
        ("sample_rate", "mel_spectrogram.win_length", "mel_spectrogram.hop_length"),
        _lengths_hold_a_sample,
        about_mel=True,
    ),
    Check(_WINDOW, _transform_holds_window, about_mel=True),
    Check(("sample_rate", "mel_spectrogram.f_min"), _band_below_half_rate, about_mel=True),
    Check((*_WINDOW, *_BANDS), _empty_filters, about_mel=True),
    Check((*_FRAMES, "train.crop_seconds"), _time_masks_fit, about_length=True, about_mel=True),
    Check(("mel_spectrogram.n_mels",), _band_masks_fit, about_mel=True),
    Check(("sample_rate", *_BANDS, "augmentation.band_jitter"), _jittered_bands_keep_their_order, about_mel=True),
    Check(("model.blocks", "model.preset", "mel_spectrogram"), _mel_is_heard),
    Check((*_FRAMES, "mel_spectrogram.n_mels", "model", "train.crop_seconds"), _dropped_blocks_fit),
    Check((*_FRAMES, "mel_spectrogram.n_mels", "model", "train.crop_seconds"), _crop_fits),
    Check((*_FRAMES, "mel_spectrogram.n_mels", "model", "pretrain", "pretrain_urban"), _pretraining_crop_fits),
    Check((*_FRAMES, "mel_spectrogram.n_mels"), _shapes_fit, about_length=True),
    *WEIGHT_CHECKS,
    Check(("dataset", "pretrain_urban", "pretrain.dataset"), _pretraining_is_possible),
    Check(("schedule.momentum_low", "optimizer"), _momentum_falls),
    Check(("protocol.selection", "train.patience"), _patience_is_used),
    *TRAINING_CHECKS,
    *IDLE_CHECKS,
    Check(("train.epochs", "train.patience"), _training_ends),
    Check(("pretrain.epochs", "pretrain.patience"), _pretraining_ends),
)
"""Every rule, in no particular order: the lines are sorted by their place in the file."""
