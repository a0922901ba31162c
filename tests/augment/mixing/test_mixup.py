"""Mixtures sound as loud as their label says."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from audiosurvey.augment.mixing.mixup import Mixup, MixupConfig, RatioDraw, level_aware_gains
from audiosurvey.randomness import stream


def tone(level: float, step: float, samples: int = 6000) -> torch.Tensor:
    return level * math.sqrt(2) * torch.sin(torch.arange(samples) * step)


def mix(waves: list[torch.Tensor], ratio: float, config: MixupConfig) -> tuple[torch.Tensor, float]:
    own_BS, other_BS = (wave[None] for wave in waves)
    valids = (torch.tensor([own_BS.shape[1]]), torch.tensor([other_BS.shape[1]]))
    mixed_BS, weight_B = Mixup(config).mix((own_BS, other_BS), valids, [RatioDraw(ratio)])
    return mixed_BS[0], weight_B.item()


def test_plain_mixup_is_the_weighted_sum() -> None:
    waves = [tone(0.1, 0.3), tone(0.2, 0.7)]
    for label in ("ratio", "gain"):
        mixed_S, weight = mix(waves, 0.25, MixupConfig(p=1, level_aware=False, label=label))
        torch.testing.assert_close(mixed_S, 0.25 * waves[0] + 0.75 * waves[1])
        assert weight == pytest.approx(0.25)


def test_level_aware_gains_by_the_published_formula() -> None:
    power, partner_power, ratio = 0.04, 0.0009, 0.3
    level_db, partner_db = 10 * math.log10(power), 10 * math.log10(partner_power)
    p = 1 / (1 + 10 ** ((level_db - partner_db) / 20) * (1 - ratio) / ratio)
    norm = math.sqrt(p**2 + (1 - p) ** 2)
    gains = level_aware_gains(torch.tensor([ratio]), torch.tensor([power]), torch.tensor([partner_power]))
    torch.testing.assert_close(torch.cat(gains), torch.tensor([p / norm, (1 - p) / norm]))


def test_the_label_goes_by_what_is_heard_or_by_the_gain() -> None:
    waves, ratio = [tone(0.2, 0.3), tone(0.05, 0.7)], 0.3
    by_ratio, by_gain = (mix(waves, ratio, MixupConfig(p=1, label=label)) for label in ("ratio", "gain"))
    torch.testing.assert_close(by_ratio[0], by_gain[0])
    assert by_ratio[1] == pytest.approx(ratio)
    assert by_gain[1] == pytest.approx(1 / (1 + 4 * 0.7 / 0.3), rel=1e-3), "the louder clip is turned down fourfold"


def test_a_mixture_is_as_long_as_the_longer_clip() -> None:
    mixup = Mixup(MixupConfig(p=1))
    assert [mixup.valid_after(RatioDraw(0.5), *valids, 10) for valids in ((4, 6), (9, 2))] == [6, 9]


@settings(deadline=None)
@given(st.floats(0.05, 0.95), st.floats(0.003, 0.5), st.floats(0.003, 0.5))
def test_what_is_heard_has_the_ratio_of_the_label(ratio: float, level: float, partner_level: float) -> None:
    one, zero = tone(level, 0.3), torch.zeros(6000)
    own_B, other_B = level_aware_gains(
        torch.tensor([ratio]), one.square().mean()[None], torch.tensor([partner_level**2])
    )
    heard, partner_heard = own_B.item() * level, other_B.item() * partner_level
    assert heard / (heard + partner_heard) == pytest.approx(ratio, rel=1e-2)
    assert own_B.item() ** 2 + other_B.item() ** 2 == pytest.approx(1, rel=1e-4)
    assert torch.isfinite(mix([one, zero], ratio, MixupConfig(p=1))[0]).all()


def test_a_quiet_clip_is_raised_to_its_share() -> None:
    quiet, loud = tone(0.001, 0.3), tone(0.3, 0.7)
    mixed_S, _ = mix([quiet, loud], 0.5, MixupConfig(p=1))
    heard = [2 * (mixed_S @ wave) / len(wave) / wave.square().mean().sqrt() for wave in (quiet, loud)]
    assert heard[0] == pytest.approx(heard[1].item(), rel=0.02)


@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.0])
def test_silence_on_either_side_gives_no_nan_and_the_plain_ratio(ratio: float) -> None:
    sound, silence = tone(0.1, 0.3), torch.zeros(6000)
    norm = math.sqrt(ratio**2 + (1 - ratio) ** 2)
    torch.testing.assert_close(mix([sound, silence], ratio, MixupConfig(p=1))[0], sound * ratio / norm)
    assert torch.equal(mix([silence, silence], ratio, MixupConfig(p=1))[0], silence)


def test_the_ends_of_the_ratio_are_the_clips_themselves() -> None:
    waves = [tone(0.1, 0.3), tone(0.2, 0.7)]
    torch.testing.assert_close(mix(waves, 1.0, MixupConfig(p=1))[0], waves[0])
    torch.testing.assert_close(mix(waves, 0.0, MixupConfig(p=1))[0], waves[1])


def drawn(**keys: object) -> list[float]:
    mixup = Mixup(MixupConfig.model_validate({"p": 1, **keys}))
    return sorted(mixup.draw(stream(i)).ratio for i in range(400))


def test_ratios_are_spread_as_asked() -> None:
    even = drawn()
    assert even[100] == pytest.approx(0.25, abs=0.07)
    assert even[300] == pytest.approx(0.75, abs=0.07)
    pure = drawn(alpha=0.2)
    assert sum(0.1 < ratio < 0.9 for ratio in pure) < 200
    assert drawn(min_ratio=0.1) == pytest.approx([0.1 + 0.9 * ratio for ratio in even])
    assert drawn(dominant=True) == pytest.approx(sorted(max(ratio, 1 - ratio) for ratio in even))
    assert drawn(dominant=True, alpha=0.3)[200] > 0.85, "most clips stay nearly pure"


@pytest.mark.parametrize(("key", "value", "reason"), [("min_ratio", 1, "less than 1"), ("alpha", 0, "greater than 0")])
def test_what_leaves_nothing_to_draw_is_refused(key: str, value: float, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        MixupConfig.model_validate({key: value})
