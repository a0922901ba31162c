"""Rules across sections about the front end: windows, transforms and bands, and masks that must fit into them."""

from collections.abc import Iterable

from audiosurvey.augment.settings import MEL_MIXINGS, MEL_OPERATIONS
from audiosurvey.config.checks.rule import ConfigWarning, Rule
from audiosurvey.config.root import Config
from audiosurvey.errors import Fault
from audiosurvey.section import Section

_MEL = "mel_spectrogram"


def window_fits(config: Config) -> Iterable[Fault]:
    """A clip holds at least one frame, and enough samples to be padded."""
    mel, samples = config.mel_spectrogram, config.clip_samples
    n_fft = mel.fft_samples(config.sample_rate)
    if config.clip_seconds < mel.win_length:
        path = ("dataset", "clip_seconds") if config.dataset.clip_seconds else (_MEL, "win_length")
        yield Fault(path, f"a clip of {config.clip_seconds:g} s is shorter than one window of {mel.win_length:g} s")
    elif config.num_frames < 1:
        yield Fault((_MEL, "n_fft"), f"a clip of {samples} samples is shorter than one transform of {n_fft}")
    elif mel.center and mel.pad_mode in ("reflect", "circular") and n_fft // 2 >= mel.framed_samples(samples):
        yield Fault(
            (_MEL, "n_fft"),
            f"a clip of {samples} samples is too short to be padded by {n_fft // 2} samples "
            f"(pad_mode: {mel.pad_mode}); shorten the transform or use pad_mode: constant",
        )


def _lengths_hold_a_sample(config: Config) -> Iterable[Fault]:
    for key, usual in (("win_length", 0.03), ("hop_length", 0.01)):
        seconds, rate = getattr(config.mel_spectrogram, key), config.sample_rate
        if seconds * rate < 1 - 1e-6:
            yield Fault(
                (_MEL, key),
                f"{seconds:g} seconds are less than one sample at {rate} Hz ({1 / rate:.3g} s); {usual:g} is usual",
            )


def _transform_holds_window(config: Config) -> Iterable[Fault]:
    mel, rate = config.mel_spectrogram, config.sample_rate
    if mel.n_fft is not None and mel.n_fft < mel.win_samples(rate):
        yield Fault(
            (_MEL, "n_fft"),
            f"{mel.n_fft} samples cannot hold the window of {mel.win_length:g} s, "
            f"{mel.win_samples(rate)} samples at {rate} Hz",
        )


def _band_below_half_rate(config: Config) -> Iterable[Fault]:
    f_min, half = config.mel_spectrogram.f_min, config.sample_rate / 2
    if f_min >= half:
        yield Fault((_MEL, "f_min"), f"{f_min:g} Hz is not below half of sample_rate ({half:g} Hz)")


def _empty_filters(config: Config) -> Iterable[Fault]:
    mel, rate = config.mel_spectrogram, config.sample_rate
    if mel.f_min >= rate / 2:
        return
    narrow, beyond = mel.empty_bands(rate), []
    if mel.f_max is not None and mel.f_max > rate / 2:
        # The empty bands at the top: the sound ends below them.
        while narrow and narrow[-1] == mel.n_mels - 1 - len(beyond):
            beyond.insert(0, narrow.pop())
        reached = f"nothing reaches mel {_bands(beyond)}" if beyond else "the highest bands are partly empty"
        yield ConfigWarning(
            (_MEL, "f_max"),
            f"{mel.f_max:g} Hz is above half of sample_rate ({rate / 2:g} Hz): {reached}; "
            f"set f_max to {rate / 2:g} or lower",
        )
    if narrow:
        n_fft = mel.fft_samples(rate)
        yield ConfigWarning(
            (_MEL, "n_mels"),
            f"{mel.n_mels} bands are too many for n_fft = {n_fft} ({rate / n_fft:.3g} Hz a bin): "
            f"nothing reaches mel {_bands(narrow)}; lower n_mels or raise n_fft or f_min",
        )


