"""The whole network: deterministic weights, transfer, precision, and that it learns."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from audiosurvey.model.blocks.normalise import BandBatchNorm
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network

SMALL: list[dict[str, Any]] = [
    {"res": [8, 8]},
    {"max_pool": [2, 2]},
    {"drop": [0.5, 0.3, 4, 2]},
    {"dropout": 0.2},
    {"res": [16, 8]},
    {"activation": "swiglu"},
    {"pooling": {"mode": "avg", "flat": True}},
    {"fc": 10},
    {"activation": "gelu"},
]


def small(classes: int = 3, seed: int = 0, **more: Any) -> Network:
    config = ModelConfig.model_validate({"blocks": SMALL})
    return build_network(config, input_shape=(1, 20, 9), classes=classes, seed=seed, **more)


def same_weights(first: Network, second: Network) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_weights_are_a_function_of_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = small(seed=7)
    torch.manual_seed(2)
    assert same_weights(first, small(seed=7))
    assert not same_weights(first, small(seed=8))


def test_building_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    small()
    assert torch.equal(torch.rand(3), expected)


def test_the_number_of_classes_changes_the_classifier_alone() -> None:
    few, many = small(classes=3), small(classes=50)
    assert same_weights_of(few.blocks, many.blocks)
    assert many(torch.zeros(2, 1, 20, 9)).shape == (2, 50)
    assert many.classifier.weight.requires_grad
    assert torch.equal(many.classifier.weight, small(classes=50).classifier.weight)


def same_weights_of(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("batch", [1, 3])
def test_all_weights_get_a_gradient(batch: int) -> None:
    network = small(standardize="batch_norm")
    network(torch.randn(batch, 1, 20, 9)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_clip_is_judged_alone_in_evaluation() -> None:
    network = small(standardize="batch_norm").eval()
    x = torch.randn(4, 1, 20, 9)
    torch.testing.assert_close(network(x)[2:3], network(x[2:3]))


def test_clips_of_other_lengths_are_taken() -> None:
    assert small().eval()(torch.randn(2, 1, 33, 9)).shape == (2, 3)


def test_the_memory_layout_does_not_change_the_answer() -> None:
    network = small(standardize="batch_norm").eval()
    x = torch.randn(3, 1, 20, 9)
    expected = network(x)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(network(x.contiguous(memory_format=torch.channels_last)), expected)


def test_maps_stay_channels_last_on_the_way() -> None:
    network = small().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x = torch.randn(3, 1, 20, 9).contiguous(memory_format=torch.channels_last)
    for step, block in zip(network.steps, network.blocks, strict=True):
        x = block(x)
        if len(step.left) == 3:
            assert x.is_contiguous(memory_format=torch.channels_last)


def test_logits_are_float32_under_autocast() -> None:
    network = small().eval()
    x = torch.randn(3, 1, 20, 9)
    with torch.autocast("cpu", torch.bfloat16):
        half = network(x)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, network(x), atol=0.1, rtol=0.1)


def test_input_standardisation_comes_first() -> None:
    network = small(standardize="batch_norm")
    assert isinstance(network.standardize, BandBatchNorm)
    quiet = torch.randn(8, 1, 20, 9) - 80
    seen: list[torch.Tensor] = []
    network.blocks[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(quiet)
    assert abs(seen[0].mean().item()) < 1e-4


def test_weights_keep_the_variance_through_a_deep_network() -> None:
    blocks = [{"conv": {"channels": 32}}, {"activation": "relu"}] * 12
    config = ModelConfig.model_validate({"blocks": [*blocks, {"pooling": {"mode": "avg", "flat": True}}]})
    network = build_network(config, input_shape=(1, 16, 16), classes=2, seed=0)
    features = network.embed(torch.randn(4, 1, 16, 16))
    assert 0.05 < features.std().item() < 20


@pytest.mark.parametrize("bands", [40, 64, 128])
@pytest.mark.parametrize("frames", [1, 7, 101, 501])
def test_the_default_network_takes_any_usual_clip(bands: int, frames: int) -> None:
    assert shape_faults(ModelConfig(), (1, frames, bands)) == []


def test_the_default_network_learns_three_easy_classes_in_90_steps() -> None:
    generator = torch.Generator().manual_seed(0)

    def clips(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        # Decibels over a floor of -90: a steady tone in a band of its own, a click in a frame of its own, noise.
        x = torch.randn(3 * count, 1, 32, 24, generator=generator) * 5 - 90
        where = torch.rand(count, generator=generator)
        for row in range(count):
            x[row, :, :, 4 + int(where[row] * 16)] += 50
            x[count + row, :, 4 + int(where[row] * 24)] += 50
            x[2 * count + row] += 25 + 25 * where[row]
        return x, torch.arange(3).repeat_interleave(count)

    x, label = clips(18)
    network = build_network(ModelConfig(), input_shape=(1, 32, 24), classes=3, seed=0, standardize="batch_norm")
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.05)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for step in range(90):
            optimizer.param_groups[0]["lr"] = 2e-3 * min((step + 1) / 10, (90 - step) / 80)
            rows = torch.randint(0, len(x), (16,), generator=generator)
            loss = F.cross_entropy(network(x[rows]), label[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    x, label = clips(20)
    accuracy = (network.eval()(x).argmax(1) == label).float().mean().item()
    assert accuracy > 0.95
