"""What all operations promise: the coin comes first, p 0 and 1 are never and always, untouched clips are untouched."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audiosurvey.augment.base import MelOperation, WaveOperation
from audiosurvey.augment.mel.dropblock import DropBlock, DropBlockConfig
from audiosurvey.augment.mel.masking import FreqMasking, FreqMaskingConfig, TimeMasking, TimeMaskingConfig
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.augment.wave.clipping import Clipping, ClippingConfig
from audiosurvey.augment.wave.cyclic_shift import CyclicShift, CyclicShiftConfig
from audiosurvey.augment.wave.gain import Gain, GainConfig
from audiosurvey.augment.wave.low_pass import LowPass, LowPassConfig
from audiosurvey.augment.wave.noise import Noise, NoiseConfig
from audiosurvey.augment.wave.phase_noise import PhaseNoise, PhaseNoiseConfig
from audiosurvey.augment.wave.polarity import Polarity, PolarityConfig
from audiosurvey.augment.wave.segment_gain import SegmentGain, SegmentGainConfig
from audiosurvey.augment.wave.shift import Shift, ShiftConfig
from audiosurvey.augment.wave.shorten import Shorten, ShortenConfig
from audiosurvey.augment.wave.sine import Sine, SineConfig
from audiosurvey.augment.wave.speed import Speed, SpeedConfig
from audiosurvey.augment.wave.time_shift import TimeShift, TimeShiftConfig
from audiosurvey.augment.wave.wave_masking import WaveMasking, WaveMaskingConfig
from audiosurvey.randomness import stream

SAMPLES = 4000


def wave_operations(p: float) -> list[WaveOperation]:
    return [
        Gain(GainConfig(p=p)),
        CyclicShift(CyclicShiftConfig(p=p), sample_rate=8000),
        TimeShift(TimeShiftConfig(p=p), sample_rate=8000),
        Noise(NoiseConfig(p=p, colour="random")),
        Speed(SpeedConfig(p=p)),
        Polarity(PolarityConfig(p=p)),
        SegmentGain(SegmentGainConfig(p=p), sample_rate=8000),
        Shift(ShiftConfig(p=p), sample_rate=8000),
        WaveMasking(WaveMaskingConfig(p=p), sample_rate=8000),
        PhaseNoise(PhaseNoiseConfig(p=p), sample_rate=8000),
        Sine(SineConfig(p=p), sample_rate=8000),
        LowPass(LowPassConfig(p=p), sample_rate=8000),
        Clipping(ClippingConfig(p=p)),
        Shorten(ShortenConfig(p=p), pad="zeros"),
    ]


def mel_operations(p: float) -> list[MelOperation]:
    return [
        DropBlock(DropBlockConfig(p=p), silence=-1.0),
        TimeMasking(TimeMaskingConfig(p=p), silence=-1.0),
        FreqMasking(FreqMaskingConfig(p=p), silence=-1.0),
    ]


@pytest.mark.parametrize("index", range(14))
def test_wave_operation_is_never_applied_at_0_and_always_at_1(index: int) -> None:
    never, always = wave_operations(0)[index], wave_operations(1)[index]
    assert all(never.draw(stream(i), SAMPLES, SAMPLES) is None for i in range(50))
    assert all(always.draw(stream(i), SAMPLES, SAMPLES) is not None for i in range(50))


@pytest.mark.parametrize("index", range(3))
def test_mel_operation_is_never_applied_at_0_and_always_at_1(index: int) -> None:
    never, always = mel_operations(0)[index], mel_operations(1)[index]
    assert all(never.draw(stream(i), 60, 40) is None for i in range(50))
    assert all(always.draw(stream(i), 60, 40) is not None for i in range(50))


@pytest.mark.parametrize("operation", wave_operations(0.5), ids=lambda operation: operation.name)
def test_only_clips_with_a_draw_are_changed_and_the_input_is_not(operation: WaveOperation) -> None:
    wave_BS = torch.from_numpy(stream("wave").standard_normal((6, SAMPLES), dtype=np.float32))
    given = wave_BS.clone()
    draws = [operation.draw(stream(operation.name, i), SAMPLES, SAMPLES) for i in range(6)]
    assert 0 < sum(draw is not None for draw in draws) < 6
    out_BS = operation.apply(wave_BS, draws, [SAMPLES] * 6)
    assert torch.equal(wave_BS, given)
    for row, draw in enumerate(draws):
        assert torch.equal(out_BS[row], given[row]) == (draw is None)


@pytest.mark.parametrize("operation", mel_operations(0.5), ids=lambda operation: operation.name)
def test_only_maps_with_a_draw_are_changed_and_the_input_is_not(operation: MelOperation) -> None:
    mel_BCTF = torch.rand(6, 2, 60, 40, generator=torch.Generator().manual_seed(0))
    given = mel_BCTF.clone()
    draws = [operation.draw(stream(operation.name, i), 60, 40) for i in range(6)]
    assert 0 < sum(draw is not None for draw in draws) < 6
    out_BCTF = operation.apply(mel_BCTF, draws)
    assert torch.equal(mel_BCTF, given)
    for row, draw in enumerate(draws):
        assert torch.equal(out_BCTF[row], given[row]) == (draw is None)
        assert torch.equal(out_BCTF[row, 0] == -1, out_BCTF[row, 1] == -1), "channels share their masks"


def test_the_coin_is_the_first_number_of_the_stream() -> None:
    operation = Gain(GainConfig(p=0.3))
    for i in range(100):
        assert (operation.draw(stream(i), 10, 10) is not None) == (stream(i).random() < 0.3)


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ({"noise": {"p": 1.5}}, "probability that a clip is changed"),
        ({"reverb": {"p": -0.1}}, "probability that a clip is changed"),
        ({"noise": {"min_snr_db": 500}}, "less than or equal to 120"),
        ({"dropblock": {"dp": 1.0}}, "less than 1"),
        ({"dropblock": {"block_size": {"t": 0}}}, "greater than or equal to 1"),
        ({"time_masking": {"tmp": -1}}, "greater than or equal to 0"),
        ({"freq_masking": {"num": -2}}, "greater than or equal to 0"),
        ({"mixup": {"alpha": 0}}, "greater than 0"),
        ({"mel_mixup": {"min_ratio": 1}}, "less than 1"),
        ({"timemix": {"min_ratio": -0.1}}, "greater than or equal to 0"),
        ({"freqmix": {"p": 2}}, "probability that a clip is changed"),
        ({"cutmix": {"alpha": -1}}, "greater than 0"),
        ({"speed": {"min": 0}}, r"greater than or equal to 0\.25"),
        ({"speed": {"values": [1.1, 9]}}, "less than or equal to 4"),
        ({"speed": {"values": []}}, "at least 1 item"),
        ({"noise": {"colour": []}}, "at least 1 item"),
        ({"segment_gain": {"length_s": 0}}, "greater than 0"),
        ({"wave_masking": {"length_s": -1}}, "greater than 0"),
        ({"shift": {"max_s": 0}}, "greater than 0"),
        ({"sine": {"max_hz": -1}}, "greater than or equal to 0"),
        ({"sine": {"max_snr_db": 200}}, "less than or equal to 120"),
        ({"phase_noise": {"max_depth": 7}}, r"less than or equal to 3\.14"),
        ({"gain": {"max_db": 90}}, "less than or equal to 60"),
        ({"cyclic_shift": {"max_s": 0}}, "greater than 0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_limit(section: dict, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as error:
        AugmentationConfig.model_validate(section)
    [(name, keys)] = section.items()
    assert all(fault["loc"][:2] == (name, *keys) for fault in error.value.errors())


def test_every_field_is_explained() -> None:
    schema = AugmentationConfig.model_json_schema()
    sections = {"augmentation": schema, **schema["$defs"]}
    assert len(sections) > len(AugmentationConfig.operations())
    for title, section in sections.items():
        assert section.get("description"), title
        for name, field in section.get("properties", {}).items():
            assert field.get("description") or "$ref" in str(field), f"{title}.{name}"
