"""Files that PyAV reads: every sample as FFmpeg gives it, faults told, and one line where PyAV is missing."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media_files import FORMATS, VIDEOS, decoded_by_pyav, media, tones

from audiosurvey.data.audio.bad_audio import BadAudio, MissingDecoder
from audiosurvey.data.audio.decoding import BLOCK_FRAMES, blocks, decode, probe, read
from audiosurvey.data.audio.resampling import mono_blocks

KINDS = tuple(FORMATS)


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_those_of_ffmpeg(kind: str) -> None:
    content = media(kind)
    x_SC, rate = read(content)
    _, _, wanted_rate, channels = FORMATS[kind]
    assert (rate, x_SC.shape[1]) == (wanted_rate, channels)
    np.testing.assert_allclose(x_SC, decoded_by_pyav(content), rtol=0, atol=1e-5)
    heard_S, played_S = x_SC[: len(tones(rate, channels)), 0], tones(rate, channels)[:, 0]
    if kind not in ("amr", "aac", "mkv", "wma"):  # AMR changes phases; the others do not state the encoder's delay
        assert np.corrcoef(heard_S, played_S[: len(heard_S)])[0, 1] > 0.95, "neither early nor late"
    assert -1024 < len(x_SC) - len(played_S) <= 2 * 2048, "whole frames of the encoder"


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mkv"])
def test_samples_are_those_of_the_command_ffmpeg(tmp_path: Path, kind: str) -> None:
    # Since version 6, FFmpeg leaves out the encoder's delay of AAC in Matroska; the command may be older.
    (tmp_path / kind).write_bytes(media(kind))
    command = ["ffmpeg", "-v", "error", "-i", str(tmp_path / kind), "-map", "0:a:0", "-f", "f32le", "-"]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    x_SC, _ = read(tmp_path / kind)
    np.testing.assert_allclose(x_SC, np.frombuffer(raw, "<f4").reshape(x_SC.shape), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_and_stretches_are_parts_of_the_whole(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "sound"  # a file's content decides, not its name
    path.write_bytes(media(kind))
    whole_SC, rate = read(path)
    with blocks(path) as (about, pieces):
        parts = list(pieces)
    assert about.seconds is None, "only decoding tells the length to the sample"
    assert max(map(len, parts)) <= BLOCK_FRAMES
    np.testing.assert_array_equal(np.concatenate(parts), whole_SC)
    first, last = len(whole_SC) // 3, len(whole_SC) // 2
    np.testing.assert_array_equal(read(path, start_s=first / rate, end_s=last / rate)[0], whole_SC[first:last])
    resampled_S = np.concatenate(list(mono_blocks(path, mono="mean", sample_rate=16000)))
    np.testing.assert_array_equal(resampled_S, decode(path, mono="mean", sample_rate=16000))


def test_long_sounds_come_in_several_blocks() -> None:
    content = media("m4a", tones(44100, 2, seconds=9))
    with blocks(content) as (_, pieces):
        lengths = list(map(len, pieces))
    assert len(lengths) > 3
    assert max(lengths) <= BLOCK_FRAMES
    assert sum(lengths) == len(decoded_by_pyav(content))


def test_the_header_names_container_and_codec() -> None:
    assert (probe(media("m4a")).format, probe(media("m4a")).subtype) == ("MP4", "AAC")
    assert (probe(media("webm")).format, probe(media("webm")).subtype) == ("WEBM", "OPUS")


@pytest.mark.parametrize("kind", ["m4a", "mp4", "mov", "webm", "mkv", "wma", "avi", "aac", "amr"])
@pytest.mark.parametrize("share", [0.4, 0.9])
def test_files_that_are_cut_short(kind: str, share: float) -> None:
    content = media(kind)
    end = int(share * len(content))
    if kind == "amr":
        end += (end - 6) % 32 == 0  # within a frame: between two frames nothing shows it
    with pytest.raises(BadAudio, match="truncated"):
        read(content[:end])


def test_what_is_there_of_a_file_that_was_cut_short() -> None:
    content = media("webm")
    whole_SC, _ = read(content)
    parts: list[np.ndarray] = []
    with pytest.raises(BadAudio, match="truncated"), blocks(content[: len(content) // 2], cut=True) as (_, pieces):
        parts.extend(pieces)
    there_SC = np.concatenate(parts)
    assert 0.3 < len(there_SC) / len(whole_SC) < 0.7
    np.testing.assert_array_equal(there_SC, whole_SC[: len(there_SC)])


def test_a_damaged_file() -> None:
    content = bytearray(media("alac.m4a"))
    middle = content.index(b"mdat") + 2000
    content[middle : middle + 4000] = np.random.default_rng(0).bytes(4000)
    with pytest.raises(BadAudio, match="cannot be decoded"):
        read(bytes(content))


def test_a_damaged_index() -> None:
    content = media("m4a").replace(b"stsd", b"xxxx")
    with pytest.raises(BadAudio, match=r"cannot be decoded \(|contains no sound"):
        read(content)


@pytest.mark.parametrize("kind", VIDEOS)
def test_a_video_without_sound(kind: str) -> None:
    with pytest.raises(BadAudio, match="contains no sound: the file has no audio stream"):
        read(media(kind, sound=False))


def test_names_may_lie(tmp_path: Path) -> None:
    import soundfile

    (tmp_path / "really-m4a.wav").write_bytes(media("m4a"))
    assert probe(tmp_path / "really-m4a.wav").subtype == "AAC"
    soundfile.write(tmp_path / "x.wav", tones(8000, 1), 8000)
    (tmp_path / "x.wav").rename(tmp_path / "really-wav.m4a")
    assert probe(tmp_path / "really-wav.m4a").format == "WAV"
    (tmp_path / "text.m4a").write_text("not a sound at all")
    with pytest.raises(BadAudio, match="not a sound file that can be read"):
        probe(tmp_path / "text.m4a")


def test_a_playlist_opens_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "other.m4a").write_bytes(media("m4a"))
    for text in (f"#EXTM3U\n#EXTINF:3\n{tmp_path}/other.m4a\n", f"ffconcat version 1.0\nfile '{tmp_path}/other.m4a'\n"):
        (tmp_path / "list.m4a").write_text(text)
        with pytest.raises(BadAudio, match="not a sound file that can be read"):
            read(tmp_path / "list.m4a")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("m4a", r"MP4 \(AAC, ALAC\) needs PyAV; install it with pip install 'audiosurvey\[media\]'"),
        ("webm", r"WEBM \(Opus, Vorbis, AAC\) needs PyAV"),
        ("wma", r"ASF \(WMA\) needs PyAV"),
        ("amr", r"AMR \(AMR\) needs PyAV"),
        ("aac", r"ADTS \(AAC\) needs PyAV"),
    ],
)
def test_without_pyav_its_name_is_told(monkeypatch: pytest.MonkeyPatch, kind: str, said: str) -> None:
    content = media(kind)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDecoder, match=said) as error:
        probe(content)
    assert "\n" not in error.value.reason
