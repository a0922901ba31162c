"""The transformer against torch's own encoder, its cost by hand, and positions for clips of another length."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from audiosurvey.model.blocks.transformer import Transformer, resize_positions, resized
from audiosurvey.model.cost import trace
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.initial import initialise
from audiosurvey.model.network import Network, build_network

WIDTH, HEADS, HIDDEN, TOKENS, LAYERS = 16, 4, 24, 9, 3


def ours(tokens: int = TOKENS, seed: int = 0) -> Transformer:
    module = Transformer(tokens, WIDTH, LAYERS, HEADS, HIDDEN, 0.1)
    initialise(module, seed)
    return module


def theirs(module: Transformer) -> nn.TransformerEncoder:
    """torch's encoder with the weights of ours."""
    layer = nn.TransformerEncoderLayer(WIDTH, HEADS, HIDDEN, 0.1, "gelu", batch_first=True)
    encoder = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(WIDTH), enable_nested_tensor=False)
    renamed = {"attention.qkv.weight": "self_attn.in_proj_weight", "attention.qkv.bias": "self_attn.in_proj_bias"}
    renamed |= {f"attention.out.{part}": f"self_attn.out_proj.{part}" for part in ("weight", "bias")}
    tensors = {}
    for name, value in module.state_dict().items():
        if name.startswith("layers."):
            _, number, rest = name.split(".", 2)
            tensors[f"layers.{number}.{renamed.get(rest, rest)}"] = value
        elif name.startswith("norm."):
            tensors[name] = value
    encoder.load_state_dict(tensors)
    return encoder


def test_it_is_torchs_encoder_on_class_token_and_frames() -> None:
    module = ours().eval()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3)
    x_BCT1 = torch.randn(2, WIDTH, TOKENS, 1)
    frames_BTC = x_BCT1.squeeze(3).transpose(1, 2)
    tokens_BTC = torch.cat([module.class_token.expand(2, 1, WIDTH), frames_BTC], dim=1) + module.positions
    expected = theirs(module).eval()(tokens_BTC)[:, 0]
    torch.testing.assert_close(module(x_BCT1), expected, rtol=1e-4, atol=1e-5)


def test_its_parameters_by_hand() -> None:
    attention = 4 * WIDTH * WIDTH + 4 * WIDTH
    feed_forward = 2 * WIDTH * HIDDEN + HIDDEN + WIDTH
    layer = attention + feed_forward + 4 * WIDTH
    expected = LAYERS * layer + 2 * WIDTH + WIDTH + (TOKENS + 1) * WIDTH
    assert sum(parameter.numel() for parameter in ours().parameters()) == expected


def test_its_cost_by_hand() -> None:
    module = ours()
    (cost,) = trace(module, (WIDTH, TOKENS, 1), [module])
    tokens = TOKENS + 1
    linear = tokens * (4 * WIDTH * WIDTH + 2 * WIDTH * HIDDEN)
    # Each head meets every pair of tokens over its share of the channels, once for the weights and once for the values.
    attention = HEADS * tokens * tokens * (WIDTH // HEADS) * 2
    assert cost.macs == LAYERS * (linear + attention)
    assert cost.output_shape == (WIDTH,)


def test_layers_start_alike_and_positions_at_zero_whatever_the_rule() -> None:
    config = ModelConfig.model_validate({"initial": "xavier", "blocks": blocks()})
    module = build_network(config, input_shape=(1, TOKENS, 4), classes=2, seed=5).blocks[2]
    assert isinstance(module, Transformer)
    first, *others = module.layers
    for layer in others:
        for name, value in first.state_dict().items():
            assert torch.equal(value, layer.state_dict()[name])
    assert not module.class_token.any()
    assert not module.positions.any()
    # torch's rules: Xavier for the projection into attention, uniform by inputs for the others, biases at 0.
    weights = {name: value for name, value in first.named_parameters() if value.dim() == 2}
    bounds = {name: 1 / value.shape[1] ** 0.5 for name, value in weights.items()}
    bounds["attention.qkv.weight"] = (6 / (4 * WIDTH)) ** 0.5
    for name, value in weights.items():
        assert 0.8 * bounds[name] < value.abs().max() <= bounds[name]
    assert not any(value.any() for name, value in first.named_parameters() if name.endswith("bias"))


def test_weights_follow_from_the_seed() -> None:
    one, same, other = (ours(seed=seed).layers[0].state_dict()["linear1.weight"] for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("before", "after"), [(113, 89), (89, 113), (113, 217), (217, 113), (65, 113), (113, 113)])
def test_positions_of_another_length_are_the_nearest_as_torch_finds_them(before: int, after: int) -> None:
    positions = torch.randn(before, 4)
    expected = F.interpolate(positions.T[None], size=after, mode="nearest")[0].T
    assert torch.equal(resized(positions, after), expected)


def test_a_clip_of_another_length_is_heard() -> None:
    module = ours().eval()
    nn.init.normal_(module.positions)
    longer = Transformer(2 * TOKENS, WIDTH, LAYERS, HEADS, HIDDEN, 0.1).eval()
    tensors = dict(module.state_dict())
    assert resize_positions(tensors, nn.ModuleList([longer])) == {}
    tensors = {f"0.{name}": value for name, value in tensors.items()}
    said = resize_positions(tensors, nn.ModuleList([longer]))
    assert said == {"0.positions": "10 positions to 19, by the nearest"}
    nn.ModuleList([longer]).load_state_dict(tensors)
    x_BCT1 = torch.randn(1, WIDTH, 2 * TOKENS, 1)
    assert torch.equal(module(x_BCT1), longer(x_BCT1))


def test_dropout_acts_in_training_alone() -> None:
    module, x = ours(), torch.randn(1, WIDTH, TOKENS, 1)
    assert not torch.equal(module(x), module(x))
    module.eval()
    assert torch.equal(module(x), module(x))


def blocks(**transformer: Any) -> list[dict[str, Any]]:
    sizes = {"layers": LAYERS, "heads": HEADS, "hidden": HIDDEN} | transformer
    return [{"conv": {"channels": WIDTH}}, {"mean": "bands"}, {"transformer": sizes}]


def test_it_takes_the_place_of_pooling_on_spectrograms_too() -> None:
    config = ModelConfig.model_validate({"blocks": blocks()})
    network = build_network(config, input_shape=(1, TOKENS, 4), classes=2, seed=0)
    assert isinstance(network, Network)
    assert network(torch.randn(3, 1, TOKENS, 4)).shape == (3, 2)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (blocks(heads=3), "transformer: 16 channels cannot be divided among 3 heads"),
        ([*blocks()[:1], *blocks()[2:]], "needs one band, not 4; put `mean: bands` before it"),
    ],
)
def test_what_it_cannot_work_on(given: list[dict[str, Any]], words: str) -> None:
    (fault,) = shape_faults(ModelConfig.model_validate({"blocks": given}), (1, TOKENS, 4))
    assert words in fault.message
