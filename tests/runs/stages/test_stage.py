"""What a step hears of a clip, and what evaluation hears of it."""

from typing import Literal

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.runs.rendering import render_clip
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.accelerator import make_accelerator


def stage(tiny, *overrides: str, name: Literal["train", "pretrain"] = "train") -> Stage:
    config = tiny(*overrides).config
    sounds = prepare(config.dataset, config.sample_rate)
    accelerator = make_accelerator("cpu", "fp32")
    settings = config.train if name == "train" else config.pretrain
    return Stage(config, sounds, sounds.table.clips, accelerator=accelerator, settings=settings, name=name, fold=1)


def test_a_step_hears_a_section_of_each_clip_and_another_one_each_epoch(tiny):
    made = stage(tiny, "train.crop_seconds=0.3")
    starts: dict[str, set[int]] = {}
    for epoch in range(1, 6):
        for batch in made.batches.epoch(epoch):
            assert batch.wave_BS.shape[1] == 2400
            for clip, wave_S in zip(batch.clips, batch.wave_BS, strict=True):
                whole = made.sounds.store.read(clip.id)
                windows = np.lib.stride_tricks.sliding_window_view(whole, 2400)
                (found,) = np.nonzero((windows == wave_S.numpy()).all(1))
                starts.setdefault(clip.id, set()).add(int(found[0]))
    assert len(starts) == 24
    assert all(len(places) >= 4 for places in starts.values())
    assert min(map(min, starts.values())) < 100
    assert max(map(max, starts.values())) > 1500


def test_evaluation_hears_the_whole_clip(tiny):
    made = stage(tiny, "train.crop_seconds=0.3")
    network, clip = made.build().eval(), made.sounds.table.clips[0]
    assert made.input_shape == (1, 32, 16)
    whole_BS = torch.from_numpy(made.sounds.store.read(clip.id))[None]
    assert whole_BS.shape[1] == 4000
    with torch.no_grad():
        expected = network(made.front_end(whole_BS)).softmax(1)[0]
        section = network(made.front_end(whole_BS[:, :2400])).softmax(1)[0]
    scores_K = torch.from_numpy(made.scores(network, [clip])[0])
    torch.testing.assert_close(scores_K, expected, atol=1e-6, rtol=0)
    assert not torch.allclose(scores_K, section, atol=1e-6)


def test_norms_are_synchronised_when_a_step_is_made_and_keep_their_tensors(tiny):
    made = stage(tiny, "train.sync_batchnorm=true")
    network = made.build()
    before = {id(value) for value in network.parameters()}
    names = list(network.state_dict())
    step = made.step(network)
    norms = [part for part in network.modules() if isinstance(part, _BatchNorm)]
    assert len(norms) == 3
    assert all(isinstance(norm, nn.SyncBatchNorm) for norm in norms)
    assert list(network.state_dict()) == names
    assert {id(value) for value in network.parameters()} == before
    # One process has nobody to wait for: the step is that of plain norms.
    step([next(made.batches.epoch(1))], epoch=1, step=0, lr=0.01)
    plain = stage(tiny)
    other = plain.build()
    plain.step(other)([next(plain.batches.epoch(1))], epoch=1, step=0, lr=0.01)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(network.state_dict()[name], value, msg=name)


def test_a_clip_shorter_than_the_section_is_padded(tiny):
    made = stage(tiny, "dataset.clip_seconds=1", "dataset.pad=zeros", "train.crop_seconds=0.75")
    batch = next(made.batches.epoch(1))
    assert batch.wave_BS.shape[1] == 6000
    assert batch.valid_B.tolist() == [4000] * 8


def test_a_section_of_the_whole_window_is_no_crop(tiny):
    one, other = (next(stage(tiny, *words).batches.epoch(1)) for words in ((), ("train.crop_seconds=0.5",)))
    assert torch.equal(one.wave_BS, other.wave_BS)


def test_preview_shows_the_section_that_the_step_hears(tiny):
    made = stage(tiny, "train.crop_seconds=0.3")
    batch = next(made.batches.epoch(4))
    shown = render_clip(made.config, made.sounds, batch.clips[2].id, 4)
    np.testing.assert_array_equal(shown["before"], batch.wave_BS[2].numpy())


def test_a_run_trains_on_sections_and_its_model_hears_whole_clips(tmp_path, train_tiny):
    results = train_tiny(tmp_path, "train.crop_seconds=0.25", "train.epochs=1", folds=[1])
    assert results["folds"][0]["clips"] == 8
    from audiosurvey.artefact.load import load

    assert load(tmp_path / "fold-1" / "model").clip_samples == 4000


@pytest.mark.parametrize("mix_waves", ["first", "last"])
def test_a_run_with_all_mixings_of_waves_and_union_targets(tmp_path, train_tiny, mix_waves: str):
    mixings = ", ".join(f"{name}: {{p: 0.25, start_epoch: 2}}" for name in ("mixup", "timemix", "freqmix", "phmix"))
    results = train_tiny(
        tmp_path,
        f"augmentation={{mix_waves: {mix_waves}, {mixings}, gain: {{p: 1}}}}",
        "loss={mixed: union, label_smoothing: 0.1}",
        "optimizer={beta1: 0.95, amsgrad: true}",
        "schedule={name: one_cycle, momentum_low: 0.85}",
        folds=[1],
    )
    assert np.isfinite(results["folds"][0]["accuracy"])


def test_one_clip_more_than_whole_batches_and_a_norm_behind_the_pooling(tmp_path, train_tiny):
    """Of one clip such a norm has no variance: 16 training clips in batches of five or three."""
    blocks = "model.blocks=[{conv_block: {channels: 8, layers: 1}}, {pooling: {mode: avg}}, {norm: batch}]"
    for batch_size in (5, 3):
        train = f"train={{epochs: 1, batch_size: {batch_size}, accum_iter: 2, num_workers: 0}}"
        results = train_tiny(tmp_path / str(batch_size), blocks, train, folds=[1])
        assert results["folds"][0]["train_clips"] == 16
        assert np.isfinite(results["folds"][0]["loss"])


def test_each_stage_has_the_schedule_and_the_average_of_its_own_length(tiny):
    words = ("train={epochs: 0, patience: 3, batch_size: 8}", "pretrain={dataset: {name: toy}, epochs: 4}")
    for name, schedule, decay in (("train", "constant", 0.0), ("pretrain", "cosine", 0.999)):
        config = stage(tiny, *words, name=name).config
        assert (config.schedule.name, config.ema.decay) == (schedule, decay)


@pytest.mark.parametrize(
    ("name", "init", "rates"),
    [("train", None, {1.0, 0.5, 0.25}), ("pretrain", None, {1.0}), ("pretrain", "x", {1.0, 0.5, 0.25})],
)
def test_layers_of_a_pretraining_from_nothing_learn_alike(tiny, name, init, rates):
    made = stage(tiny, "optimizer.layer_decay=0.5", "train.epochs=1", name=name)
    model = made.config.model.model_copy(update={"init": init})
    made.config = made.config.model_copy(update={"model": model})
    groups = made.step(made.build()).optimizer.param_groups
    assert {group["rate"] for group in groups} == rates
