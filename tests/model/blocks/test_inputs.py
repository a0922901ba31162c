"""Networks that hear the wave, alone or beside the mel spectrogram: branches, what is refused, and that checkpointing,
freezing and description know them."""

from typing import Any

import pytest
import torch
from torch import nn

from audiosurvey.model.blocks.inputs import Join
from audiosurvey.model.checkpointing import segments
from audiosurvey.model.describe import describe
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network

WAVE, MEL = (1, 640), (1, 11, 8)
BOTH: list[dict[str, Any]] = [
    {"input": "wave"},
    {"conv_block": {"channels": 16, "layers": 1, "kernel": [11, 1], "stride": [4, 1], "pool": [16, 1]}},
    {"dropout": 0.5},
    {"channels_to_bands": 8},
    {"input": "mel"},
    {"conv_block": {"channels": 3, "layers": 1, "pool": [1, 1]}},
    {"join": "channels"},
    {"residual": {"channels": 8, "dropout": 0.2}},
    {"pooling": {"mode": "avg", "flat": False}},
]


def model(*blocks: dict[str, Any]) -> ModelConfig:
    return ModelConfig.model_validate({"blocks": list(blocks)})


def both(use_checkpoint: bool = False) -> Network:
    network = build_network(model(*BOTH), input_shape=(WAVE, MEL), classes=3, seed=0, standardize="batch_norm")
    network.use_checkpoint = use_checkpoint
    return network


def heard(clips: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(clips, *WAVE, generator=generator), torch.randn(clips, *MEL, generator=generator)


@pytest.mark.parametrize(
    ("blocks", "hears"),
    [
        ([{"fc": 3}], ("mel",)),
        ([{"input": "mel"}], ("mel",)),
        ([{"input": "wave"}], ("wave",)),
        ([{"input": "mel"}, {"input": "wave"}], ("wave", "mel")),
        ([{"norm": "batch"}, {"input": "wave"}], ("wave", "mel")),
    ],
)
def test_what_a_network_hears_follows_from_its_blocks(blocks: list[dict[str, Any]], hears: tuple[str, ...]) -> None:
    assert model(*blocks).hears == hears


def test_branches_are_what_they_are_alone() -> None:
    network = both().eval()
    wave_B1S, mel_BCTF = heard()
    with torch.no_grad():
        wave = network.blocks[3](network.blocks[1](wave_B1S.unsqueeze(-1)))
        mel = network.blocks[5](network.standardize(mel_BCTF))
        # Ten frames of the wave: the eleventh of the spectrogram has nothing beside it.
        joined = torch.cat([wave, mel[:, :, :10]], dim=1)
        expected = network.classifier(network.blocks[8](network.blocks[7](joined)))
        assert torch.equal(network((wave_B1S, mel_BCTF)), expected)


def test_a_branch_that_is_not_begun_by_name_hears_the_spectrogram() -> None:
    # The same network with the branches in the other order, and the first of them without `input`.
    blocks = [*BOTH[5:6], *BOTH[:4], *BOTH[6:]]
    network = build_network(model(*blocks), input_shape=(WAVE, MEL), classes=3, seed=0).eval()
    wave_B1S, mel_BCTF = heard()
    mel, wave = network.blocks[0](mel_BCTF), network.blocks[4](network.blocks[2](wave_B1S.unsqueeze(-1)))
    expected = network.blocks[7](network.blocks[6](torch.cat([mel[:, :, :10], wave], dim=1)))
    assert torch.equal(network.embed((wave_B1S, mel_BCTF)), expected)


def test_a_network_of_waves_has_no_norm_of_bands() -> None:
    blocks = [{"input": "wave"}, {"wave_conv": {"channels": 4}}, {"pooling": {}}]
    network = build_network(model(*blocks), input_shape=WAVE, classes=3, seed=0, standardize="batch_norm")
    assert isinstance(network.standardize, nn.Identity)
    assert network(heard()[0]).shape == (4, 3)


@pytest.mark.parametrize(
    ("blocks", "index", "words"),
    [
        (
            [{"input": "wave"}, {"input": "mel"}, {"pooling": {}}],
            2,
            "2 branches are left; concatenate",
        ),
        ([{"input": "mel"}, {"join": "channels"}, {"pooling": {}}], 1, "join: there is one branch only; begin another"),
        ([{"input": "wave"}, {"input": "mel"}, {"join": "channels"}], 2, r"1 x 640 x 1, .* and 1 x 11 x 8"),
        ([{"input": "wave"}, {"pooling": {}}, {"input": "mel"}, {"join": "channels"}], 3, "join: needs a map"),
    ],
)
def test_branches_that_do_not_come_together(blocks: list[dict[str, Any]], index: int, words: str) -> None:
    (fault,) = shape_faults(model(*blocks), (WAVE, MEL) if len(model(*blocks).hears) == 2 else MEL)
    assert fault.path == ("model", "blocks", index)
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(fault.message)


@pytest.mark.parametrize("autocast", [False, True])
def test_checkpointing_changes_nothing(autocast: bool) -> None:
    results = []
    for use_checkpoint in (False, True):
        network = both(use_checkpoint)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                loss = network(heard()).square().mean()
            loss.backward()
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        results.append((loss, gradients, dict(network.named_buffers())))
    (loss, gradients, buffers), (again, gradients_again, buffers_again) = results
    assert torch.equal(loss, again)
    torch.testing.assert_close(gradients, gradients_again)
    torch.testing.assert_close(buffers, buffers_again, rtol=0, atol=0)


def test_what_begins_and_joins_branches_is_not_recomputed() -> None:
    network = both()
    parts = [[type(block).__name__ for block in part] for part in segments(network.blocks)]
    assert parts[0] == ["Entry"]
    assert ["Join"] in parts
    assert parts[1] == ["Sequential", "Dropout2d", "ChannelsToBands"]


def test_freezing_the_branch_of_the_spectrogram_freezes_its_norm() -> None:
    network = both()
    network.freeze([0, 1])
    assert network.standardize.training
    assert not any(parameter.requires_grad for parameter in network.blocks[1].parameters())
    network.freeze([4, 5])
    assert not network.standardize.training


def test_the_description_tells_of_both_branches() -> None:
    description = describe(both(), (WAVE, MEL), 3)
    assert description.input_shape == WAVE
    rows = {row.name.split(":")[0]: row for row in description.layers}
    assert rows["0 input"].output_shape == (1, 640, 1)
    # 640 / 4 samples by 16 channels by 11 taps.
    assert rows["1 conv_block"].macs == 160 * 16 * 11
    # Sixteen positions four samples apart, each of them eleven wide; then the spectrogram's own cells.
    assert rows["1 conv_block"].receptive_field == (11 + 15 * 4, 1)
    assert rows["5 conv_block"].receptive_field == (3, 3)
    assert rows["6 join"].output_shape == (5, 10, 8)


def test_join_leaves_out_what_is_longer() -> None:
    maps = [torch.arange(6.0).reshape(1, 1, 3, 2), torch.ones(1, 2, 4, 2)]
    joined = Join()(maps)
    assert joined.shape == (1, 3, 3, 2)
    assert torch.equal(joined[:, :1], maps[0])
