"""What a clip becomes does not hang on the last bits of its spectra: each device rounds them in its own way."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from audiosurvey.augment.settings import MEL_MIXINGS, WAVE_MIXINGS


def rounded_once(transform: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """The same spectra by way of float64: other last bits than those of float32."""

    def exact(wave: torch.Tensor, *sizes: Any, **settings: Any) -> torch.Tensor:
        if "window" in settings:
            settings["window"] = settings["window"].double()
        return transform(wave.double(), *sizes, **settings).to(torch.complex64)

    return exact


@pytest.mark.parametrize("mixing", WAVE_MIXINGS + MEL_MIXINGS)
def test_other_last_bits_make_the_same_batch(
    mixing: str, augmented: Any, assert_heard_alike: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected_BCTF, truth_BK = augmented(mixing, "last")
    monkeypatch.setattr(torch, "stft", rounded_once(torch.stft))
    monkeypatch.setattr(torch.fft, "rfft", rounded_once(torch.fft.rfft))
    found_BCTF, target_BK = augmented(mixing, "last")
    assert not torch.equal(found_BCTF, expected_BCTF)
    assert_heard_alike((found_BCTF, target_BK), (expected_BCTF, truth_BK))
