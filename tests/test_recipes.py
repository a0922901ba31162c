"""The recipes that are shipped: each loads, says where its numbers come from, and trains a step."""

from collections import Counter
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch

from audiosurvey.config.loader import load_config
from audiosurvey.config.presets import preset_text
from audiosurvey.config.root import Config
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.schedule import cycled_momentum, rate_factor
from audiosurvey.training.step import read_results

RECIPES = sorted(
    entry.name.removesuffix(".yaml")
    for entry in (files("audiosurvey.presets") / "recipes").iterdir()
    if entry.name.endswith(".yaml")
)
OF_PAPERS = {"panns": "cnn6", "erann": "erann-0-1", "efficientat-finetune": "mn04", "eat": "eat-s"}
"""Recipes of papers, and a network of each paper that is small enough for a test."""


def recipe(name: str, *overrides: str) -> Config:
    return load_config(name, overrides).config


def step_by_the_recipe(stage: Stage, epoch: int, **settings: Any) -> tuple[float, bool]:
    """The loss of the first step of an epoch, and whether every weight that is trained moved and stayed finite."""
    torch.set_num_threads(1)
    network, config = stage.build().train(), stage.config
    step, before = stage.step(network), {name: value.clone() for name, value in network.named_parameters()}
    batches = stage.batches.epoch(epoch)
    lr = config.train.lr * rate_factor(config.schedule, 50, 100)
    momentum = cycled_momentum(config.schedule, config.optimizer.beta1, 50, 100)
    (seen,) = read_results([step([next(batches)], epoch=epoch, step=50, lr=lr, momentum=momentum)])
    batches.close()
    after = dict(network.named_parameters())
    moved = sum(not torch.equal(before[name], value) for name, value in after.items())
    return seen.loss, moved > 0.9 * len(after) and all(value.isfinite().all() for value in after.values())


@pytest.mark.parametrize("name", sorted(OF_PAPERS))
def test_a_step_on_a_small_network_of_the_paper(name: str, on_tones: Any) -> None:
    crop = ["train.crop_seconds=0.8"] if name == "erann" else []
    stage = on_tones(name, f"model={{preset: {OF_PAPERS[name]}}}", *crop)
    # Beyond any epochs without mixing.
    loss, trained = step_by_the_recipe(stage, epoch=20)
    assert np.isfinite(loss)
    assert trained


@pytest.mark.slow
@pytest.mark.parametrize("name", ["panns", "erann"])
def test_a_step_on_the_network_of_the_recipe(name: str, on_tones: Any) -> None:
    crop = ["train.crop_seconds=0.8"] if name == "erann" else []
    loss, trained = step_by_the_recipe(on_tones(name, *crop), epoch=1)
    assert np.isfinite(loss)
    assert trained


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_config_for_esc50_with_a_network_that_is_shipped(name: str) -> None:
    config = recipe(name)
    assert config.dataset.name == "esc50"
    assert "model: {preset: " in preset_text(name)


@pytest.mark.parametrize("name", sorted(OF_PAPERS))
def test_every_number_of_a_paper_has_its_source_beside_it(name: str) -> None:
    """A line that sets a number tells its source at its end, on the line above, or on that of its section."""
    above = ""
    for line in preset_text(name).splitlines():
        told = "#" in line
        if any(letter.isdigit() for letter in line.split("#")[0]):
            assert told or "#" in above, line
        # The keys of a section that says its source are told by it.
        above = line if told or not line.startswith(" ") else above


def test_panns_numbers() -> None:
    config = recipe("panns")
    assert config.input_shape == (1, 501, 64)
    assert (config.optimizer.name, config.optimizer.amsgrad, config.train.lr) == ("adam", True, 1e-3)
    # 1600 clips of four folds, in steps of 32.
    assert config.train.epochs == 10_000 / (1600 / 32)
    assert config.augmentation.time_masking.tmp - 1 == 63
    assert config.augmentation.freq_masking.fmp - 1 == 7
    assert config.augmentation.mel_mixup.p == 1


def test_erann_hears_128_frames_for_each_second_of_section_and_clip() -> None:
    config = recipe("erann")
    assert config.input_shape == (1, 640, 128)
    samples = config.train.heard_samples(config.clip_samples, config.sample_rate)
    assert config.mel_spectrogram.num_frames(samples, config.sample_rate) == 4 * 128
    assert config.augmentation.time_masking.tmp - 1 == 8 * 4


def test_efficientat_factors_of_the_rate_and_shifts() -> None:
    config = recipe("efficientat-finetune")
    for epoch, factor in [(0, 0.011), (5, 0.287), (10, 1.0), (42, 0.513), (75, 0.01)]:
        assert rate_factor(config.schedule, epoch, 80) == pytest.approx(factor, abs=5e-4)
    assert config.augmentation.cyclic_shift.max_s == 4000 / 32_000
    assert config.sample_rate == 32_000


def test_eats_numbers() -> None:
    config = recipe("eat")
    chain = config.augmentation
    assert 10 ** (chain.gain.min_db / 20) == pytest.approx(0.5, abs=1e-4)
    assert 10 ** (chain.gain.max_db / 20) == pytest.approx(1.3, abs=1e-4)
    assert sorted(chain.speed.values or []) == pytest.approx([1 / 1.2, 1 / 1.1, 1 / 0.9, 1 / 0.8], abs=1e-4)
    assert chain.noise.p + chain.phase_noise.p + chain.sine.p == 0.5
    assert chain.noise.p / len(chain.noise.colours) == chain.sine.p == chain.phase_noise.p
    assert config.loss.label_smoothing == pytest.approx(0.1 * 50 / 49, abs=1e-5)
    assert config.train.grad_clip_norm * config.train.batch_size == 1
    assert config.optimizer.eps * config.train.batch_size == pytest.approx(1e-4)
    assert config.schedule.final == pytest.approx(1 / 25 / 1e4)


def test_eat_mixes_every_clip_after_12_epochs_and_none_before(on_tones: Any) -> None:
    stage = on_tones("eat")
    ways: Counter[str] = Counter()
    for clip in stage.train_clips:
        assert all(stage.chain.mixer.draw(clip, epoch) is None for epoch in range(1, 13))
        ways.update(
            mixed.operation for epoch in range(13, 43) if (mixed := stage.chain.mixer.draw(clip, epoch)) is not None
        )
    assert sum(ways.values()) == 30 * 24
    assert all(0.2 < count / (30 * 24) < 0.3 for count in ways.values())
    assert set(ways) == {"mixup", "timemix", "freqmix", "phmix"}


def test_eats_sums_and_its_bound_are_our_mean_under_a_bound_by_the_batch() -> None:
    """AdamW on a clipped sum over 128 clips moves as on the mean with bound and eps over 128."""
    places = []
    for scale in (1, 128):
        weight = torch.nn.Parameter(torch.tensor([[1.0, -2.0]]))
        optimizer = torch.optim.AdamW([weight], lr=0.1, betas=(0.9, 0.99), eps=1e-4 / scale, weight_decay=1e-5)
        for gradient in (torch.tensor([[300.0, -4.0]]), torch.tensor([[-0.5, 0.25]])):
            weight.grad = gradient / scale
            torch.nn.utils.clip_grad_norm_([weight], 1 / scale)
            optimizer.step()
        places.append(weight.detach())
    torch.testing.assert_close(*places, rtol=0, atol=1e-6)
