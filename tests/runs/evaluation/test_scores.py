"""One score a clip, whatever its length and whichever way the batches are gone through."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from audiosurvey.data.store.store import Store, prepare
from audiosurvey.data.table import Clip, Table, truth
from audiosurvey.errors import UserError
from audiosurvey.runs.evaluation.scores import score_windows

WINDOW = 100


class Loudness(nn.Module):
    """In place of front end and network: the mean of a window is its logit for class 1."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
        mean_B = x_BCTF.mean(dim=(1, 2, 3)) * self.weight
        return torch.stack([torch.zeros_like(mean_B), mean_B], dim=1)


def as_map(wave_BS: torch.Tensor) -> torch.Tensor:
    return wave_BS[:, None, :, None]


@pytest.fixture
def sounds(tmp_path: Path) -> tuple[Store, tuple[Clip, ...]]:
    """Clips of 250, 100, 40 and 100 samples; the third is silent."""
    waves = [np.linspace(-0.5, 0.5, 250), np.full(100, 0.25), np.zeros(40), np.full(100, -0.25)]
    clips = []
    for number, wave in enumerate(waves):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, wave, 8000, subtype="FLOAT")
        clips.append(Clip(f"{number}.wav", path, (number % 2,)))
    table = Table("folder", tmp_path, ("quiet", "loud"), tuple(clips))
    return prepare(table, sample_rate=8000, mono="mean"), table.clips


def scores(sounds: tuple[Store, tuple[Clip, ...]], network: nn.Module | None = None, **options: object) -> np.ndarray:
    arguments: dict[str, object] = {"clip_samples": WINDOW, "pad": "zeros", "batch_size": 2} | options
    scored = score_windows(network or Loudness(), as_map, lambda x: x, *sounds, **arguments)  # type: ignore[arg-type]
    return scored.sounds_NK


def test_windows_of_a_clip_are_averaged_and_no_clip_is_dropped(sounds):
    ramp = np.linspace(-0.5, 0.5, 250)
    three = [ramp[at : at + WINDOW].mean() for at in (0, 75, 150)]
    wanted = [np.mean(three), 0.25, 0.0, -0.25]
    found = scores(sounds)
    assert found.shape == (4, 2)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, 1], wanted, atol=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 100])
@pytest.mark.parametrize("num_workers", [0, 2])
def test_neither_order_nor_batches_nor_threads_change_a_score(sounds, batch_size, num_workers):
    usual = scores(sounds)
    for reverse in (False, True):
        found = scores(sounds, batch_size=batch_size, num_workers=num_workers, reverse=reverse)
        np.testing.assert_allclose(found, usual, atol=1e-6)


def test_the_network_is_evaluated_not_trained(sounds):
    network = nn.Sequential(Loudness(), nn.BatchNorm1d(2), nn.Dropout(0.9)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    np.testing.assert_array_equal(scores(sounds, network), scores(sounds, network))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_scores_that_are_not_finite_name_their_clips(sounds):
    class Dividing(Loudness):
        def forward(self, x_BCTF: torch.Tensor) -> torch.Tensor:
            logits = super().forward(x_BCTF)
            return logits / logits.abs().sum(dim=1, keepdim=True)

    with pytest.raises(UserError, match=r"not finite.*Clips: 2.wav$"):
        scores(sounds, Dividing())


def test_truth_has_a_one_for_each_label():
    clips = [Clip("a", Path("a"), (2,)), Clip("b", Path("b"), (0, 1)), Clip("c", Path("c"), ())]
    assert truth(clips, 3).tolist() == [[0, 0, 1], [1, 1, 0], [0, 0, 0]]
