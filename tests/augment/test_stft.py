"""Sizes are the paper's, and spectra that are left alone give the waves back."""

import numpy as np
import pytest
import torch

from audiosurvey.augment.stft import from_polar, overlap_add, sizes, through_spectra
from audiosurvey.randomness import stream


def test_sizes_of_the_paper() -> None:
    assert sizes(22050) == [(512, 128), (1024, 256), (2048, 1024)]
    assert [n_fft for n_fft, _ in sizes(16000)] == [256, 512, 1024]


@pytest.mark.parametrize("hann", [True, False])
@pytest.mark.parametrize("samples", [10, 1000, 4321])
def test_untouched_spectra_give_the_waves_back(hann: bool, samples: int) -> None:
    own_BS, other_BS = torch.from_numpy(stream("waves").standard_normal((2, 4, samples), dtype=np.float32))
    chosen = [sizes(16000)[row % 3] for row in range(4)]
    seen: list[int] = []

    def own(own_BNT: torch.Tensor, other_BNT: torch.Tensor, rows: list[int]) -> torch.Tensor:
        seen.extend(rows)
        return own_BNT

    torch.testing.assert_close(through_spectra((own_BS, other_BS), chosen, own, hann=hann), own_BS, atol=1e-5, rtol=0)
    assert sorted(seen) == [0, 1, 2, 3]
    other = through_spectra((own_BS, other_BS), chosen, lambda mine, theirs, rows: theirs, hann=hann)
    torch.testing.assert_close(other, other_BS, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("n_fft", "hop"), [(16, 4), (32, 16), (8, 8)])
def test_overlapping_frames_are_added(n_fft: int, hop: int) -> None:
    frames_BTN = torch.from_numpy(stream("frames").standard_normal((3, 7, n_fft)))
    expected_BS = torch.zeros(3, n_fft + 6 * hop, dtype=torch.float64)
    for frame in range(7):
        expected_BS[:, frame * hop : frame * hop + n_fft] += frames_BTN[:, frame]
    torch.testing.assert_close(overlap_add(frames_BTN, hop), expected_BS)


def test_polar_form() -> None:
    magnitude, angle = torch.rand(50, 40), 100 * torch.rand(50, 40) - 50
    torch.testing.assert_close(from_polar(magnitude, angle), torch.polar(magnitude, angle), atol=1e-6, rtol=0)
