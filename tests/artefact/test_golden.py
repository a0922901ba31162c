"""Golden clips: which they are, that they are kept to the bit, and that a model which changed is found out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.artefact.folder import Model, load_artefact, without_golden_clips
from audiosurvey.artefact.golden import Golden, check_golden, choose_golden, load_golden, make_golden, save_golden
from audiosurvey.data.store.store import Store, prepare
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

WINDOW = 100


def stored(folder: Path, waves: dict[str, tuple[list[int], np.ndarray]], classes: int) -> tuple[Store, list[Clip]]:
    """A store of waves by clip id, each with its labels."""
    clips = []
    for name, (labels, wave_S) in waves.items():
        soundfile.write(folder / name, wave_S, 1000, subtype="PCM_16")
        clips.append(Clip(name, folder / name, tuple(labels)))
    table = Table("t", folder, tuple(f"class {k}" for k in range(classes)), tuple(clips))
    return prepare(table, sample_rate=1000, mono="mean"), clips


def chosen(store: Store, clips: list[Clip], classes: int, pad="zeros") -> Golden:
    return choose_golden(store, clips, [f"class {k}" for k in range(classes)], clip_samples=WINDOW, pad=pad)


@pytest.fixture
def noise() -> np.ndarray:
    return 0.5 * np.random.default_rng(0).uniform(-1, 1, WINDOW)


def test_eight_are_spread_over_the_classes(tmp_path, noise):
    store, clips = stored(tmp_path, {f"{k:02}.wav": ([k], noise) for k in range(22)}, 22)
    golden = chosen(store, clips, 22)
    assert golden.labels == [[f"class {k}"] for k in (0, 3, 6, 9, 12, 15, 18, 21)]
    assert chosen(store, clips[::-1], 22).clips == golden.clips


def test_of_few_classes_several_each_and_of_few_clips_all(tmp_path, noise):
    waves = {f"{k}-{n}.wav": ([k], noise) for k in range(3) for n in range(5)}
    store, clips = stored(tmp_path, waves, 3)
    golden = chosen(store, clips, 3)
    assert [golden.labels.count([f"class {k}"]) for k in range(3)] == [3, 3, 2]
    assert len(set(golden.clips)) == 8
    assert sorted(chosen(store, clips[3:8], 3).clips) == ["0-3.wav", "0-4.wav", "1-0.wav", "1-1.wav", "1-2.wav"]


def test_classes_that_have_no_clips_leave_their_places_to_others(tmp_path, noise):
    waves = {f"{n}.wav": ([1, 2], noise) for n in range(9)}
    store, clips = stored(tmp_path, waves, 40)
    golden = chosen(store, clips, 40)
    assert golden.clips == [f"{n}.wav" for n in range(8)]
    assert golden.labels[0] == ["class 1", "class 2"]


def test_silence_is_taken_only_where_there_is_nothing_else(tmp_path, noise):
    waves = {f"{n}.wav": ([0], np.zeros(WINDOW) if n < 4 else noise) for n in range(10)}
    store, clips = stored(tmp_path, waves, 1)
    golden = chosen(store, clips, 1)
    assert golden.clips == ["4.wav", "5.wav", "6.wav", "7.wav", "8.wav", "9.wav", "0.wav", "1.wav"]
    assert np.isfinite(golden.wave_BS).all()
    assert not golden.wave_BS[6].any()


def test_the_loudest_window_of_a_long_clip_and_a_short_one_padded(tmp_path, noise):
    long_S = np.concatenate([0.01 * noise, noise, 0.01 * noise])
    store, clips = stored(tmp_path, {"a.wav": ([0], long_S), "b.wav": ([0], noise[:40])}, 1)
    golden = chosen(store, clips, 1)
    np.testing.assert_allclose(golden.wave_BS[0], noise, atol=1e-4)
    np.testing.assert_allclose(golden.wave_BS[1, :40], noise[:40], atol=1e-4)
    assert not golden.wave_BS[1, 40:].any()
    again_S = chosen(store, clips, 1, pad="repeat").wave_BS[1]
    np.testing.assert_allclose(again_S[40:80], noise[:40], atol=1e-4)


def test_kept_to_the_bit(tmp_path, noise):
    store, clips = stored(tmp_path, {"ä b.wav": ([0], noise)}, 1)
    golden = replace(chosen(store, clips, 1), logits_BK=np.array([[0.1, -3.7]], dtype=np.float32))
    save_golden(tmp_path / "golden.safetensors", golden)
    back = load_golden(tmp_path / "golden.safetensors")
    assert (back.clips, back.labels) == (golden.clips, golden.labels)
    assert back.pcm_BS.dtype == np.int16
    np.testing.assert_array_equal(back.wave_BS, golden.wave_BS)
    np.testing.assert_array_equal(back.logits_BK, golden.logits_BK)


def test_the_tolerance_grows_with_the_logits(tmp_path, noise):
    store, clips = stored(tmp_path, {"a.wav": ([0], noise)}, 1)
    small = replace(chosen(store, clips, 1), logits_BK=np.array([[0.5, -0.2]], dtype=np.float32))
    assert small.tolerance == pytest.approx(1e-3)
    assert replace(small, logits_BK=40 * small.logits_BK).tolerance == pytest.approx(20e-3)


@pytest.fixture
def model(finished_run: Path) -> Model:
    return load_artefact(finished_run / "fold-2" / "model")


def test_a_model_agrees_with_its_own(model: Model):
    assert model.golden is not None
    assert model.golden.wave_BS.shape == (8, 4000)
    assert model.golden.wave_BS.any(axis=1).all()
    assert [labels for (labels,) in model.golden.labels] == ["high", "low", "mid", "noise"] * 2
    assert all(clip in model.heard.clips for clip in model.golden.clips)
    assert check_golden(model) <= 1e-5


def test_a_model_that_changed_is_found_out(model: Model):
    assert model.golden is not None
    model.network.classifier.weight.mul_(1.02)
    assert check_golden(model) > model.golden.tolerance


def test_a_model_that_hears_otherwise_is_found_out(model: Model):
    assert model.golden is not None
    filters = model.front_end
    model.front_end.forward = lambda wave_BS, heard=filters.forward: heard(wave_BS * 0.9)  # type: ignore[method-assign]
    assert check_golden(model) > model.golden.tolerance


def test_a_model_without_golden_clips_is_one_line(model: Model):
    model.golden = None
    with pytest.raises(UserError, match="no golden clips") as error:
        check_golden(model)
    assert len(error.value.lines) == 1


def test_made_sounds_cover_every_band_at_many_levels():
    made = make_golden(16000, 8000)
    assert made.made
    assert made.wave_BS.shape == (8, 16000)
    levels_db = 10 * np.log10(np.square(made.wave_BS).mean(axis=1))
    assert levels_db.max() - levels_db.min() > 30
    power_BF = np.square(np.abs(np.fft.rfft(made.wave_BS, axis=1))).reshape(8, -1)[:, :8000].reshape(8, 20, 400).mean(2)
    assert (power_BF > 0).all()
    again = make_golden(16000, 8000)
    assert np.array_equal(made.wave_BS, again.wave_BS)


def test_a_copy_of_a_model_without_training_audio(finished_run: Path, tmp_path: Path):
    original = finished_run / "fold-2" / "model"
    copy = without_golden_clips(original, tmp_path / "copy")
    model = load_artefact(copy)
    assert model.golden is not None
    assert model.golden.made
    assert check_golden(model) <= 1e-5
    model.network.classifier.weight.mul_(1.02)
    assert check_golden(model) > model.golden.tolerance
    card = (copy / "README.md").read_text(encoding="utf-8")
    assert "contains no training audio" in card
    assert "windows of training clips" not in card
    assert (copy / "weights.safetensors").read_bytes() == (original / "weights.safetensors").read_bytes()


@pytest.mark.parametrize("jobs", [1, 2])
def test_runs_without_training_audio(train_tiny, tmp_path: Path, jobs: int):
    train_tiny(tmp_path / "run", "train.epochs=1", folds=[1, 2], jobs=jobs, final=True, golden_clips=False)
    for place in ("fold-1/model", "fold-2/model", "model"):
        model = load_artefact(tmp_path / "run" / place)
        assert model.golden is not None
        assert model.golden.made
        assert check_golden(model) <= 1e-5
