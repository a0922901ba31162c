"""The section `augmentation` of the config: a section for each operation, and what a config without one gets.

Enters: YAML; leaves: the settings that `chain.Chain` builds its operations from.
"""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.augmentation.band.band_jitter import BandJitterConfig
from audiosurvey.augmentation.band.filter_augment import FilterAugmentConfig
from audiosurvey.augmentation.band.pitch import PitchConfig
from audiosurvey.augmentation.mel.dropblock import DropBlockConfig
from audiosurvey.augmentation.mel.masking import FreqMaskingConfig, TimeMaskingConfig
from audiosurvey.augmentation.mel.tempo import TempoConfig
from audiosurvey.augmentation.mixing.cutmix import CutmixConfig
from audiosurvey.augmentation.mixing.freqmix import FreqmixConfig
from audiosurvey.augmentation.mixing.mel_mixup import MelMixupConfig
from audiosurvey.augmentation.mixing.mixing import MixingConfig
from audiosurvey.augmentation.mixing.mixup import MixupConfig
from audiosurvey.augmentation.mixing.phmix import PhmixConfig
from audiosurvey.augmentation.mixing.timemix import TimemixConfig
from audiosurvey.augmentation.wave.clipping import ClippingConfig
from audiosurvey.augmentation.wave.cyclic_shift import CyclicShiftConfig
from audiosurvey.augmentation.wave.gain import GainConfig
from audiosurvey.augmentation.wave.low_pass import LowPassConfig
from audiosurvey.augmentation.wave.noise import NoiseConfig
from audiosurvey.augmentation.wave.phase_noise import PhaseNoiseConfig
from audiosurvey.augmentation.wave.polarity import PolarityConfig
from audiosurvey.augmentation.wave.reverb import ReverbConfig
from audiosurvey.augmentation.wave.segment_gain import SegmentGainConfig
from audiosurvey.augmentation.wave.shift import ShiftConfig
from audiosurvey.augmentation.wave.shorten import ShortenConfig
from audiosurvey.augmentation.wave.sine import SineConfig
from audiosurvey.augmentation.wave.speed import SpeedConfig
from audiosurvey.augmentation.wave.time_shift import TimeShiftConfig
from audiosurvey.augmentation.wave.wave_masking import WaveMaskingConfig
from audiosurvey.section import Section

MEL_OPERATIONS = ("band_jitter", "pitch", "filter_augment", "tempo", "dropblock", "time_masking", "freq_masking")
"""Sections whose operations work on the mel spectrogram."""
WAVE_MIXINGS = ("mixup", "timemix", "freqmix", "phmix")
MEL_MIXINGS = ("mel_mixup", "cutmix")
"""Sections whose mixings work on the mel spectrogram."""