def _bands(bands: list[int]) -> str:
    """`filter 127`, `filters 100 to 127`, `filters 1 to 9 (4 of them)`; counted from 0."""
    first, last = bands[0], bands[-1]
    if first == last:
        return f"filter {first}"
    part = "" if len(bands) == last - first + 1 else f" ({len(bands)} of them)"
    return f"filters {first} to {last}{part}"


def _time_masks_fit(config: Config) -> Iterable[Fault]:
    heard = config.as_trained()
    frames, masks, drop = heard.num_frames, config.augmentation.time_masking, config.augmentation.dropblock
    if frames < 1:
        return
    have = f"longer than the clip, which has {frames} ({heard.clip_seconds:g} s)"
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


def _asked(p: float, section: Section, key: str) -> bool:
    """Whether an operation is on, or the user changed its `key` from the default."""
    return p > 0 or getattr(section, key) != type(section).model_fields[key].default


def _jittered_bands_keep_their_order(config: Config) -> Iterable[Fault]:
    jitter, (lowest, highest) = config.augmentation.band_jitter, config.mel_spectrogram.limits_hz(config.sample_rate)
    if jitter.p == 0 or lowest >= config.sample_rate / 2:
        return
    raised, lowered = lowest + jitter.low_hz, min(highest - jitter.high_hz, config.sample_rate / 2)
    if lowered <= raised:
        yield Fault(
            ("augmentation", "band_jitter", "high_hz"),
            f"the highest edge ({highest:g} Hz) may come down to {max(lowered, 0):g} Hz, and the lowest rise to "
            f"{raised:g} Hz: no band is left between them; lower high_hz or low_hz",
        )


def _mel_is_used(config: Config) -> Iterable[Fault]:
    """Operations on the spectrogram need one, and mixings must mix every input of the network."""
    asked = [name for name in (*MEL_OPERATIONS, *MEL_MIXINGS) if getattr(config.augmentation, name).p > 0]
    for name in asked:
        path = ("augmentation", name, "p")
        if not config.hears_mel:
            yield Fault(path, "works on the mel spectrogram, but the network uses only the waveform; leave it out")
        elif "wave" in config.model.hears and name in MEL_MIXINGS:
            yield Fault(path, "mixes only spectrograms, but the network uses the waveform too; mixup mixes both")
    if not config.hears_mel and config.mel_spectrogram != Config().mel_spectrogram:
        yield ConfigWarning((_MEL,), "not used: the network uses only the waveform")


_WINDOW = ("sample_rate", f"{_MEL}.win_length", f"{_MEL}.n_fft")
_LENGTH = ("dataset.name", "dataset.clip_seconds", *_WINDOW)
FRAMES = (*_LENGTH, *(f"{_MEL}.{key}" for key in ("hop_length", "center", "pad", "pad_mode")))
_BANDS = tuple(f"{_MEL}.{key}" for key in ("n_mels", "f_min", "f_max", "mel_scale"))
FRONT_END_RULES = (
    Rule(FRAMES, window_fits, about_mel=True),
    Rule(("sample_rate", f"{_MEL}.win_length", f"{_MEL}.hop_length"), _lengths_hold_a_sample, about_mel=True),
    Rule(_WINDOW, _transform_holds_window, about_mel=True),
    Rule(("sample_rate", f"{_MEL}.f_min"), _band_below_half_rate, about_mel=True),
    Rule((*_WINDOW, *_BANDS), _empty_filters, about_mel=True),
    Rule((*FRAMES, "train.crop_seconds"), _time_masks_fit, about_mel=True),
    Rule((f"{_MEL}.n_mels",), _band_masks_fit, about_mel=True),
    Rule(("sample_rate", *_BANDS, "augmentation.band_jitter"), _jittered_bands_keep_their_order, about_mel=True),
    Rule(("model.blocks", "model.preset", _MEL), _mel_is_used),
)
