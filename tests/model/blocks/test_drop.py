"""DropBlock in the network: share, blocks, rescaling, and that it is still outside training."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from audiosurvey.model.blocks.drop import DropBlock2d, DropItem, set_progress


def dropped(block: DropBlock2d, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return block.train()(x)


def test_nothing_changes_in_evaluation() -> None:
    x = torch.randn(4, 3, 20, 16)
    assert torch.equal(DropBlock2d(1.0, 0.5, 4, 2).eval()(x), x)


@pytest.mark.parametrize(("p", "dp"), [(0.0, 0.5), (1.0, 0.0)])
def test_nothing_changes_where_nothing_is_asked_for(p: float, dp: float) -> None:
    x = torch.randn(4, 3, 20, 16)
    assert torch.equal(dropped(DropBlock2d(p, dp, 4, 2), x), x)


@pytest.mark.parametrize("size", [(8, 4), (5, 2), (1, 1), (4, 3), (100, 100)])
def test_the_mean_share_is_dp(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    keep = DropBlock2d(1.0, 0.25, *size).draw_keep(4000, 24, 12, torch.device("cpu"))
    # The deviation of a clip's share is at most 0.5; of the mean of 4000 clips 0.008.
    assert (1 - keep.mean()).item() == pytest.approx(0.25, abs=0.03)


def test_p_is_the_chance_of_each_single_clip() -> None:
    torch.manual_seed(2)
    keep = DropBlock2d(0.25, 0.9, 4, 4).draw_keep(4000, 16, 16, torch.device("cpu"))
    touched = (keep.amin(dim=(1, 2, 3)) == 0).float().mean().item()
    assert touched == pytest.approx(0.25, abs=0.03)


def test_clips_differ_and_channels_of_a_clip_share_their_blocks() -> None:
    hidden = dropped(DropBlock2d(1.0, 0.4, 4, 3), torch.ones(6, 5, 30, 20)) == 0
    assert torch.equal(hidden[:, :1].expand_as(hidden), hidden)
    assert len({tuple(clip.flatten().tolist()) for clip in hidden[:, 0]}) == 6


def test_what_is_left_is_rescaled_for_each_clip() -> None:
    out = dropped(DropBlock2d(1.0, 0.4, 4, 3), torch.ones(16, 2, 30, 20))
    torch.testing.assert_close(out.mean(dim=(1, 2, 3)), torch.ones(16))


def test_dropped_cells_come_in_whole_blocks() -> None:
    hidden = dropped(DropBlock2d(1.0, 0.1, 4, 3), torch.ones(32, 1, 30, 20))[:, 0] == 0
    windows = hidden.unfold(1, 4, 1).unfold(2, 3, 1).all(-1).all(-1)
    for clip, whole in zip(hidden, windows, strict=True):
        covered = torch.zeros_like(clip)
        for t, f in whole.nonzero().tolist():
            covered[t : t + 4, f : f + 3] = True
        assert torch.equal(covered, clip)


def test_a_clip_that_loses_everything_is_zero_not_infinite() -> None:
    out = dropped(DropBlock2d(1.0, 0.9, 50, 50), torch.ones(64, 1, 10, 10))
    assert torch.isfinite(out).all()
    assert (out.flatten(1).amax(1) == 0).any()


def test_16_bit_maps_stay_16_bit() -> None:
    assert dropped(DropBlock2d(1.0, 0.5, 4, 2), torch.ones(2, 3, 20, 16).bfloat16()).dtype == torch.bfloat16


def test_the_same_seed_hides_the_same() -> None:
    x = torch.randn(4, 3, 20, 16)
    block = DropBlock2d(0.5, 0.5, 4, 2)
    assert torch.equal(dropped(block, x, 5), dropped(block, x, 5))
    assert not torch.equal(dropped(block, x, 5), dropped(block, x, 6))


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.5, 0.15), (1.0, 0.3)])
def test_the_linear_schedule_is_realised_at_start_middle_and_end(progress: float, share: float) -> None:
    block = DropBlock2d(1.0, 0.3, 4, 3, rises=True)
    set_progress(nn.Sequential(block), progress)
    hidden = (dropped(block, torch.ones(3000, 1, 24, 12)) == 0).float().mean().item()
    assert hidden == pytest.approx(share, abs=0.01 * (progress > 0))


def test_without_a_schedule_the_share_is_constant() -> None:
    block = DropBlock2d(1.0, 0.3, 4, 3)
    set_progress(block, 0.0)
    assert block.share == 0.3


def test_until_told_otherwise_a_rising_share_is_at_its_end() -> None:
    assert DropBlock2d(1.0, 0.3, 4, 3, rises=True).share == 0.3


def test_by_name_and_by_position() -> None:
    shape = (1, 20, 16)
    named = DropItem(drop={"p": 0.5, "dp": 0.2, "t": 4, "f": 2, "schedule": "linear"})
    placed = DropItem(drop=[0.5, 0.2, 4, 2])
    for item, rises in ((named, True), (placed, False)):
        block = item.build(shape)
        assert isinstance(block, DropBlock2d)
        assert (block.p, block.dp, block.block_t, block.block_f, block.rises) == (0.5, 0.2, 4, 2, rises)
    assert named.text() == "drop: {p: 0.5, dp: 0.2, t: 4, f: 2, schedule: linear}"
    assert placed.text() == "drop: [0.5, 0.2, 4, 2]"


@pytest.mark.parametrize(
    ("value", "where", "words"),
    [
        ({"p": 0.5, "dp": 0.2, "t": 4}, ("drop", "f"), "Field required"),
        ({"p": 0.5, "dp": 1, "t": 4, "f": 2}, ("drop", "dp"), "Input should be less than 1"),
        ({"p": 0.5, "dp": 0.1, "t": 4, "f": 2, "schedule": "liner"}, ("drop", "schedule"), "'linear'"),
        ([0.5, 0.2, 4, 2, "linear"], ("drop",), "takes four numbers"),
        ("linear", ("drop",), "takes four numbers"),
    ],
)
def test_faults_are_of_the_form_that_was_meant(value: object, where: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        DropItem.model_validate({"drop": value})
    (error,) = caught.value.errors()
    assert error["loc"] == where
    assert words in error["msg"]
