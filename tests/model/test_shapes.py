"""Shape arithmetic and its faults: pure numbers, so that a check costs nothing however large the network."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.errors import Fault
from audiosurvey.model.faults import shape_faults, thread_shapes
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import build_network
from audiosurvey.model.shapes import Reach, ShapeError, receptive_field

POOLING = {"pooling": {"mode": "avg"}}


def model(*blocks: Any) -> ModelConfig:
    return ModelConfig.model_validate({"blocks": list(blocks)})


def the_fault(shape: tuple[int, ...], *blocks: Any) -> Fault:
    [fault] = shape_faults(model(*blocks), shape)
    assert fault.path[:2] == ("model", "blocks")
    return fault


def test_a_kernel_that_leaves_nothing() -> None:
    fault = the_fault((1, 6, 16), {"res": [64, 64]}, {"max_pool": [2, 2]}, {"max_pool": [4, 4]}, POOLING)
    assert fault.dotted == "model.blocks.2"
    expected = "max_pool: kernel 4 leaves nothing of T = 3 (input shape: 64 x 3 x 16, channels x frames x bands)"
    assert fault.message == expected


@pytest.mark.parametrize(
    ("blocks", "index", "words"),
    [
        ([{"fc": 8}], 0, "fc: needs features, not a map; put `pooling: {mode: avg, flat: true}` before it"),
        ([POOLING, {"res": [8, 8]}], 1, "res: needs a map of frames and bands; put it before `pooling`,"),
        ([POOLING, POOLING], 1, "pooling: needs a map"),
        ([POOLING, {"drop": [0.5, 0.5, 2, 2]}], 1, "input shape: 3 features"),
        ([{"pool": {"kernel": [2, 32]}}, POOLING], 0, "pool: kernel 32 leaves nothing of F = 16"),
        ([{"conv": {"channels": 4, "groups": 2}}, POOLING], 0, "3 channels cannot be split into 2 equal groups"),
        ([{"activation": {"swiglu": {"axis": "channel"}}}, POOLING], 0, "and 3 is odd"),
        ([POOLING, {"activation": {"swiglu": {"axis": "channel"}}}], 1, "needs a map"),
        ([POOLING, {"fc": 1}, {"activation": "swiglu"}], 2, "only one value"),
        ([{"res": [8, 8]}, {"dropout": 0.1}], 1, "end the blocks with `pooling:"),
        ([{"conv_block": {"channels": 4, "pool": [16, 2]}}, POOLING], 0, "kernel 16 leaves nothing of T = 12"),
    ],
)  # fmt: skip
def test_a_block_that_cannot_work(blocks: list[Any], index: int, words: str) -> None:
    fault = the_fault((3, 12, 16), *blocks)
    assert fault.path == ("model", "blocks", index)
    assert words in fault.message


def test_building_refuses_what_the_check_refuses() -> None:
    with pytest.raises(ShapeError, match="kernel 4 leaves nothing of T = 3"):
        build_network(model({"max_pool": [4, 4]}, POOLING), input_shape=(1, 3, 16), classes=2, seed=0)


def test_no_frames_at_all() -> None:
    assert "the input is empty" in the_fault((1, 0, 64), POOLING).message


def test_a_network_that_no_memory_could_hold_is_checked_all_the_same() -> None:
    huge = [{"res": [65_536, 65_536]}] * 50
    config = model(*huge, {"max_pool": [7, 7]}, POOLING)
    assert shape_faults(config, (1, 10_000_000, 1024)) == []
    assert thread_shapes(config, (1, 10_000_000, 1024))[-1].left == (65_536,)


SIDES = st.tuples(st.integers(1, 4), st.integers(1, 4))
MAP_BLOCKS = st.one_of(
    st.builds(lambda a, b: {"res": [a, b]}, st.integers(1, 4), st.integers(1, 4)),
    st.builds(lambda k, s: {"max_pool": [k, s]}, st.integers(1, 3), st.integers(1, 3)),
    st.builds(lambda k, s: {"conv": {"channels": 3, "kernel": k, "stride": s}}, SIDES, SIDES),
    st.builds(lambda k, m: {"pool": {"kernel": k, "mode": m}}, SIDES, st.sampled_from(["avg", "max", "avg+max"])),
    st.builds(lambda s, p: {"conv_block": {"channels": 2, "stride": s, "pool": p}}, SIDES, SIDES),
    st.builds(lambda k, s: {"residual": {"channels": 2, "kernel": k, "stride": s}}, SIDES, SIDES),
    st.builds(lambda s, p: {"separable": {"channels": 3, "stride": s, "pool": p}}, SIDES, SIDES),
    st.builds(lambda b, p: {"panns_residual": {"channels": 2, "bottleneck": b, "pool": p}}, st.booleans(), SIDES),
    st.builds(lambda p: {"inverted": {"channels": 2, "expand": 2, "pool": p}}, SIDES),
    st.builds(lambda s: {"arb": {"channels": 2, "stride": s}}, st.tuples(*[st.sampled_from([1, 2, 4])] * 2)),
    st.just({"mean": "bands"}),
    st.just({"activation": "swiglu"}),
    st.just({"norm": "batch"}),
    st.just({"drop": [1.0, 0.5, 3, 2]}),
)
TAILS = st.sampled_from([[], [{"fc": 5}, {"activation": "swiglu"}], [{"norm": "batch"}, {"dropout": 0.5}, {"fc": 2}]])


@settings(max_examples=60, deadline=None)
@given(st.lists(MAP_BLOCKS, max_size=4), st.booleans(), TAILS, st.integers(1, 20), st.integers(1, 20))
def test_shapes_are_those_of_the_built_network(
    blocks: list[Any], flat: bool, tail: list[Any], frames: int, bands: int
) -> None:
    config = model(*blocks, {"pooling": {"mode": "avg", "flat": flat}}, *tail)
    shape = (2, frames, bands)
    if shape_faults(config, shape):
        return
    network = build_network(config, input_shape=shape, classes=3, seed=0).eval()
    x = torch.zeros(1, *shape)
    for step, block in zip(network.steps, network.blocks, strict=True):
        assert tuple(x.shape[1:]) == step.entered
        x = block(x)
        assert tuple(x.shape[1:]) == step.left
    assert network(torch.zeros(1, *shape)).shape == (1, 3)


def test_receptive_field_by_hand() -> None:
    # 3 wide; then stride 2: each further step counts double: 3 + 1 (pool of 2) + 2 * 2 (3 wide again) = 8.
    reaches = [Reach((3, 1)), Reach((2, 1), (2, 1)), Reach((3, 5))]
    assert receptive_field(reaches, (100, 100)) == (8, 5)
    assert receptive_field(reaches, (6, 3)) == (6, 3)


@pytest.mark.parametrize(
    "block",
    [
        {"res": [4, 2]},
        {"conv": {"channels": 2, "kernel": [4, 3], "stride": [2, 1]}},
        {"conv_block": {"channels": 2, "layers": 3, "pool": [2, 1], "activation": "gelu"}},
        {"residual": {"channels": 2, "stride": [2, 2], "activation": "gelu"}},
        {"separable": {"channels": 2, "kernel": [5, 3], "activation": "gelu"}},
        {"pool": {"mode": "avg", "kernel": [3, 2]}},
        {"activation": "swiglu"},
    ],
)
def test_receptive_field_is_where_the_gradient_goes(block: dict[str, Any]) -> None:
    config = model({"conv": {"channels": 2, "kernel": [3, 3]}}, block, POOLING)
    network = build_network(config, input_shape=(1, 61, 62), classes=2, seed=1).double().eval()
    for part in network.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(part.weight)
    x = torch.randn(1, 1, 61, 62, dtype=torch.float64, requires_grad=True)
    y = network.blocks[1](network.blocks[0](x))
    y[0, :, y.shape[2] // 2, y.shape[3] // 2 - 1].sum().backward()
    assert x.grad is not None
    frames, bands = (torch.nonzero(x.grad[0, 0].abs().sum(dim)).flatten() for dim in (1, 0))
    extent = (int(frames[-1] - frames[0]) + 1, int(bands[-1] - bands[0]) + 1)
    reaches = [reach for step in network.steps[:2] for reach in step.reach]
    assert receptive_field(reaches, (61, 62)) == extent
