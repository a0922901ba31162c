"""Pretrained weights in a network: every tensor accounted for, misfits refused in one line, nothing run."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from own_weights import BLOCKS, SHAPE, network, ours
from torch import nn

from audiosurvey.errors import UserError
from audiosurvey.model.grammar import ModelConfig
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.weights.pretrained import FAMILIES, open_weights
from audiosurvey.threads import one_thread
from audiosurvey.training.statistics import FirstBatches


@pytest.fixture(autouse=True)
def in_one_thread() -> Iterator[None]:
    """Maps as small as these gain nothing from threads."""
    with one_thread():
        yield


def line(call: Callable[[], Any]) -> str:
    with pytest.raises(UserError) as caught:
        call()
    assert len(caught.value.lines) == 1
    assert "\n" not in caught.value.lines[0]
    return caught.value.lines[0]


def test_the_real_file_is_accounted_for_to_the_last_tensor(shared: Path) -> None:
    from audiosurvey.config.loader import load_config

    path = str(shared / "weights" / "mn04_as_mAP_432.pt")
    stored = torch.load(path, weights_only=True)
    model = load_config("mn04").config.model
    mn04 = build_network(model, input_shape=(1, 100, 128), classes=50, seed=0)
    before = mn04.classifier.weight.clone()
    report = open_weights(path).put_into(mn04)
    assert report.family == "EfficientAT"
    assert report.sha256 == "899a8c6217063f6941793102a2780b3dd788ab11fce468d9cf5f0577c453321c"
    assert report.matched == []
    assert set(report.renamed) | set(report.dropped) == set(stored)
    assert list(report.dropped) == ["classifier.5.weight", "classifier.5.bias"]
    assert report.fresh == ["classifier.weight", "classifier.bias"]
    assert set(report.renamed.values()) | set(report.fresh) == set(mn04.state_dict())
    assert torch.equal(mn04.classifier.weight, before)
    # Bands and frames have changed places.
    kernel = stored["features.4.block.1.0.weight"]
    assert torch.equal(mn04.blocks[4].depthwise.conv.weight, kernel.transpose(2, 3))
    assert not torch.equal(kernel, kernel.transpose(2, 3))
    assert report.lines() == [
        f"init: {path} (EfficientAT): 310 of 312 tensors taken, 310 of them renamed",
        "init: dropped, a classifier for 527 classes: classifier.5.weight, classifier.5.bias",
        "init: left fresh: classifier.weight, classifier.bias",
    ]


def test_names_go_by_order_whatever_stands_between(shared: Path) -> None:
    """A `drop` in the middle moves the numbers of all blocks after it, and no weight."""
    from audiosurvey.config.loader import load_config

    blocks = [block.model_dump() for block in load_config("mn04").config.model.network_blocks()]
    blocks.insert(9, {"drop": [0.5, 0.1, 4, 4]})
    config = ModelConfig.model_validate({"blocks": blocks})
    with torch.device("meta"):
        moved = build_network(config, input_shape=(1, 100, 128), classes=2, seed=0)
    report = open_weights(str(shared / "weights" / "mn04_as_mAP_432.pt")).put_into(moved)
    assert report.renamed["features.9.block.0.0.weight"] == "blocks.10.expand.conv.weight"
    assert report.renamed["features.8.block.0.0.weight"] == "blocks.8.expand.conv.weight"
    assert report.renamed["classifier.2.bias"] == "blocks.19.bias"


def test_a_model_of_ours(artefact: Callable[..., Path]) -> None:
    tensors = ours()
    target = network()
    fresh = target.classifier.weight.clone()
    report = open_weights(str(artefact(tensors))).put_into(target)
    assert report.family == "audiosurvey"
    assert report.renamed == {}
    assert set(report.matched) | set(report.dropped) == set(tensors)
    assert list(report.dropped.values()) == ["a classifier for 5 classes"] * 2
    for name in report.matched:
        assert torch.equal(target.state_dict()[name], tensors[name]), name
    assert torch.equal(target.classifier.weight, fresh)


def test_with_its_classifier_on_request(artefact: Callable[..., Path]) -> None:
    tensors, target = ours(classes=3), network()
    report = open_weights(str(artefact(tensors))).put_into(target, keep_classifier=True)
    assert report.dropped == {}
    assert report.fresh == []
    assert all(torch.equal(value, tensors[name]) for name, value in target.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("blocks.1.project.conv.weight"), "no weights for blocks.1.project.conv.weight"),
        (lambda t: t.update({"blocks.9.weight": torch.zeros(2)}), "blocks.9.weight (2) has no place"),
        (lambda t: t.update({"blocks.5.bias": torch.zeros(7)}), "blocks.5.bias (7) does not fit blocks.5.bias (12)"),
    ],
    ids=["missing", "too many", "another shape"],
)
def test_a_misfit_is_one_line_and_changes_nothing(
    artefact: Callable[..., Path], change: Callable[[dict[str, torch.Tensor]], object], words: str
) -> None:
    tensors, target = ours(), network()
    change(tensors)
    before = {name: value.clone() for name, value in target.state_dict().items()}
    said = line(lambda: open_weights(str(artefact(tensors))).put_into(target))
    assert said.startswith("model.init: ")
    assert words in said
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_the_counter_of_a_batch_norm_may_be_missing(artefact: Callable[..., Path]) -> None:
    tensors = {name: value for name, value in ours().items() if not name.endswith("num_batches_tracked")}
    report = open_weights(str(artefact(tensors))).put_into(network())
    assert len([name for name in report.fresh if name.endswith("num_batches_tracked")]) == 7


@pytest.mark.parametrize("counter", [None, 0])
def test_a_resumed_training_goes_on_from_statistics_without_a_counter(
    artefact: Callable[..., Path], counter: int | None
) -> None:
    """The momentum of a norm is its own before and after the training that goes on has counted batches."""
    tensors = {name: value for name, value in ours().items() if not name.endswith("num_batches_tracked")}
    counters = {name for name in ours() if name.endswith("num_batches_tracked")}
    if counter is not None:
        tensors |= {name: torch.tensor(counter) for name in counters}
    fresh_norm = "blocks.0.norm"
    tensors[f"{fresh_norm}.running_mean"].zero_()
    tensors[f"{fresh_norm}.running_var"].fill_(1)
    target = network()
    open_weights(str(artefact(tensors))).put_into(target)
    momenta = []
    for _ in range(2):
        FirstBatches(target.train()).next_batch()
        norms = {name: part for name, part in target.named_modules() if isinstance(part, nn.BatchNorm2d)}
        momenta.append({name: norm.momentum for name, norm in norms.items()})
        for norm in norms.values():
            assert norm.num_batches_tracked is not None
            norm.num_batches_tracked += 1
            norm.momentum = 0.01
    (first, again) = momenta
    assert first.pop(fresh_norm) == pytest.approx(1)  # the file has nothing for it
    assert again.pop(fresh_norm) == pytest.approx(0.01 / (1 - 0.99**2))
    assert set(first.values()) == set(again.values()) == {0.01}


def test_weights_of_another_width_name_their_preset(shared: Path) -> None:
    from audiosurvey.config.loader import load_config

    path = str(shared / "weights" / "mn04_as_mAP_432.pt")
    with torch.device("meta"):
        small = network()
    assert line(lambda: open_weights(path).put_into(small)).endswith("they are the weights of preset mn04")
    model = load_config("mn05").config.model
    with torch.device("meta"):
        other = build_network(model, input_shape=(1, 100, 128), classes=2, seed=0)
    said = line(lambda: open_weights(path).put_into(other))
    assert (
        "features.2.block.0.0.weight (24 x 8 x 1 x 1) does not fit blocks.2.expand.conv.weight (32 x 8 x 1 x 1)" in said
    )
    assert said.endswith("; they are the weights of preset mn04")


def test_a_network_without_a_hidden_layer(shared: Path) -> None:
    path = str(shared / "weights" / "mn04_as_mAP_432.pt")
    with torch.device("meta"):
        bare = network([{"mn_conv": {"channels": 8}}] * 17 + [{"pooling": {"mode": "avg"}}])
    assert "hidden layer" in line(lambda: open_weights(path).put_into(bare))


def test_a_family_that_is_not_known(tmp_path: Path) -> None:
    torch.save({"encoder.weight": torch.zeros(3)}, tmp_path / "other.pt")
    said = line(lambda: open_weights(str(tmp_path / "other.pt")))
    assert "not weights of a known family" in said
    assert "encoder.weight" in said
    assert all(family.name in said for family in FAMILIES)


def test_an_ensemble_takes_one_of_as_many_networks(artefact: Callable[..., Path]) -> None:
    def ensemble(members: int, seed: int = 0) -> Network:
        config = ModelConfig.model_validate({"blocks": BLOCKS, "members": members})
        return build_network(config, input_shape=SHAPE, classes=3, seed=seed)

    theirs = ensemble(2, seed=1)
    folder = str(artefact(theirs.state_dict()))
    own = ensemble(2)
    report = open_weights(folder).put_into(own)
    assert report.fresh == ["classifier.weight", "classifier.bias"]
    assert all(torch.equal(value, theirs.blocks.state_dict()[name]) for name, value in own.blocks.state_dict().items())
    said = line(lambda: open_weights(folder).put_into(ensemble(3)))
    assert said.startswith(f"model.init: {folder}: is not an ensemble of 3 networks, as model.members: 3 asks for")


def test_frozen_blocks_keep_weights_and_statistics() -> None:
    frozen = network([*BLOCKS[:5], {"dropout": 0.5}, *BLOCKS[5:]])
    frozen.freeze(range(len(frozen.blocks)))
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in frozen.parameters() if p.requires_grad], lr=1.0)
    frozen.train()
    frozen(torch.randn(4, *SHAPE)).square().sum().backward()
    optimizer.step()
    changed = {name for name, value in frozen.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    # What holds no weights goes on as before: the dropout drops.
    assert frozen.blocks[5].training
    assert not frozen.blocks[2].training


def test_with_the_first_block_the_standardisation_is_frozen() -> None:
    config = ModelConfig.model_validate({"blocks": BLOCKS})
    standardized = build_network(config, input_shape=SHAPE, classes=2, seed=0, standardize="batch_norm")
    standardized.freeze([1])
    assert all(parameter.requires_grad for parameter in standardized.standardize.parameters())
    standardized.freeze([0, 1])
    standardized.train()
    assert not standardized.standardize.training
    assert not any(parameter.requires_grad for parameter in standardized.standardize.parameters())
    trained = [name for name, parameter in standardized.named_parameters() if parameter.requires_grad]
    assert trained[0].startswith("blocks.2.")


def test_frozen_blocks_under_checkpointing_give_the_same_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        half = network()
        half.freeze([0, 1])
        half.use_checkpoint = checkpointing
        half.train()
        half(torch.randn(4, *SHAPE, generator=torch.Generator().manual_seed(0))).square().sum().backward()
        gradients.append([p.grad for p in half.parameters() if p.requires_grad])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)
    assert not isinstance(gradients[0][0], nn.Parameter)


def test_kept_statistics_stay_while_scale_and_shift_are_trained() -> None:
    kept, clips = network(BLOCKS), torch.randn(4, *SHAPE)
    kept.keep_statistics()
    kept.train()
    before = {name: value.clone() for name, value in kept.state_dict().items()}
    optimizer = torch.optim.SGD(kept.parameters(), lr=0.1)
    kept(clips).square().sum().backward()
    optimizer.step()
    norms = [name for name in before if name.endswith(("running_mean", "running_var", "num_batches_tracked"))]
    assert norms
    for name, value in kept.state_dict().items():
        assert torch.equal(value, before[name]) == (name in norms), name
    kept.keep_statistics(False)
    kept(clips)
    assert not torch.equal(kept.state_dict()[norms[0]], before[norms[0]])
