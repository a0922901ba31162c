"""Mixtures sound as loud as their label says, and labels add up."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.augmentation.mixing import Mixup, MixupConfig, MixupDraw, level_aware_gains
from audiosurvey.randomness import stream


def tone(level: float, step: float, samples: int = 6000) -> torch.Tensor:
    return level * math.sqrt(2) * torch.sin(torch.arange(samples) * step)


def mix(waves: list[torch.Tensor], ratio: float, config: MixupConfig) -> tuple[torch.Tensor, torch.Tensor]:
    own_BS, other_BS = (wave[None] for wave in waves)
    valids = (torch.tensor([own_BS.shape[1]]), torch.tensor([other_BS.shape[1]]))
    targets = (torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 1, 0]]))
    mixed_BS, target_BK = Mixup(config).apply((own_BS, other_BS), valids, targets, [MixupDraw(0, ratio)])
    return mixed_BS[0], target_BK[0]


def test_plain_mixup_is_the_weighted_sum() -> None:
    waves = [tone(0.1, 0.3), tone(0.2, 0.7)]
    mixed_S, target_K = mix(waves, 0.25, MixupConfig(p=1, level_aware=False))
    torch.testing.assert_close(mixed_S, 0.25 * waves[0] + 0.75 * waves[1])
    torch.testing.assert_close(target_K, torch.tensor([0.25, 0.75, 0]))


def test_level_aware_gains_by_the_published_formula() -> None:
    power, partner_power, ratio = 0.04, 0.0009, 0.3
    level_db, partner_db = 10 * math.log10(power), 10 * math.log10(partner_power)
    p = 1 / (1 + 10 ** ((level_db - partner_db) / 20) * (1 - ratio) / ratio)
    norm = math.sqrt(p**2 + (1 - p) ** 2)
    gains = level_aware_gains(torch.tensor([ratio]), torch.tensor([power]), torch.tensor([partner_power]))
    torch.testing.assert_close(torch.cat(gains), torch.tensor([p / norm, (1 - p) / norm]))


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


@settings(deadline=None)
@given(st.integers(1, 6), st.integers(0, 10**6))
def test_a_clip_is_never_its_own_partner(clips: int, seed: int) -> None:
    mixup = Mixup(MixupConfig(p=1))
    for own in range(clips):
        draw = mixup.draw(stream(seed, own), clips, own)
        if clips == 1:
            assert draw is None
        else:
            assert draw is not None
            assert draw.partner != own
            assert 0 <= draw.partner < clips
            assert 0 <= draw.ratio <= 1


def test_all_others_are_drawn_alike() -> None:
    mixup = Mixup(MixupConfig(p=1))
    partners = [draw.partner for i in range(1000) if (draw := mixup.draw(stream(i), 5, 2))]
    counts = torch.bincount(torch.tensor(partners), minlength=5)
    assert counts[2] == 0
    assert counts[[0, 1, 3, 4]].min() > 200


def test_p_0_mixes_nothing() -> None:
    assert all(Mixup(MixupConfig()).draw(stream(i), 5, 2) is None for i in range(50))
