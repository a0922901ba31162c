"""What preview shows is what training sees."""

import numpy as np
import pytest
import torch

from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.errors import UserError
from audiosurvey.runs.rendering import render_clip
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.accelerator import make_accelerator

AUGMENTED = (
    "augmentation={gain: {p: 1}, noise: {p: 1}, cyclic_shift: {p: 1}, time_masking: {p: 1, tmp: 9}, mixup: {p: 0.5}}"
)


def test_every_clip_of_a_batch_is_rendered_again_alone(tiny):
    config = tiny(AUGMENTED, "seed=3").config
    sounds = prepare(config.dataset, config.sample_rate)
    accelerator = make_accelerator("cpu", "fp32")
    stage = Stage(
        config, sounds, sounds.table.clips, accelerator=accelerator, settings=config.train, name="train", fold=1
    )
    batch = next(stage.batches.epoch(2))
    mel_BCTF, _ = stage.chain.render(batch.to(accelerator.device))
    assert isinstance(mel_BCTF, torch.Tensor)
    operations = set()
    for row, clip in enumerate(batch.clips):
        shown = render_clip(config, sounds, clip.id, 2)
        np.testing.assert_allclose(shown["mel_after"], mel_BCTF[row, 0].numpy(), atol=1e-3)
        assert shown["sample_rate"] == 8000
        assert shown["hop_s"] == pytest.approx(0.016)
        operations |= {str(drawn["operation"]) for drawn in shown["drawn"]}
    assert operations == {"mixup", "gain", "noise", "cyclic_shift", "shorten", "time_masking"}


def test_partners_are_those_that_are_given(tiny):
    config = tiny("augmentation={mixup: {p: 1}}").config
    sounds = prepare(config.dataset, config.sample_rate)
    two = [clip for clip in sounds.table.clips if clip.id in ("low/0.wav", "noise/3.wav")]
    partners = set()
    for epoch in range(1, 9):
        shown = render_clip(config, sounds, "low/0.wav", epoch, partners=two)
        partners |= {drawn["partner"] for drawn in shown["drawn"] if drawn["operation"] == "mixup"}
    assert partners <= {clip.id for clip in two}
    assert "noise/3.wav" in partners


def test_without_augmentation_nothing_happens(tiny):
    config = tiny().config
    sounds = prepare(config.dataset, config.sample_rate)
    shown = render_clip(config, sounds, "low/0.wav", 1)
    assert shown["drawn"] == []
    np.testing.assert_array_equal(shown["before"], shown["after"])
    np.testing.assert_array_equal(shown["mel_before"], shown["mel_after"])
    torch.testing.assert_close(torch.from_numpy(shown["before"]), torch.from_numpy(sounds.store.read("low/0.wav")))


def test_an_unknown_clip_is_one_line_with_examples(tiny):
    config = tiny().config
    sounds = prepare(config.dataset, config.sample_rate)
    with pytest.raises(UserError, match=r"clip=.nowhere.wav.: no such clip; ids look like high/0.wav"):
        render_clip(config, sounds, "nowhere.wav", 1)
