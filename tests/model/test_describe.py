"""The description of a network against torch's own counter, counts by hand, and the original system's figures."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

import audiosurvey.presets
from audiosurvey.model.describe import describe, table_rows
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network

PRESET = Path(str(audiosurvey.presets.__file__)).parent / "original.yaml"
# 5 s at 30 kHz: a step of 240 samples, centred: 1 + 150000 // 240 frames.
ORIGINAL_INPUT = (1, 626, 128)

MIXED: list[dict[str, Any]] = [
    {"conv": {"channels": 8, "kernel": [4, 3], "stride": [2, 1], "groups": 1}},
    {"activation": {"swiglu": {"axis": "channel"}}},
    {"res": [6, 10]},
    {"max_pool": [3, 2]},
    {"separable": {"channels": 12, "stride": [1, 2]}},
    {"residual": {"channels": 8, "stride": [2, 1]}},
    {"conv_block": {"channels": 8, "layers": 2, "pool": [2, 2]}},
    {"pooling": {"mode": "avg", "flat": True}},
    {"fc": 9},
    {"activation": "swiglu"},
]


def original() -> ModelConfig:
    return ModelConfig.model_validate(yaml.safe_load(PRESET.read_text(encoding="utf-8"))["model"])


def build(config: ModelConfig, shape: tuple[int, int, int], classes: int, **more: Any) -> Network:
    with torch.device("meta"):
        return build_network(config, input_shape=shape, classes=classes, seed=0, **more)


def test_the_original_has_its_parameters_and_its_cost() -> None:
    description = describe(build(original(), ORIGINAL_INPUT, 50), ORIGINAL_INPUT, 50)
    assert description.parameters == 4_050_004
    assert f"{description.macs / 1e9:.1f}" == "35.0"
    assert description.input_shape == ORIGINAL_INPUT
    assert description.classes == 50
    pooled = description.layers[17]
    assert pooled.name == "17 pooling: {mode: avg, flat: true}"
    assert pooled.output_shape == (16 * 32,)
    assert description.layers[-1].parameters == 128 * 50 + 50


def test_the_shipped_preset_holds_the_originals_values(shared: Path) -> None:
    values = yaml.safe_load((shared / "spec" / "original-config.yaml").read_text(encoding="utf-8"))
    assert yaml.safe_load(PRESET.read_text(encoding="utf-8")) == values


@pytest.mark.parametrize("standardize", ["none", "batch_norm"])
def test_macs_are_half_of_torchs_flops(standardize: str) -> None:
    config, shape = ModelConfig.model_validate({"blocks": MIXED}), (1, 40, 17)
    network = build_network(config, input_shape=shape, classes=4, seed=0, standardize=standardize).eval()  # type: ignore[arg-type]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    description = describe(network, shape, 4)
    assert description.macs == counter.get_total_flops() / 2
    assert description.macs == sum(layer.macs for layer in description.layers)


def test_macs_of_one_convolution_by_hand() -> None:
    config = ModelConfig.model_validate({"blocks": [{"conv": {"channels": 5, "kernel": [3, 2]}}, {"pooling": {}}]})
    description = describe(build(config, (2, 10, 7), 3), (2, 10, 7), 3)
    assert description.layers[0].macs == 10 * 7 * 5 * 2 * 3 * 2
    assert description.layers[0].parameters == 5 * 2 * 3 * 2 + 5
    assert description.layers[-1].macs == 5 * 3


def test_input_normalisation_is_counted_and_statistics_are_not() -> None:
    plain = describe(build(ModelConfig(), (1, 50, 64), 10), (1, 50, 64), 10)
    learned = describe(build(ModelConfig(), (1, 50, 64), 10, standardize="batch_norm"), (1, 50, 64), 10)
    measured = describe(build(ModelConfig(), (1, 50, 64), 10, standardize="statistics"), (1, 50, 64), 10)
    assert learned.parameters == plain.parameters + 2 * 64
    assert measured.parameters == plain.parameters
    assert learned.layers[0].name == "standardize"


def test_parameters_add_up() -> None:
    network = build(ModelConfig.model_validate({"blocks": MIXED}), (1, 40, 17), 4)
    description = describe(network, (1, 40, 17))
    assert description.parameters == sum(layer.parameters for layer in description.layers)
    assert description.parameters == sum(parameter.numel() for parameter in network.parameters())


def test_describing_leaves_the_network_as_it_was() -> None:
    network = build_network(ModelConfig(), input_shape=(1, 30, 32), classes=3, seed=0, standardize="batch_norm")
    before = {name: value.clone() for name, value in network.state_dict().items()}
    describe(network, (1, 30, 32), 3)
    assert network.training
    assert not network.blocks[0]._forward_hooks
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    with pytest.raises(ValueError, match="3 classes, not 4"):
        describe(network, (1, 30, 32), 4)


def test_the_default_network_is_fast() -> None:
    for bands, limit in ((64, 80e6), (128, 150e6)):
        shape = (1, 501, bands)
        assert describe(build(ModelConfig(), shape, 50, standardize="batch_norm"), shape, 50).macs < limit
    assert describe(build(ModelConfig(), (1, 101, 64), 10), (1, 101, 64), 10).macs < 40e6


def test_the_last_layers_see_the_whole_clip() -> None:
    description = describe(build(original(), ORIGINAL_INPUT, 50), ORIGINAL_INPUT)
    # res: two kernels of 5 in a row see 9; a pool of 2 adds one frame.
    assert description.layers[0].receptive_field == (9, 9)
    assert description.layers[1].receptive_field == (10, 9)
    assert description.layers[-1].receptive_field == (626, 128)


def test_the_table_is_plain_text_with_totals() -> None:
    rows = table_rows(describe(build(original(), ORIGINAL_INPUT, 50), ORIGINAL_INPUT))
    assert rows[1] == ("0 res: [32, 32]", "32 x 626 x 128", "26,690", "2,125,635,584", "9 x 9")
    assert rows[-1] == ("total", "", "4,050,004", "35,016,718,592", "")
    assert {len(row) for row in rows} == {5}
