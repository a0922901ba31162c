"""Facts of single sounds: values by hand."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio import decoding as audio
from audiosurvey.data.table import Clip
from audiosurvey.diagnosis.clip_profile import ClipProfile, UnreadableClip, profile_clip

RATE = 8000
SINE = np.sin(2 * np.pi * 500 * np.arange(2 * RATE) / RATE)


def facts(path: Path, wave: np.ndarray, rate: int = RATE, subtype: str = "FLOAT", **stretch: float) -> ClipProfile:
    soundfile.write(path, wave, rate, subtype=subtype)
    found = profile_clip(Clip("a", path, (0,), **stretch))
    assert isinstance(found, ClipProfile)
    return found


def test_levels_of_a_sine(tmp_path: Path) -> None:
    found = facts(tmp_path / "a.wav", 0.5 * SINE)
    assert found.seconds == 2.0
    assert found.peak == pytest.approx(0.5, abs=1e-3)
    assert found.level_db == pytest.approx(20 * np.log10(0.5) - 3.0103, abs=0.01)
    assert (found.silent_share, found.clipped_share) == (0.0, 0.0)
    assert found.dc == pytest.approx(0.0, abs=1e-6)
    assert found.form == "WAV FLOAT, mono"


def test_level_is_that_of_what_is_not_silence(tmp_path: Path) -> None:
    half = np.concatenate([0.5 * SINE, np.zeros(2 * RATE)])
    found = facts(tmp_path / "a.wav", half)
    assert found.silent_share == pytest.approx(0.5, abs=0.01)
    assert found.level_db == pytest.approx(20 * np.log10(0.5) - 3.0103, abs=0.05)
    assert not found.silent
    assert facts(tmp_path / "a.wav", 1e-5 * SINE).silent  # -103 dBFS
    assert not facts(tmp_path / "a.wav", 1e-3 * SINE).silent  # -63 dBFS


def test_flat_tops_are_counted_and_round_ones_are_not(tmp_path: Path) -> None:
    assert facts(tmp_path / "a.wav", SINE, subtype="PCM_16").clipped_share == 0.0
    # Of 16 samples a period, five of each half lie at or above 0.7: sin(45, 67.5, 90, 112.5, 135 degrees).
    found = facts(tmp_path / "a.wav", np.clip(SINE / 0.7, -1, 1), subtype="PCM_16")
    assert found.clipped_share == pytest.approx(10 / 16, abs=1e-3)
    assert facts(tmp_path / "a.wav", np.clip(SINE / 0.7, -1, 1) * 0.5).clipped_share == 0.0


def test_offset_with_its_sign(tmp_path: Path) -> None:
    assert facts(tmp_path / "a.wav", 0.3 * SINE - 0.25).dc == pytest.approx(-0.25, abs=1e-6)


@pytest.mark.parametrize(
    ("left", "right", "same", "dead", "cancels"),
    [
        (1, 1, True, False, False),
        (1, 0, False, True, False),
        (1, -1, False, False, True),
        (1, 0.5, False, False, False),
    ],
)
def test_channels(tmp_path: Path, left: float, right: float, same: bool, dead: bool, cancels: bool) -> None:
    found = facts(tmp_path / "a.wav", 0.5 * np.stack([left * SINE, right * SINE], axis=1))
    assert (found.same_channels, found.dead_channel, found.cancels) == (same, dead, cancels)


def test_the_digest_is_of_the_samples_whatever_the_container(tmp_path: Path) -> None:
    wave = np.round(SINE * 20_000) / 32_768
    digests = set()
    for name, subtype in (("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("b.wav", "FLOAT"), ("a.aiff", "PCM_24")):
        digests.add(facts(tmp_path / name, wave, subtype=subtype).digest)
    digests.add(facts(tmp_path / "two.wav", np.stack([wave, wave], axis=1)).digest)
    assert len(digests) == 1
    assert facts(tmp_path / "a.wav", -wave).digest not in digests
    assert facts(tmp_path / "a.wav", np.stack([wave, -wave], axis=1)).digest not in digests


def test_a_long_sound_in_pieces_and_a_stretch_of_it(tmp_path: Path) -> None:
    long = np.concatenate([np.zeros(11 * RATE), 0.5 * np.tile(SINE, 6)])
    found = facts(tmp_path / "a.wav", long)
    assert found.seconds == 23
    assert found.silent_share == pytest.approx(11 / 23, abs=1e-3)
    assert found.level_db == pytest.approx(-9.03, abs=0.02)
    stretch = facts(tmp_path / "a.wav", long, start_s=12.0, end_s=13.5)
    assert (stretch.seconds, stretch.silent_share) == (1.5, 0.0)


def test_an_offset_alone_is_silence(tmp_path: Path) -> None:
    found = facts(tmp_path / "a.wav", np.full(2 * RATE, 0.25))
    assert (found.silent, found.dc) == (True, 0.25)
    # A microphone that was not plugged in: half a step of 8 bits, always the same.
    assert facts(tmp_path / "a.wav", np.full(2 * RATE, -1 / 256), subtype="PCM_U8").silent
    assert not facts(tmp_path / "a.wav", 0.25 + 1e-3 * SINE).silent
    one = facts(tmp_path / "a.wav", np.array([0.5]))
    assert (one.peak, one.silent) == (0.5, True)


@pytest.mark.parametrize(
    ("content", "check"),
    [(b"", "empty"), (b"not a sound" * 50, "unreadable"), (None, "missing"), (b"RIFF", "unreadable")],
)
def test_why_a_file_cannot_be_read(tmp_path: Path, content: bytes | None, check: str) -> None:
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    found = profile_clip(Clip("a", path, (0,)))
    assert isinstance(found, UnreadableClip)
    assert found.check == check


def test_the_size_of_the_blocks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    loud_SC = rng.uniform(-1, 1, (5 * RATE + 3, 2)) + np.linspace(0, 0.1, 5 * RATE + 3)[:, None]
    # Noise with flat tops everywhere, then silence, then noise again.
    wave_SC = np.round(np.clip(np.repeat(1.2 * loud_SC, 2, axis=0), -1, 1), 2)
    wave_SC[20_001:40_002] = 0
    whole = facts(tmp_path / "a.wav", wave_SC)
    assert 0 < whole.silent_share < 1
    assert 0 < whole.clipped_share < 1
    for frames in (1, 159, 4096):
        # The shorter stretch has as many blocks, and is quick.
        count = 30_000 if frames == 1 else len(wave_SC)
        monkeypatch.undo()
        expected = facts(tmp_path / "a.wav", wave_SC[:count])
        monkeypatch.setattr(audio, "BLOCK_FRAMES", frames)
        found = facts(tmp_path / "a.wav", wave_SC[:count])
        for name in ("seconds", "digest", "peak", "silent_share", "clipped_share", "same_channels", "bandwidth_hz"):
            assert getattr(found, name) == getattr(expected, name), name
        assert found.level_db == pytest.approx(expected.level_db, abs=1e-9)
        assert found.dc == pytest.approx(expected.dc, abs=1e-9)
        np.testing.assert_allclose(found.bands_db, expected.bands_db, atol=1e-5)
        np.testing.assert_array_equal(found.print.change_TF, expected.print.change_TF)


def test_pipes_are_not_opened(tmp_path: Path, named_pipe: Callable[[Path], Path]) -> None:
    found = profile_clip(Clip("a", named_pipe(tmp_path / "a.wav"), (0,)))
    assert found == UnreadableClip("unreadable", "not a plain file (named pipe)")
