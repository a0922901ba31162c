"""The parts of a training: shapes, replay, and a loop that trains as `train` does."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch.utils.data import DataLoader

import audiosurvey
from audiosurvey import UserError, losses, metrics, splits

EXAMPLES = Path(__file__).resolve().parents[3] / "docs" / "examples"


def example(name: str) -> ModuleType:
    """A file of docs/examples as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def config(tiny_yaml: str) -> Any:
    augment = {"gain": {"p": 0.8}, "noise": {"p": 0.5}, "mixup": {"p": 0.5}, "shorten": {"p": 0}}
    return audiosurvey.load_config({**yaml.safe_load(tiny_yaml), "augmentation": augment})


def wave(count: int = 3, samples: int = 4000) -> torch.Tensor:
    return 0.1 * torch.randn(count, samples, generator=torch.Generator().manual_seed(0))


def test_shapes_are_those_of_the_documentation(config: Any):
    mel_BCTF = audiosurvey.front_end(config)(wave())
    assert mel_BCTF.shape == (3, 1, config.config.num_frames, 16)
    assert audiosurvey.network(config, classes=7)(mel_BCTF).shape == (3, 7)
    assert audiosurvey.front_end("eat-s")(wave()).shape == (3, 1, 4000)
    blocks = [{"conv_block": {"channels": 4, "layers": 1}}, {"pooling": {"mode": "avg", "flat": False}}]
    heard = audiosurvey.front_end({"model": {"blocks": blocks}})(wave(2, 160_000))
    assert audiosurvey.network(blocks, classes=3)(heard).shape == (2, 3)


