"""Magnitudes stay, phases move; the clip keeps half of the label at least."""

import numpy as np
import pytest
import torch

from audiosurvey.augment.mixing.phmix import Phmix, PhmixConfig, PhmixDraw, phase
from audiosurvey.randomness import stream

RATE = 16000


def mixing() -> Phmix:
    return Phmix(PhmixConfig(p=1), sample_rate=RATE)


def waves(batch: int, samples: int = 6000) -> tuple[torch.Tensor, torch.Tensor]:
    own_BS, other_BS = torch.from_numpy(stream("waves").standard_normal((2, batch, samples), dtype=np.float32))
    return own_BS, other_BS


def mix(pair: tuple[torch.Tensor, torch.Tensor], ratio: float, size: int = 1) -> tuple[torch.Tensor, float]:
    valid_B = torch.tensor([pair[0].shape[1]])
    mixed_BS, weight_B = mixing().mix(pair, (valid_B, valid_B), [PhmixDraw(ratio, size)])
    return mixed_BS, weight_B.item()


@pytest.mark.parametrize("size", range(3))
def test_all_of_its_own_phase_is_the_clip_itself(size: int) -> None:
    pair = waves(1)
    mixed_BS, weight = mix(pair, 1.0, size)
    torch.testing.assert_close(mixed_BS, pair[0], atol=1e-4, rtol=0)
    assert weight == pytest.approx(1)


def test_the_label_keeps_half_at_least() -> None:
    assert mix(waves(1), 0.0)[1] == pytest.approx(0.5)
    assert mix(waves(1), 0.4)[1] == pytest.approx(0.7)


def test_a_tone_takes_a_phase_between_the_two() -> None:
    # A whole number of turns in every frame and hop of 512 and 128 samples, so that all frames have the same phase.
    place_S = 2 * torch.pi * 16 / 128 * torch.arange(8192)
    pair = (0.5 * torch.cos(place_S + 0.2)[None], 0.1 * torch.cos(place_S + 1.2)[None])
    mixed_BS, _ = mix(pair, 0.25)
    expected_S = 0.5 * torch.cos(place_S + 0.25 * 0.2 + 0.75 * 1.2)
    torch.testing.assert_close(mixed_BS[0, 1024:-1024], expected_S[1024:-1024], atol=1e-3, rtol=0)


def test_the_clip_is_heard_through_another_phase() -> None:
    seconds = torch.arange(8000) / RATE
    own_BS = torch.sin(2 * torch.pi * 1000 * seconds)[None]
    other_BS = torch.from_numpy(stream("noise").standard_normal((1, 8000), dtype=np.float32))
    spectrum = torch.fft.rfft(mix((own_BS, other_BS), 0.6)[0][0])
    power = spectrum.abs().square()
    assert power[400:600].sum() / power.sum() > 0.5, "most of the power stays within 200 Hz of the tone"


def test_a_silent_partner_has_no_phase_and_a_silent_clip_stays_silent() -> None:
    own_BS, _ = waves(1)
    torch.testing.assert_close(mix((own_BS, torch.zeros_like(own_BS)), 0.3)[0], own_BS, atol=1e-4, rtol=0)
    assert torch.equal(mix((torch.zeros_like(own_BS), own_BS), 0.3)[0], torch.zeros_like(own_BS))


def test_where_the_partner_has_ended_the_rounding_left_by_other_operations_has_no_phase() -> None:
    own_BS, other_BS = waves(1)
    other_BS[:, 2000:] *= 1e-8
    mixed_BS, _ = mix((own_BS, other_BS), 0.3)
    assert not torch.allclose(mixed_BS[0, :1500], own_BS[0, :1500], atol=0.1)
    torch.testing.assert_close(mixed_BS[0, 3000:], own_BS[0, 3000:], atol=1e-4, rtol=0)


def test_padding_stays_silent_to_the_frame() -> None:
    own_BS, other_BS = waves(1)
    own_BS[:, 3000:] = 0
    mixed_BS, _ = mix((own_BS, other_BS), 0.2)
    assert mixed_BS[0, :3000].abs().max() > 0.5
    assert mixed_BS[0, 3600:].abs().max() < 1e-6


def test_the_sign_of_a_zero_turns_nothing() -> None:
    real = torch.complex(torch.tensor([-1.0, -1.0, 2.0]), torch.tensor([0.0, -0.0, -0.0]))
    torch.testing.assert_close(phase(real), torch.tensor([torch.pi, torch.pi, 0.0]))


def test_clips_of_all_sizes_are_mixed_each_as_alone() -> None:
    own_BS, other_BS = waves(6)
    valid_B = torch.full((6,), 6000)
    draws = [mixing().draw(stream(i)) for i in range(6)]
    assert len({draw.size for draw in draws}) > 1
    together_BS, _ = mixing().mix((own_BS, other_BS), (valid_B, valid_B), draws)
    assert mixing().valid_after(draws[0], 6000, 100, 8000) == 6000
    for row in range(6):
        pair = (own_BS[[row]], other_BS[[row]])
        alone_BS, _ = mixing().mix(pair, (valid_B[:1], valid_B[:1]), [draws[row]])
        torch.testing.assert_close(together_BS[row], alone_BS[0], atol=1e-5, rtol=0)
