"""Made sounds: what their spectra must look like, and that they are the same every time."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.other.made_sounds import KINDS, TAKES, MadeSound, made_sounds, render

RATE = 48_000


def power(wave_S: np.ndarray) -> np.ndarray:
    """Power of each Hz from 0 to 24 kHz; the sounds last five seconds."""
    power_F = np.abs(np.fft.rfft(wave_S.astype(float))) ** 2
    return power_F[:-1].reshape(-1, 5).sum(axis=1)


@pytest.mark.parametrize(("take", "mains_hz"), [(0, 50), (1, 60), (6, 50), (7, 60)])
def test_hum_has_its_power_at_multiples_of_the_mains(take: int, mains_hz: int) -> None:
    of_hz = power(render(MadeSound("hum", take)))
    near = np.zeros(len(of_hz), dtype=bool)
    for number in range(1, 21):
        at = number * mains_hz
        near[int(at * 0.997) - 1 : int(at * 1.003) + 2] = True
    assert of_hz[near].sum() > 0.95 * of_hz.sum()


def test_white_noise_is_flat_and_pink_noise_falls_by_three_decibels_an_octave() -> None:
    octaves = [(125 * 2**n, 250 * 2**n) for n in range(7)]
    white, pink = (power(render(MadeSound(kind, 9))) for kind in ("white", "pink"))
    of_white = [10 * np.log10(white[low:high].mean()) for low, high in octaves]
    of_pink = [10 * np.log10(pink[low:high].mean()) for low, high in octaves]
    assert np.ptp(of_white) < 1
    slope, _ = np.polyfit(range(len(octaves)), of_pink, 1)
    assert slope == pytest.approx(-3, abs=0.5)


def test_half_of_the_silence_is_digital_and_the_rest_is_very_soft() -> None:
    peaks = [int(np.abs(render(MadeSound("silence", take))).max()) for take in range(TAKES)]
    assert [peak == 0 for peak in peaks] == [True, False] * (TAKES // 2)
    assert max(peaks) < 32768 * 10 ** (-65 / 20)


def test_levels_span_sixty_decibels() -> None:
    peaks = [np.abs(render(MadeSound("white", take))).max() for take in range(TAKES)]
    assert 20 * np.log10(peaks[-1] / peaks[0]) > 50
    assert max(peaks) < 32768


def test_they_are_written_once_and_no_two_are_equal(tmp_cache: Path) -> None:
    first = made_sounds()
    contents = {path.read_bytes() for _, path in first}
    assert len(contents) == len(first) == TAKES * len(KINDS)
    assert all(path.is_relative_to(tmp_cache) for _, path in first)
    times = [path.stat().st_mtime_ns for _, path in first]
    assert [path.stat().st_mtime_ns for _, path in made_sounds()] == times
    first[3][1].unlink()
    assert {path.read_bytes() for _, path in made_sounds()} == contents
    assert soundfile.info(first[0][1]).samplerate == RATE