class AugmentationConfig(Section):
    """What is done to training clips. Every operation but `shorten` is off unless its `p`, the chance for each single
    clip, is set."""

    mixup: MixupConfig = Field(default_factory=MixupConfig)
    """A second training clip is mixed in, with its share of the label."""
    timemix: TimemixConfig = Field(default_factory=TimemixConfig)
    """One end of the clip is another training clip's."""
    freqmix: FreqmixConfig = Field(default_factory=FreqmixConfig)
    """The low or the high frequencies are another training clip's."""
    phmix: PhmixConfig = Field(default_factory=PhmixConfig)
    """The phases are blended with another training clip's."""
    mel_mixup: MelMixupConfig = Field(default_factory=MelMixupConfig)
    """A second training clip's spectrogram is added."""
    cutmix: CutmixConfig = Field(default_factory=CutmixConfig)
    """A rectangle of the spectrogram is another training clip's."""
    mix_waves: Literal["first", "last"] = "first"
    """Whether the mixings of waves (mixup, timemix, freqmix, phmix) come before all else that is done to waves, which
    then acts on the mixture, or after it, so that each of the two is changed by itself, which costs twice as much."""
    speed: SpeedConfig = Field(default_factory=SpeedConfig)
    """The clip is played faster and higher, or slower and lower."""
    polarity: PolarityConfig = Field(default_factory=PolarityConfig)
    """The wave is turned upside down."""
    gain: GainConfig = Field(default_factory=GainConfig)
    """The level is changed."""
    segment_gain: SegmentGainConfig = Field(default_factory=SegmentGainConfig)
    """The level of a short stretch is changed."""
    shift: ShiftConfig = Field(default_factory=ShiftConfig)
    """The clip begins earlier or later."""
    cyclic_shift: CyclicShiftConfig = Field(default_factory=CyclicShiftConfig)
    """The window is turned round in time."""
    reverb: ReverbConfig = Field(default_factory=ReverbConfig)
    """The clip is placed in a room."""
    time_shift: TimeShiftConfig = Field(default_factory=TimeShiftConfig)
    """Parts of the clip are stretched and compressed."""
    wave_masking: WaveMaskingConfig = Field(default_factory=WaveMaskingConfig)
    """A short stretch of the wave is covered."""
    phase_noise: PhaseNoiseConfig = Field(default_factory=PhaseNoiseConfig)
    """The phases of the spectrum are disturbed."""
    noise: NoiseConfig = Field(default_factory=NoiseConfig)
    """White or coloured noise is added."""
    sine: SineConfig = Field(default_factory=SineConfig)
    """A low hum is added."""
    low_pass: LowPassConfig = Field(default_factory=LowPassConfig)
    """High frequencies are removed."""
    clipping: ClippingConfig = Field(default_factory=ClippingConfig)
    """Peaks are cut flat."""
    shorten: ShortenConfig = Field(default_factory=ShortenConfig)
    """Only a stretch of the clip is kept; on by default."""
    band_jitter: BandJitterConfig = Field(default_factory=BandJitterConfig)
    """The edges of the mel bands are moved."""
    pitch: PitchConfig = Field(default_factory=PitchConfig)
    """The clip sounds higher or lower."""
    filter_augment: FilterAugmentConfig = Field(default_factory=FilterAugmentConfig)
    """Some mel bands are made louder, others softer."""
    tempo: TempoConfig = Field(default_factory=TempoConfig)
    """The clip goes by faster or slower."""
    dropblock: DropBlockConfig = Field(default_factory=DropBlockConfig)
    """Blocks of the spectrogram are covered."""
    time_masking: TimeMaskingConfig = Field(default_factory=TimeMaskingConfig)
    """Stretches of frames are covered."""
    freq_masking: FreqMaskingConfig = Field(default_factory=FreqMaskingConfig)
    """Stretches of mel bands are covered."""

    @field_validator(*WAVE_MIXINGS, *MEL_MIXINGS)
    @classmethod
    def _one_way_a_clip(cls, mixing: MixingConfig, info: ValidationInfo) -> MixingConfig:
        before = {name: other.p for name, other in info.data.items() if isinstance(other, MixingConfig) and other.p}
        if mixing.p and sum(before.values()) + mixing.p > 1 + 1e-9:
            others = ", ".join(f"{name} {p:g}" for name, p in before.items())
            raise ValueError(
                f"a clip is mixed in one way only, so the chances p of all mixings add up to 1 at most; {mixing.p:g} "
                f"is too much beside {others}"
            )
        return mixing


def robust_augmentation() -> AugmentationConfig:
    """What a config without a section `augmentation` gets: the differences between one recorder and another.

    Level, noise floor, bandwidth, clipping and length vary between recordings of the same sound, and a network that has
    not met the differences fails on them (docs/measurements.md has the figures).
    """
    return AugmentationConfig(
        gain=GainConfig(p=0.8, min_db=-45, max_db=10),
        noise=NoiseConfig(p=0.6, min_snr_db=5, max_snr_db=40),
        low_pass=LowPassConfig(p=0.4),
        clipping=ClippingConfig(p=0.25),
    )
