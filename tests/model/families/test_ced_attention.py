"""The `attention` block against torch's own layer with the norm first, its parameters and cost by hand."""

import pytest
import torch
from torch import nn

from audiosurvey.model.describe import describe
from audiosurvey.model.families.ced import AttentionLayer
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.initial import initialise
from audiosurvey.model.network import Network, build_network

WIDTH, HEADS, HIDDEN = 16, 4, 24


def network(*blocks: dict, shape: tuple[int, int, int] = (WIDTH, 6, 4)) -> Network:
    config = ModelConfig.model_validate({"blocks": [*blocks, {"pooling": {"mode": "avg"}}]})
    return build_network(config, input_shape=shape, classes=2, seed=0)


def test_it_is_torchs_layer_over_all_cells() -> None:
    ours = AttentionLayer(WIDTH, HEADS, HIDDEN, 0.0).eval()
    for parameter in ours.parameters():
        nn.init.normal_(parameter, std=0.3)
    theirs = nn.TransformerEncoderLayer(
        WIDTH, HEADS, HIDDEN, 0.0, "gelu", layer_norm_eps=1e-6, batch_first=True, norm_first=True
    ).eval()
    renamed = {"attention.qkv.weight": "self_attn.in_proj_weight", "attention.qkv.bias": "self_attn.in_proj_bias"}
    renamed |= {f"attention.out.{part}": f"self_attn.out_proj.{part}" for part in ("weight", "bias")}
    theirs.load_state_dict({renamed.get(name, name): value for name, value in ours.state_dict().items()})
    x = torch.randn(2, WIDTH, 6, 4)
    tokens = x.flatten(2).transpose(1, 2)
    expected = theirs(tokens).transpose(1, 2).unflatten(2, (6, 4))
    torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-5)


def test_parameters_and_cost() -> None:
    described = describe(network({"attention": {"heads": HEADS}}), (WIDTH, 6, 4))
    layer, tokens = described.layers[0], 24
    assert layer.parameters == 12 * WIDTH**2 + 13 * WIDTH
    # Four projections, two of them as wide as the hidden layer, and two products of tokens with tokens.
    assert layer.macs == tokens * 12 * WIDTH**2 + 2 * tokens**2 * WIDTH
    assert layer.output_shape == (WIDTH, 6, 4)


def test_every_weight_gets_a_gradient_and_one_cell_reaches_all() -> None:
    module = network({"attention": {"heads": HEADS, "hidden": HIDDEN}})
    for parameter in module.blocks[0].parameters():
        nn.init.normal_(parameter, std=0.3)
    x = torch.randn(1, WIDTH, 6, 4)
    y = module.blocks[0](x)
    changed = x.clone()
    changed[0, :, 5, 3] += torch.randn(WIDTH)
    assert ((module.blocks[0](changed) - y).abs().amax(dim=1) > 0).all()
    module(x).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in module.blocks[0].parameters())


def test_initial_weights_are_those_of_vision_transformers() -> None:
    layer = AttentionLayer(64, 1, 256, 0.0)
    initialise(layer, 0)
    assert layer.linear1.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not layer.linear1.bias.any()


def test_heads_that_do_not_divide_the_channels() -> None:
    with pytest.raises(ValueError, match="16 channels cannot be divided among 5 heads"):
        network({"attention": {"heads": 5}})
