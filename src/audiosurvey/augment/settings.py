"""The config section `augmentation`: one section per operation, and the default augmentation."""

from typing import Any, Literal

from pydantic import ValidationInfo, field_validator

from audiosurvey.augment.band.band_jitter import BandJitterConfig
from audiosurvey.augment.band.filter_augment import FilterAugmentConfig
from audiosurvey.augment.band.operation import BandOperation
from audiosurvey.augment.band.pitch import PitchConfig
from audiosurvey.augment.base import OPERATIONS, MelOperation
from audiosurvey.augment.mel.dropblock import DropBlockConfig
from audiosurvey.augment.mel.masking import FreqMaskingConfig, TimeMaskingConfig
from audiosurvey.augment.mel.tempo import TempoConfig
from audiosurvey.augment.mixing.cutmix import CutmixConfig
from audiosurvey.augment.mixing.freqmix import FreqmixConfig
from audiosurvey.augment.mixing.mel_mixup import MelMixupConfig
from audiosurvey.augment.mixing.mixing import MelMixing, MixingConfig, WaveMixing
from audiosurvey.augment.mixing.mixup import MixupConfig
from audiosurvey.augment.mixing.phmix import PhmixConfig
from audiosurvey.augment.mixing.timemix import TimemixConfig
from audiosurvey.augment.wave.background import BackgroundConfig
from audiosurvey.augment.wave.clipping import ClippingConfig
from audiosurvey.augment.wave.cyclic_shift import CyclicShiftConfig
from audiosurvey.augment.wave.gain import GainConfig
from audiosurvey.augment.wave.low_pass import LowPassConfig
from audiosurvey.augment.wave.noise import NoiseConfig
from audiosurvey.augment.wave.phase_noise import PhaseNoiseConfig
from audiosurvey.augment.wave.polarity import PolarityConfig
from audiosurvey.augment.wave.reverb import ReverbConfig
from audiosurvey.augment.wave.segment_gain import SegmentGainConfig
from audiosurvey.augment.wave.shift import ShiftConfig
from audiosurvey.augment.wave.shorten import ShortenConfig
from audiosurvey.augment.wave.sine import SineConfig
from audiosurvey.augment.wave.speed import SpeedConfig
from audiosurvey.augment.wave.time_shift import TimeShiftConfig
from audiosurvey.augment.wave.wave_masking import WaveMaskingConfig
from audiosurvey.section import Section


class AugmentationConfig(Section):
    """Data augmentation of training clips. All operations but `shorten` are off unless their probability `p` is set."""

    mixup: MixupConfig = MixupConfig()
    timemix: TimemixConfig = TimemixConfig()
    freqmix: FreqmixConfig = FreqmixConfig()
    phmix: PhmixConfig = PhmixConfig()
    mel_mixup: MelMixupConfig = MelMixupConfig()
    cutmix: CutmixConfig = CutmixConfig()
    mix_waves: Literal["first", "last"] = "first"
    """Mix waves (mixup, timemix, freqmix, phmix) before all other operations on waves, which then apply to the mixture,
    or after them, so that both clips are augmented separately at twice the cost."""
    speed: SpeedConfig = SpeedConfig()
    polarity: PolarityConfig = PolarityConfig()
    gain: GainConfig = GainConfig()
    segment_gain: SegmentGainConfig = SegmentGainConfig()
    shift: ShiftConfig = ShiftConfig()
    cyclic_shift: CyclicShiftConfig = CyclicShiftConfig()
    reverb: ReverbConfig = ReverbConfig()
    time_shift: TimeShiftConfig = TimeShiftConfig()
    wave_masking: WaveMaskingConfig = WaveMaskingConfig()
    phase_noise: PhaseNoiseConfig = PhaseNoiseConfig()
    background: BackgroundConfig = BackgroundConfig()
    noise: NoiseConfig = NoiseConfig()
    sine: SineConfig = SineConfig()
    low_pass: LowPassConfig = LowPassConfig()
    clipping: ClippingConfig = ClippingConfig()
    shorten: ShortenConfig = ShortenConfig()
    band_jitter: BandJitterConfig = BandJitterConfig()
    pitch: PitchConfig = PitchConfig()
    filter_augment: FilterAugmentConfig = FilterAugmentConfig()
    tempo: TempoConfig = TempoConfig()
    dropblock: DropBlockConfig = DropBlockConfig()
    time_masking: TimeMaskingConfig = TimeMaskingConfig()
    freq_masking: FreqMaskingConfig = FreqMaskingConfig()

    @classmethod
    def operations(cls) -> list[str]:
        """Names of all operations and mixings, in the order in which they are applied."""
        return [name for name in cls.model_fields if name in OPERATIONS]

    @field_validator("*")
    @classmethod
    def _one_way_a_clip(cls, mixing: Any, info: ValidationInfo) -> Any:
        if not isinstance(mixing, MixingConfig):
            return mixing
        before = {name: other.p for name, other in info.data.items() if isinstance(other, MixingConfig) and other.p}
        if mixing.p and sum(before.values()) + mixing.p > 1 + 1e-9:
            others = ", ".join(f"{name} {p:g}" for name, p in before.items())
            raise ValueError(
                f"each clip is mixed in at most one way, so the probabilities of all mixings must add up to at most 1; "
                f"{mixing.p:g} is too much in addition to {others}"
            )
        return mixing


def _of_kind(*kinds: type[Any]) -> tuple[str, ...]:
    return tuple(name for name in AugmentationConfig.operations() if issubclass(OPERATIONS[name], kinds))


MEL_OPERATIONS = _of_kind(BandOperation, MelOperation)
"""Sections whose operations work on the mel spectrogram."""
WAVE_MIXINGS = _of_kind(WaveMixing)
MEL_MIXINGS = _of_kind(MelMixing)
"""Sections whose mixings work on the mel spectrogram."""


def robust_augmentation() -> AugmentationConfig:
    """The default augmentation, for robustness to different recorders (see docs/measurements.md).

    Varies level, noise floor, bandwidth, clipping and length, in which recordings of the same sound differ.
    """
    return AugmentationConfig(
        gain=GainConfig(p=0.8, min_db=-45, max_db=10),
        noise=NoiseConfig(p=0.6, min_snr_db=5, max_snr_db=40),
        low_pass=LowPassConfig(p=0.4),
        clipping=ClippingConfig(p=0.25),
    )
