"""The grammar: what is read, what is refused and in which words, and that it is written back as it was read."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from audiosurvey.model.grammar import DEFAULT_BLOCKS, ModelConfig
from audiosurvey.model.menu import BLOCKS

EVERY_BLOCK: list[dict[str, Any]] = [
    {"conv": {"channels": 8, "kernel": [3, 5], "stride": [2, 1], "groups": 1, "bias": False}},
    {"norm": "batch"},
    {"activation": {"swiglu": {"axis": "channel"}}},
    {"res": [16, 8]},
    {"max_pool": [3, 2]},
    {"drop": [0.25, 0.5, 8, 4]},
    {"drop": {"p": 0.25, "dp": 0.5, "t": 8, "f": 4, "schedule": "linear"}},
    {"pool": {"mode": "avg+max", "kernel": [2, 2]}},
    {"separable": {"channels": 16, "kernel": [3, 3], "stride": [1, 1], "pool": [2, 1], "activation": "relu6"}},
    {"residual": {"channels": 8, "kernel": [3, 3], "stride": [2, 2], "activation": "silu", "dropout": 0.1}},
    {
        "conv_block": {
            "channels": 8,
            "layers": 2,
            "kernel": [3, 3],
            "stride": [1, 1],
            "dilation": [2, 1],
            "activation": "gelu",
            "pool": [2, 1],
            "pool_mode": "max",
        }
    },
    {"panns_residual": {"channels": 8, "bottleneck": True, "pool": [2, 2], "dropout": 0.1}},
    {"inverted": {"channels": 8, "expand": 2, "pool": [1, 2], "activation": "relu"}},
    {"arb": {"channels": 8, "stride": [4, 2]}},
    {"mn_conv": {"channels": 8, "kernel": [3, 3], "stride": [2, 2], "activation": "hardswish"}},
    {
        "mn_block": {
            "expanded": 16,
            "channels": 8,
            "kernel": [5, 5],
            "stride": [1, 1],
            "squeeze": 4,
            "activation": "relu",
        }
    },
    {"input": "wave"},
    {"peak_norm": 0.95},
    {"pad_multiple": 64},
    {"wave_conv": {"channels": 8, "kernel": 7}},
    {"wave_down": {"channels": 16, "stride": 4}},
    {"res_tf": {"kernel": 15, "dilation": 3}},
    {"channels_to_bands": 4},
    {"join": "channels"},
    {"transformer": {"layers": 2, "heads": 2, "hidden": 16, "dropout": 0.1}},
    {"cell_dropout": 0.2},
    {"relative": 0.6},
    {"mean": "bands"},
    {"band_norm": 0.01},
    {"patches": {"channels": 8, "size": [2, 1], "positions": 9}},
    {"attention": {"heads": 2, "hidden": 12, "dropout": 0.1}},
    {"layer_norm": 0.001},
    {
        "encoder": {
            "hub": "user/name",
            "file": None,
            "output": None,
            "sample_rate": None,
            "window_seconds": None,
            "layer": 3,
            "pool": "max",
            "config": {"model_type": "hubert"},
            "extractor": {"sampling_rate": 16000},
            "graph": None,
        }
    },
    {"pooling": {"mode": "mul", "flat": True}},
    {"dropout": 0.15},
    {"fc": 12},
    {"activation": "swiglu"},
]


def model(*blocks: Any) -> ModelConfig:
    return ModelConfig.model_validate({"blocks": list(blocks)})


def faults(*blocks: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        model(*blocks)
    return [(fault["loc"], fault["msg"].removeprefix("Value error, ")) for fault in caught.value.errors()]


def test_every_block_is_written_back_as_it_was_read() -> None:
    assert {next(iter(block)) for block in EVERY_BLOCK} == set(BLOCKS)
    config = model(*EVERY_BLOCK)
    assert config.model_dump(mode="json")["blocks"] == EVERY_BLOCK
    assert ModelConfig.model_validate(config.model_dump(mode="json")) == config
    assert json.loads(config.model_dump_json())["blocks"] == EVERY_BLOCK


def test_the_text_of_a_block_is_its_yaml_line() -> None:
    assert model({"res": [32, 16]}).network_blocks()[0].text() == "res: [32, 16]"
    assert model({"drop": [0.25, 0.5, 8, 4]}).network_blocks()[0].text() == "drop: [0.25, 0.5, 8, 4]"
    pooling = model({"pooling": {"mode": "avg", "flat": True}}).network_blocks()[0]
    assert pooling.text() == "pooling: {mode: avg, flat: true}"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("max_pol", "max_pool"), ("maxpool", "max_pool"), ("Res", "res"), ("poolin", "pooling"), ("drop-out", "dropout")],
)
def test_a_wrong_block_name_gets_its_suggestion(typed: str, meant: str) -> None:
    [(place, message)] = faults({"res": [8, 8]}, {typed: [2, 2]})
    assert place == ("blocks", 1)
    assert message == f"unknown block {typed}; did you mean {meant}?"


def test_a_name_like_nothing_gets_the_menu() -> None:
    [(_, message)] = faults({"qqq": 1})
    assert all(key in message for key in BLOCKS)


@pytest.mark.parametrize(
    ("block", "place", "words"),
    [
        ({"res": [8]}, ("res",), "takes two channel counts, [between the convolutions, out], not 1 value"),
        ({"res": 8}, ("res",), "takes two channel counts, [between the convolutions, out], not 8"),
        ({"res": [8, 0]}, ("res", 1), "Input should be greater than or equal to 1"),
        ({"max_pool": [2, 2, 2]}, ("max_pool",), "takes kernel and stride in frames, [kernel_t, stride_t], not 3"),
        ({"drop": [0.2, 0.2, 8]}, ("drop",), "takes four numbers, [p: probability, dp: mean fraction dropped"),
        ({"drop": [1.5, 0.2, 8, 4]}, ("drop", 0), "Input should be less than or equal to 1"),
        ({"drop": [0.5, 1, 8, 4]}, ("drop", 1), "Input should be less than 1"),
        ({"dropout": -0.1}, ("dropout",), "Input should be greater than or equal to 0"),
        ({"activation": "geluu"}, ("activation",), "unknown activation geluu; did you mean gelu?"),
        ({"activation": {"gelu": {}}}, ("activation",), "no other activation has options"),
        ({"conv": {"channels": 6, "groups": 4}}, ("conv", "groups"), "6 channels cannot be split into 4 equal groups"),
        ({"res": [8, 8], "fc": 3}, (), "one block per item, found res, fc"),
        ({}, (), "one block per item, found nothing"),
        ("res", (), "write `res: ...`"),
        (7, (), "a block is one key with its value"),
        (["res", [8, 8]], (), "a block is one key with its value"),
        ({"activation": ["relu"]}, ("activation",), "unknown activation"),
    ],
)
def test_a_wrong_block_is_refused_at_its_place(block: Any, place: tuple[str | int, ...], words: str) -> None:
    [(found, message)] = faults({"res": [4, 4]}, block)
    assert found == ("blocks", 1, *place)
    assert words in message


def test_an_unknown_key_inside_a_block_has_its_own_place() -> None:
    [(place, _)] = faults({"pooling": {"mod": "avg"}})
    assert place == ("blocks", 0, "pooling", "mod")


def test_all_faults_are_found_at_once() -> None:
    places = [place for place, _ in faults({"rse": [8, 8]}, {"res": [8, 8]}, {"res": [1]}, {"dropout": 2})]
    assert places == [("blocks", 0), ("blocks", 2, "res"), ("blocks", 3, "dropout")]


def test_without_blocks_and_preset_there_is_a_default_network() -> None:
    config = ModelConfig()
    assert config == model(*DEFAULT_BLOCKS)
    assert ModelConfig.model_validate({"blocks": None}) == config


def test_blocks_and_preset_exclude_each_other() -> None:
    assert ModelConfig(preset="tiny").blocks is None
    with pytest.raises(ValidationError, match="cannot be combined with `preset: tiny`; keep one of the two"):
        ModelConfig.model_validate({"preset": "tiny", "blocks": [{"res": [8, 8]}]})
    with pytest.raises(RuntimeError, match="tiny"):
        ModelConfig(preset="tiny").network_blocks()


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValidationError, match="leave `blocks` out"):
        ModelConfig.model_validate({"blocks": []})


def test_the_json_schema_knows_every_block() -> None:
    schema = ModelConfig.model_json_schema()
    lists = next(way for way in schema["properties"]["blocks"]["anyOf"] if way.get("type") == "array")
    items = [schema["$defs"][way["$ref"].rsplit("/", 1)[1]] for way in lists["items"]["anyOf"]]
    assert [next(iter(item["properties"])) for item in items] == list(BLOCKS)
    assert all(item["additionalProperties"] is False and len(item["required"]) == 1 for item in items)
    assert all(item["description"] for item in items)