def test_a_network_is_a_function_of_its_seed(config: Any):
    def weights(**options: Any) -> list[torch.Tensor]:
        return list(audiosurvey.network(config, classes=4, **options).parameters())

    before = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(weights(seed=1), weights(seed=1), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(seed=1), weights(seed=2), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(weights(fold=1), weights(fold=2), strict=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_augmentation_can_be_drawn_again(config: Any):
    augment = audiosurvey.augmentation(config)
    wave_BS, ids = wave(), ["a", "b", "c"]
    first = augment.waves(wave_BS, ids, 1)
    assert torch.equal(first, audiosurvey.augmentation(config).waves(wave_BS, ids, 1))
    assert torch.equal(first[1:2], augment.waves(wave_BS[1:2], ["b"], 1))
    assert not torch.equal(first, augment.waves(wave_BS, ids, 2))
    assert not torch.equal(first, audiosurvey.augmentation(config, seed=5).waves(wave_BS, ids, 1))
    told = [augment.describe(name, 1, 4000) for name in ids]
    for row, steps in enumerate(told):
        assert bool(steps) != torch.equal(first[row], wave_BS[row])
    gained = next(row for row, steps in enumerate(told) if [step["operation"] for step in steps] == ["gain"])
    factor = 10 ** (float(str(told[gained][0]["gain_db"])) / 20)
    torch.testing.assert_close(first[gained], wave_BS[gained] * factor)
    assert augment.spectrograms(wave_BS, ids, 1).shape == audiosurvey.front_end(config)(wave_BS).shape


def test_mistakes_of_augmentation_are_told(config: Any):
    augment = audiosurvey.augmentation(config)
    with pytest.raises(UserError, match="an id for each wave"):
        augment.waves(wave(), ["a"], 1)
    sounds = audiosurvey.prepare(config)
    (batch, *_) = audiosurvey.batches(config, sounds, sounds.table.clips).epoch(1)
    with pytest.raises(UserError, match="without draws"):
        augment(batch)
    with pytest.raises(UserError, match="no training clips"):
        audiosurvey.batches(config, sounds, [])


def test_clips_are_a_torch_data_set(config: Any, tones: Path):
    sounds = audiosurvey.prepare(config)
    split = splits.split(config, sounds, 2)
    clips = audiosurvey.ClipDataset(sounds, split.train)
    assert len(clips) == len(split.train) == 16
    batch = next(iter(DataLoader(clips, batch_size=5)))
    assert (batch["wave"].shape, batch["target"].shape, batch["wave"].dtype) == ((5, 4000), (5, 4), torch.float32)
    assert batch["label"].tolist() == batch["target"].argmax(1).tolist()
    assert batch["clip"] == [clip.id for clip in split.train[:5]]
    np.testing.assert_array_equal(clips.truth().argmax(1), [clip.labels[0] for clip in split.train])
    short = audiosurvey.ClipDataset(sounds, samples=1000, epoch=1)
    first = short[3]["wave"]
    short.epoch = 2
    assert not torch.equal(first, short[3]["wave"])
    short.epoch = 1
    assert torch.equal(first, short[3]["wave"])
    np.testing.assert_array_equal(
        audiosurvey.ClipDataset(sounds)[3]["wave"], sounds.store.read(sounds.table.clips[3].id)
    )


def test_the_loop_trains_as_the_command_does(config: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = audiosurvey.load_config(config, {"train.epochs": 6})
    found = example("loop").train(config, fold=2)
    assert capsys.readouterr().out.count("epoch") == 6
    trained = audiosurvey.train(config, run_dir=tmp_path / "run", folds=2).fold(2)
    assert found["accuracy"] == trained.metrics["accuracy"]
    assert found["loss"] == pytest.approx(trained.metrics["loss"], rel=1e-4)
    assert len((EXAMPLES / "loop.py").read_text().split("def train")[1].split("if __name__")[0].splitlines()) <= 40


@pytest.mark.parametrize("name", ["with_lightning", "with_transformers"])
def test_the_parts_work_in_the_trainers_of_others(name: str, config: Any):
    pytest.importorskip(name.removeprefix("with_"))
    config = audiosurvey.load_config(config, {"train.epochs": 8})
    options: dict[str, Any] = {"accelerator": "cpu"} if name == "with_lightning" else {"use_cpu": True}
    assert example(name).train(config, fold=1, **options)["accuracy"] >= 0.5


def test_scores_are_those_of_evaluation(config: Any, finished_run: Path):
    run = audiosurvey.open_run(finished_run)
    sounds = audiosurvey.prepare(run.config)
    test = splits.split(run.config, sounds, 1).test
    found = audiosurvey.scores(run.config, run.fold(1).model().network, sounds, test)  # pyright: ignore
    np.testing.assert_allclose(found, run.fold(1).predictions().scores_NK, atol=1e-6)
    truth_NK = audiosurvey.ClipDataset(sounds, test).truth()
    assert metrics.evaluate(found, truth_NK, False, False)["accuracy"] == run.fold(1).metrics["accuracy"]


def test_splits_separate_no_recording(config: Any):
    sounds = audiosurvey.prepare(config)
    found = list(splits.splits(config, sounds))
    assert [split.fold for split in found] == [1, 2, 3]
    assert sorted(clip.id for split in found for clip in split.test) == sorted(clip.id for clip in sounds.table.clips)
    labels, groups = ["a", "b"] * 20, [f"site{n // 4}" for n in range(40)]
    folds = splits.stratified_folds(labels, 5, groups=groups)
    assert {len({folds[n] for n in range(40) if groups[n] == site}) for site in groups} == {1}
    assert [int((folds == n).sum()) for n in range(1, 6)] == [8] * 5
    with pytest.raises(UserError, match="3 labels and 1 groups"):
        splits.stratified_folds(["a", "b", "a"], 2, groups=["x"])


def test_losses_are_per_clip(config: Any):
    sounds = audiosurvey.prepare(config)
    loss = losses.loss(config, sounds, sounds.table.clips)
    logits_BK = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    target_BK = torch.tensor([[1.0, 0, 0, 0], [0.0, 1, 0, 0]])
    expected = torch.nn.functional.cross_entropy(logits_BK, target_BK.argmax(1), reduction="none")
    torch.testing.assert_close(loss(logits_BK, target_BK), expected)


def test_what_only_train_can_do_is_told(config: Any):
    make = audiosurvey.load_config
    with pytest.raises(UserError, match=r"swa\.start: only `train`"):
        audiosurvey.average(make(config, {"swa.start": 0.5}), audiosurvey.network(config, classes=4))
    with pytest.raises(UserError, match=r"standardize: statistics"):
        audiosurvey.network(make(config, {"mel_spectrogram.standardize": "statistics"}), classes=4)


def test_without_an_average_it_is_the_network_itself(config: Any):
    network = audiosurvey.network(config, classes=4)
    average = audiosurvey.average(audiosurvey.load_config(config, {"ema.decay": 0}), network)
    with torch.no_grad():
        network.classifier.weight.add_(1)
    average.update(network, 0)
    assert torch.equal(average.network.classifier.weight, network.classifier.weight)
