"""Below the cut one clip is heard, above it the other."""

import numpy as np
import pytest
import torch

from audiosurvey.augment.mixing.freqmix import Freqmix, FreqmixConfig, FreqmixDraw
from audiosurvey.randomness import stream

RATE = 16000
SAMPLES = 8000


def mixing(**keys: float) -> Freqmix:
    return Freqmix(FreqmixConfig(p=1, **keys), sample_rate=RATE)


def tones(*hertz: float) -> torch.Tensor:
    seconds = torch.arange(SAMPLES) / RATE
    return torch.stack([torch.sin(2 * torch.pi * each * seconds) for each in hertz]).sum(0)


def level(wave_S: torch.Tensor, hertz: float) -> float:
    """Amplitude of a tone in the middle of the wave."""
    middle = wave_S[1000:7000].double().numpy() * np.hanning(6000)
    return float(np.abs(np.fft.rfft(middle))[round(hertz * 6000 / RATE)] / 1500)


@pytest.mark.parametrize("size", range(3))
@pytest.mark.parametrize(("replaced", "ratio"), [("low", 0.75), ("high", 0.5)])
def test_each_side_of_the_cut_is_one_clips(size: int, replaced: str, ratio: float) -> None:
    own, other = tones(800, 3600, 6400), tones(1200, 3200, 6800)
    valid_B = torch.tensor([SAMPLES])
    draw = FreqmixDraw(ratio, replaced, size)
    mixed_BS, weight_B = mixing().mix((own[None], other[None]), (valid_B, valid_B), [draw])
    cut = 2000 if replaced == "low" else 4000
    for hertz, is_own in {800: 1, 3600: 1, 6400: 1, 1200: 0, 3200: 0, 6800: 0}.items():
        stays = is_own == ((hertz > cut) == (replaced == "low"))
        assert level(mixed_BS[0], hertz) == pytest.approx(1 if stays else 0, abs=0.01), hertz
    assert weight_B.item() == pytest.approx(ratio)


def test_all_stays_at_a_share_of_1_and_the_longer_clip_sets_the_length() -> None:
    waves = torch.from_numpy(stream("waves").standard_normal((2, 1, 3000), dtype=np.float32))
    draw = FreqmixDraw(1.0, "low", 0)
    mixed_BS, _ = mixing().mix((waves[0], waves[1]), (torch.tensor([10]), torch.tensor([3000])), [draw])
    torch.testing.assert_close(mixed_BS, waves[0], atol=1e-5, rtol=0)
    assert mixing().valid_after(draw, 10, 3000, SAMPLES) == 3000


def test_both_ends_of_the_window_are_as_loud_as_its_middle() -> None:
    waves = torch.from_numpy(stream("waves").standard_normal((2, 40, 3001), dtype=np.float32))
    valid_B = torch.full((40,), 3001)
    draws = [mixing().draw(stream(i)) for i in range(40)]
    mixed_BS, _ = mixing().mix((waves[0], waves[1]), (valid_B, valid_B), draws)
    middle = mixed_BS[:, 100:-100].std().item()
    assert mixed_BS[:, :10].std().item() == pytest.approx(middle, rel=0.2)
    assert mixed_BS[:, -10:].std().item() == pytest.approx(middle, rel=0.2)


def test_clips_of_all_sizes_are_mixed_each_as_alone() -> None:
    waves = torch.from_numpy(stream("waves").standard_normal((2, 6, 3000), dtype=np.float32))
    valid_B = torch.full((6,), 3000)
    draws = [mixing().draw(stream(i)) for i in range(6)]
    assert len({draw.size for draw in draws}) > 1
    together_BS, weight_B = mixing().mix((waves[0], waves[1]), (valid_B, valid_B), draws)
    for row in range(6):
        pair = (waves[0, [row]], waves[1, [row]])
        alone_BS, alone_B = mixing().mix(pair, (valid_B[:1], valid_B[:1]), [draws[row]])
        torch.testing.assert_close(together_BS[row], alone_BS[0], atol=1e-5, rtol=0)
        assert weight_B[row] == alone_B[0]


def test_shares_sides_and_sizes_are_drawn_alike() -> None:
    draws = [mixing(min_ratio=0.5).draw(stream(i)) for i in range(600)]
    assert np.allclose(np.quantile([d.ratio for d in draws], [0, 0.5, 1]), [0.5, 0.75, 1], atol=0.03)
    assert 240 < sum(d.replaced == "low" for d in draws) < 360
    assert min(np.bincount([d.size for d in draws])) > 150
