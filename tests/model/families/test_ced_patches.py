"""The `patches` block: each patch embedded by hand, positions by torch's interpolation, and maps that hold no patch."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.model.describe import describe
from audiosurvey.model.families.ced import Patches, resampled, resize_patch_positions
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network


def network(patches: dict, shape: tuple[int, int, int]) -> Network:
    config = ModelConfig.model_validate({"blocks": [{"patches": patches}, {"pooling": {"mode": "avg"}}]})
    return build_network(config, input_shape=shape, classes=2, seed=0)


def test_a_patch_by_hand() -> None:
    block = network({"channels": 5, "size": [4, 3], "positions": 7}, (2, 11, 7)).blocks[0]
    assert isinstance(block, Patches)
    assert block.conv.bias is not None
    x = torch.randn(3, 2, 11, 7)
    found = block(x)
    assert found.shape == (3, 5, 2, 2)
    patch = x[2, :, 4:8, 0:3]
    expected = (block.conv.weight * patch).sum((1, 2, 3)) + block.conv.bias
    expected = expected + block.time_positions[:, 1] + block.band_positions[:, 0]
    torch.testing.assert_close(found[2, :, 1, 0], expected)


def test_parameters_and_shapes() -> None:
    fixed = describe(network({"channels": 8, "size": [4, 4], "positions": 63}, (1, 40, 16)), (1, 40, 16))
    assert fixed.layers[0].parameters == 8 * 16 + 8 + 8 * 63 + 8 * 4
    assert fixed.layers[0].output_shape == (8, 10, 4)
    own = describe(network({"channels": 8, "size": [4, 4]}, (1, 40, 16)), (1, 40, 16))
    assert own.layers[0].parameters == 8 * 16 + 8 + 8 * 10 + 8 * 4


@pytest.mark.parametrize("length", [1, 5, 9, 10, 31])
def test_positions_of_other_lengths(length: int) -> None:
    positions = torch.randn(4, 9)
    stretched = F.interpolate(positions[None], size=length, mode="linear", align_corners=False)[0]
    expected = positions[:, :length] if length <= 9 else stretched
    found = resampled(positions, length)
    assert torch.equal(found, expected) if length <= 9 else torch.allclose(found, expected, atol=1e-6)


def test_a_table_of_positions_from_clips_of_another_length() -> None:
    short, long = Patches(1, 4, (4, 4), 5, 3), Patches(1, 4, (4, 4), 9, 2)
    nn.init.normal_(short.time_positions)
    nn.init.normal_(short.band_positions)
    tensors = {f"0.{name}": value.detach() for name, value in short.state_dict().items()}
    said = resize_patch_positions(tensors, nn.ModuleList([long]))
    assert said == {
        "0.time_positions": "5 positions stretched to 9",
        "0.band_positions": "3 positions cut to 2",
    }
    assert torch.equal(tensors["0.band_positions"], short.band_positions[:, :2])
    assert resize_patch_positions(tensors, nn.ModuleList([long])) == {}


def test_a_map_that_holds_no_patch() -> None:
    with pytest.raises(ValueError, match="3 frames x 16 bands hold no patch of 4 x 4"):
        network({"channels": 8, "size": [4, 4]}, (1, 3, 16))
