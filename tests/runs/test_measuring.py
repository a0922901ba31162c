"""The range of training clips as the network heard them: augmented, before padding, always the same."""

import numpy as np
import pytest
import soundfile

from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.runs import measuring
from audiosurvey.runs.measuring import training_range


@pytest.fixture
def measured(tiny):
    def of(*overrides, clips=None, head_only=False):
        config = tiny("augmentation={shorten: {p: 0}}", *overrides).config.resolved()
        config = config.model_copy(update={"train": config.train.model_copy(update={"head_only": head_only})})
        sounds = prepare(config.dataset, config.sample_rate)
        return training_range(config, sounds, clips or sounds.table.clips)

    return of


def test_without_augmentation_every_clip_is_measured_once(measured):
    found = measured()
    assert found.clips == 24
    # Tones of 0.3 (RMS -13.5 dBFS) and noise of 0.2 (-14), half a second of each.
    assert found.level_db == pytest.approx((-14, -13.4), abs=0.3)
    assert found.seconds == (0.5, 0.5)
    assert found.bandwidth_hz[1] == pytest.approx(4000, rel=0.02)


def test_the_same_clips_in_any_order_give_the_same_range(measured, tiny):
    config = tiny().config
    clips = prepare(config.dataset, config.sample_rate).table.clips
    augmented = ("augmentation.gain={p: 1, min_db: -40, max_db: 0}",)
    assert measured(*augmented) == measured(*augmented, clips=clips[::-1])


def test_gain_widens_the_range_of_levels_alone(measured):
    plain, changed = measured(), measured("augmentation.gain={p: 1, min_db: -40, max_db: 0}")
    assert changed.clips == 24 * 11
    assert changed.level_db[0] == pytest.approx(plain.level_db[0] - 40, abs=1.5)
    assert changed.level_db[1] == pytest.approx(plain.level_db[1], abs=1.5)
    assert changed.bandwidth_hz == pytest.approx(plain.bandwidth_hz, rel=0.02)


def test_noise_narrows_the_range_of_noise(measured, tmp_path):
    gaps = (np.arange(8000) // 800 % 2).astype(np.float32)
    rng = np.random.default_rng(0)
    for name, hertz in {"low": 300, "high": 1200}.items():
        (tmp_path / name).mkdir()
        for number in range(6):
            wave = 0.3 * gaps * np.sin(2 * np.pi * hertz * np.arange(8000) / 8000 + number)
            soundfile.write(tmp_path / name / f"{number}.wav", wave + 3e-4 * rng.standard_normal(8000), 8000)
    data = (f"dataset.root='{tmp_path.as_posix()}'", "dataset.clip_seconds=1")
    plain = measured(*data)
    noisy = measured(*data, "augmentation.noise={p: 1, min_snr_db: 10, max_snr_db: 20}")
    assert plain.snr_db[0] > 45
    assert noisy.snr_db == pytest.approx((10, 20), abs=5)


@pytest.mark.parametrize("pad", ["zeros", "repeat"])
def test_the_length_is_that_of_the_sound_and_not_of_the_padded_window(measured, pad):
    found = measured("dataset.clip_seconds=2", f"dataset.pad={pad}")
    assert found.seconds == (0.5, 0.5)


def test_sections_count_from_the_section_to_the_window(measured):
    found = measured("train.crop_seconds=0.2")
    assert found.seconds == (0.2, 0.5)


def test_speed_changes_the_length(measured):
    found = measured("augmentation.speed={p: 1, min: 2, max: 2}")
    assert found.seconds[0] == pytest.approx(0.25, abs=0.01)


def test_a_probe_is_fitted_to_clips_as_they_are(measured):
    gain = "augmentation.gain={p: 1, min_db: -40, max_db: -40}"
    assert measured(gain, head_only=True).level_db == measured().level_db
    assert measured(gain).level_db[1] < measured().level_db[1] - 30


def test_of_a_large_set_a_bounded_number_is_measured(measured, monkeypatch):
    monkeypatch.setattr(measuring, "RENDERED", 10)
    assert measured().clips == 10
    assert measured("augmentation.gain.p=1").clips == 10


def test_mixtures_are_measured_as_they_are(measured):
    for order in ("first", "last"):
        found = measured("augmentation.mixup.p=1", f"augmentation.mix_waves={order}")
        assert found.clips == 24 * 11
        assert np.isfinite(found.level_db).all()
