"""Levels mean what they say, measured on the corrupted sounds by formulas that are not ours."""

import itertools

import librosa
import numpy as np
import pytest
import scipy.signal
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.analysis.corruptions import SEVERITIES, Corruption, Scene, corruptions, fitted
from audiosurvey.randomness import stream

RATE = 32000
BY_NAME = {corruption.name: corruption for corruption in corruptions()}
EVERY = pytest.mark.parametrize("one", BY_NAME.values(), ids=list(BY_NAME))


def scene(clip: str = "clip", rate: int = RATE, other_S: np.ndarray | None = None) -> Scene:
    return Scene(rate, stream("test", clip), lambda: other_S)


def sound(name: str = "sound", seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """White noise with a slow envelope."""
    samples = int(seconds * rate)
    envelope_S = 0.2 + np.abs(np.sin(np.arange(samples) / 3000))
    return (0.05 * envelope_S * stream(name).standard_normal(samples)).astype(np.float32)


def corrupted(name: str, level: float, wave_S: np.ndarray, **about) -> np.ndarray:
    return BY_NAME[name].corrupt(wave_S, level, scene(**about))


def db(ratio: float) -> float:
    return 10 * np.log10(ratio)


def power(wave_S: np.ndarray) -> float:
    return float(np.mean(np.asarray(wave_S, np.float64) ** 2))


def test_ten_corruptions_and_mp3():
    counted = [one for one in BY_NAME.values() if one.in_mean]
    assert len(counted) == 10
    assert set(BY_NAME) - {one.name for one in counted} <= {"mp3"}
    assert all(len(one.levels) == SEVERITIES for one in BY_NAME.values())


@EVERY
def test_length_type_and_input_stay(one: Corruption):
    wave_S, other_S = sound(), sound("other")
    before_S = wave_S.copy()
    for level in one.levels:
        made_S = one.corrupt(wave_S, level, scene(other_S=other_S))
        assert made_S.shape == wave_S.shape
        assert made_S.dtype == np.float32
        assert np.isfinite(made_S).all()
    np.testing.assert_array_equal(wave_S, before_S)


@EVERY
def test_a_clip_is_corrupted_in_the_same_way_each_time(one: Corruption):
    wave_S, other_S = sound(), sound("other")
    first_S, again_S = (one.corrupt(wave_S, one.levels[2], scene(other_S=other_S)) for _ in range(2))
    np.testing.assert_array_equal(first_S, again_S)


@EVERY
def test_silence_stays_silent(one: Corruption):
    silence_S = np.zeros(RATE, np.float32)
    for level in one.levels:
        assert not np.any(one.corrupt(silence_S, level, scene(other_S=sound("other", 1.0))))


@EVERY
@given(samples=st.integers(1, 4000), rate=st.sampled_from([8000, 16000, 22050, 30000, 44100]))
def test_clips_of_any_length_and_rate(one: Corruption, samples: int, rate: int):
    wave_S = sound(seconds=1, rate=4000)[:samples]
    for level in (one.levels[0], one.levels[-1]):
        made_S = one.corrupt(wave_S, level, scene(rate=rate, other_S=fitted(sound("other"), samples)))
        assert made_S.shape == wave_S.shape
        assert np.isfinite(made_S).all()


@EVERY
def test_each_severity_is_further_from_the_clip_than_the_one_before(one: Corruption):
    wave_S, other_S = sound(), sound("other")
    made = [one.corrupt(wave_S, level, scene(other_S=other_S)) for level in one.levels]
    distances = [power(made_S - wave_S) for made_S in made]
    if one.name == "gain":
        distances = [abs(db(power(made_S) / power(wave_S))) for made_S in made]
    # A rate or a cut-off at half the sample rate changes nothing; coded sounds differ by rounding.
    assert all(after > before for before, after in itertools.pairwise(distances)), distances


@pytest.mark.parametrize(("name", "slope_db"), [("white_noise", 0.0), ("pink_noise", -3.01)])
def test_noise_has_its_ratio_and_its_colour(name: str, slope_db: float):
    wave_S = noise_S = sound(seconds=8)
    for snr_db in BY_NAME[name].levels:
        noise_S = corrupted(name, snr_db, wave_S).astype(np.float64) - wave_S
        assert db(power(wave_S) / power(noise_S)) == pytest.approx(snr_db, abs=0.01)
    hertz, density = scipy.signal.welch(noise_S, RATE, nperseg=8192)
    inside = (hertz > 200) & (hertz < 12000)
    slope, _ = np.polyfit(np.log2(hertz[inside]), 10 * np.log10(density[inside]), 1)
    assert slope == pytest.approx(slope_db, abs=0.15)


def test_another_clip_is_mixed_in_at_its_level():
    wave_S, other_S = sound(), 30 * sound("other")
    for snr_db in BY_NAME["other_class"].levels:
        added_S = corrupted("other_class", snr_db, wave_S, other_S=other_S).astype(np.float64) - wave_S
        assert db(power(wave_S) / power(added_S)) == pytest.approx(snr_db, abs=0.01)
        assert np.corrcoef(added_S, other_S)[0, 1] > 0.999
    np.testing.assert_array_equal(corrupted("other_class", 0, wave_S), wave_S)


def test_short_clips_are_repeated():
    np.testing.assert_array_equal(fitted(np.array([1.0, 2.0, 3.0]), 7), [1, 2, 3, 1, 2, 3, 1])
    np.testing.assert_array_equal(fitted(np.array([1.0, 2.0, 3.0]), 2), [1, 2])


@pytest.mark.parametrize("name", ["low_pass", "resampling"])
def test_nothing_is_left_above_the_cut_off_and_all_below(name: str):
    noise_S = stream("white").standard_normal(4 * RATE).astype(np.float32)
    for level in BY_NAME[name].levels:
        cutoff_hz = level if name == "low_pass" else level / 2
        made_S = corrupted(name, level, noise_S)
        bands = librosa.stft(made_S, n_fft=4096), librosa.stft(noise_S, n_fft=4096)
        after_F, before_F = (np.square(np.abs(band_FT)).mean(axis=1) for band_FT in bands)
        hertz = librosa.fft_frequencies(sr=RATE, n_fft=4096)
        assert db(np.mean(after_F[hertz > 1.1 * cutoff_hz]) / np.mean(before_F[hertz > 1.1 * cutoff_hz])) < -50
        kept = (hertz > 50) & (hertz < 0.85 * cutoff_hz)
        assert db(np.mean(after_F[kept]) / np.mean(before_F[kept])) == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(("name", "level"), [("low_pass", 8000), ("resampling", 16000)])
def test_a_cut_off_above_half_the_rate_changes_nothing(name: str, level: float):
    wave_S = sound(rate=16000)
    np.testing.assert_allclose(corrupted(name, level, wave_S, rate=16000), wave_S, atol=1e-6)


def test_clipping_limits_the_peak_and_leaves_the_rest():
    wave_S = sound()
    for depth_db in BY_NAME["clipping"].levels:
        made_S = corrupted("clipping", depth_db, wave_S)
        limit = np.abs(wave_S).max() * 10 ** (-depth_db / 20)
        assert 20 * np.log10(np.abs(wave_S).max() / np.abs(made_S).max()) == pytest.approx(depth_db, abs=1e-4)
        below_S = np.abs(wave_S) < 0.999 * limit
        np.testing.assert_array_equal(made_S[below_S], wave_S[below_S])


def test_mu_law_has_its_bits_and_the_curve_of_librosa():
    wave_S = sound()
    peak = np.abs(wave_S).max()
    companded_S = librosa.mu_compress(wave_S / peak, mu=255, quantize=False)
    for bits in BY_NAME["mu_law"].levels:
        made_S = corrupted("mu_law", bits, wave_S)
        assert 2 ** (bits - 1) < len(np.unique(made_S)) <= 2**bits
        step = 1 / (2 ** (bits - 1) - 1)
        error_S = librosa.mu_compress(made_S / peak, mu=255, quantize=False) - companded_S
        assert np.abs(error_S).max() <= step / 2 + 1e-4
        assert np.abs(error_S).max() > 0.9 * step / 2


def test_gain_is_up_for_some_clips_and_down_for_others():
    wave_S, signs = sound(seconds=0.1), []
    for clip in range(20):
        changes = [
            db(power(corrupted("gain", level, wave_S, clip=str(clip))) / power(wave_S))
            for level in BY_NAME["gain"].levels
        ]
        assert np.abs(changes) == pytest.approx(BY_NAME["gain"].levels, abs=1e-3)
        assert len(set(np.sign(changes))) == 1
        signs.append(np.sign(changes[0]))
    assert {-1, 1} == set(signs)


def test_reverberation_decays_by_60_db_in_its_time():
    impulse_S = np.zeros(4 * RATE, np.float32)
    impulse_S[100] = 1
    for rt60_s in BY_NAME["reverberation"].levels:
        response_S = corrupted("reverberation", rt60_s, impulse_S).astype(np.float64)
        # Schroeder's backward integration of the tail, and the slope from -5 to -35 dB (ISO 3382).
        tail_S = response_S[110:]
        decay_S = np.cumsum(tail_S[::-1] ** 2)[::-1]
        decay_db = 10 * np.log10(decay_S / decay_S[0] + 1e-30)
        inside = (decay_db < -5) & (decay_db > -35)
        slope, _ = np.polyfit(np.arange(len(tail_S))[inside] / RATE, decay_db[inside], 1)
        assert -60 / slope == pytest.approx(rt60_s, rel=0.06)
        assert np.abs(response_S).argmax() == 100
        # The energy of the tail equals that of the direct sound at 1 s.
        assert np.sum(tail_S**2) / response_S[100] ** 2 == pytest.approx(rt60_s, rel=0.1)


def test_reverberation_keeps_the_level():
    wave_S = sound()
    for rt60_s in BY_NAME["reverberation"].levels:
        assert power(corrupted("reverberation", rt60_s, wave_S)) == pytest.approx(power(wave_S), rel=1e-3)


def test_muted_stretches_have_their_share_and_grow():
    wave_S = np.ones(5 * RATE, np.float32)
    muted_before = np.zeros(len(wave_S), bool)
    for share in BY_NAME["muted"].levels:
        muted_S = corrupted("muted", share, wave_S) == 0
        assert muted_S.mean() == pytest.approx(share, abs=1e-3)
        assert np.count_nonzero(np.diff(muted_S.astype(int)) == 1) + muted_S[0] == 5
        # Those of the milder severity are muted still, but for a sample of rounding at each end.
        assert np.count_nonzero(muted_before & ~muted_S) <= 10
        muted_before = muted_S


def test_the_level_is_not_given_by_the_severity_number():
    """A suite in circulation passes the number as dB, so that severity 5 is the mildest."""
    wave_S = sound()
    for name in ("white_noise", "pink_noise"):
        noises = [power(corrupted(name, level, wave_S) - wave_S) for level in BY_NAME[name].levels]
        assert db(noises[-1] / noises[0]) == pytest.approx(25, abs=0.1)
