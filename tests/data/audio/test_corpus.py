"""A corpus of sound files, made here: heard whole, in blocks, by stretch and from standard input, always the same.

Every format and subtype that libsndfile writes; MP3 and MP2 from the lowest bitrates up, with and without a Xing
header; joined streams; wrong headers. PyAV (FFmpeg) is the independent decoder where it is installed; lame, sox and
ffmpeg encode where they are.
"""

import importlib
import io
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio.decoding import BadAudio, blocks, decode, probe, read
from audiosurvey.prediction.inputs import open_stdin

RATE = 8000
LENGTH = 9_011


def wave(length: int = LENGTH, channels: int = 1, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """A sweep that changes to noise, below full scale: (S, C)."""
    rng = np.random.default_rng(seed)
    time = np.arange(length) / rate
    sweep = 0.4 * np.sin(2 * np.pi * (200 + 400 * time) * time) * (time % 0.5 < 0.3)
    x_SC = sweep[:, None] + 0.05 * rng.standard_normal((length, channels)) * (time > 0.5)[:, None]
    return x_SC.clip(-0.9, 0.9)


def written(x_SC: np.ndarray, rate: int = RATE, **how: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, x_SC, rate, **how)
    return file.getvalue()


def same_everywhere(content: bytes, folder: Path) -> np.ndarray:
    """The sound (S, C), after it was heard in every way."""
    whole_SC, rate = read(content)
    length = len(whole_SC)
    about = probe(content)
    assert about.frames in (length, None)
    assert about.sample_rate == rate
    (folder / "sound").write_bytes(content)
    np.testing.assert_array_equal(read(folder / "sound")[0], whole_SC)
    with blocks(folder / "sound") as (_, pieces):
        np.testing.assert_array_equal(np.concatenate(list(pieces)), whole_SC)
    for first, last in ((1, 2), (length // 3, length // 2), (length - 700, length - 3), (length - 1, length + 9)):
        part_SC = read(folder / "sound", start_s=first / rate, end_s=last / rate)[0]
        np.testing.assert_array_equal(part_SC, whole_SC[first:last])
    for live in (False, True):
        with open_stdin(io.BytesIO(content), None, whole=not live) as source:
            piped_S = np.concatenate(list(source.blocks(rate, "mean")))
        np.testing.assert_array_equal(piped_S, decode(content, sample_rate=None))
    return whole_SC


def ffmpeg(content: bytes, format: str | None = None) -> np.ndarray | None:
    """The sound (S, C) as FFmpeg decodes it; None without PyAV."""
    try:
        av = importlib.import_module("av")
    except ImportError:
        return None
    parts: list[np.ndarray] = []
    with av.open(io.BytesIO(content), format=format) as container:
        stream = container.streams.audio[0]
        # FFmpeg's usual decoder of layer II works in whole numbers, which differ by up to 3e-5 from its own floats.
        decoder = av.CodecContext.create("mp2float", "r") if stream.codec_context.name == "mp2" else stream
        for frame in (frame for packet in container.demux(stream) for frame in decoder.decode(packet)):
            x = frame.to_ndarray()
            full_scale = 1 if x.dtype.kind == "f" else 2.0 ** (8 * x.dtype.itemsize - 1)
            planar = frame.format.is_planar
            parts.append((x.T if planar else x.reshape(-1, frame.layout.nb_channels)) / full_scale)
    return np.concatenate(parts)


def agrees(x_SC: np.ndarray, content: bytes, format: str | None = None) -> None:
    """With FFmpeg within 1e-5, where there is one."""
    other_SC = ffmpeg(content, format)
    if other_SC is not None:
        np.testing.assert_allclose(x_SC, other_SC, rtol=0, atol=1e-5)


def forms() -> Iterator[tuple[str, str, str]]:
    for format in soundfile.available_formats():
        for subtype in soundfile.available_subtypes(format):
            for endian in ("FILE", "LITTLE", "BIG"):
                if format not in ("RAW", "SD2", "MP3") and soundfile.check_format(format, subtype, endian):
                    yield format, subtype, endian


@pytest.mark.parametrize(("format", "subtype", "endian"), list(forms()))
def test_every_format_of_libsndfile(tmp_path: Path, format: str, subtype: str, endian: str) -> None:
    lossless = subtype.startswith(("PCM", "ALAC", "FLOAT", "DOUBLE"))
    heard = 0
    for channels in (1, 2):
        x_SC = wave(channels=channels)
        try:
            content = written(x_SC, format=format, subtype=subtype, endian=endian)
        except soundfile.LibsndfileError:
            continue  # this libsndfile reads it only, or writes one channel only
        heard_SC = same_everywhere(content, tmp_path)
        heard += 1
        assert len(heard_SC) - LENGTH in range(600), "whole blocks, where the format has some"
        bits = 8 if "8" in subtype else 16
        if (subtype, channels) == ("ALAC_20", 2):
            continue  # libsndfile writes what no decoder reads right
        # libsndfile writes the last packet of SDS wrong where that is not full.
        end = LENGTH // 120 * 120 if format == "SDS" else LENGTH
        np.testing.assert_allclose(heard_SC[:end], x_SC[:end], rtol=0, atol=2.0 ** (1 - bits) if lossless else 0.9)
    if not heard:
        pytest.skip("this libsndfile does not write it")


def without_xing(mp3: bytes) -> bytes:
    """Without its first frame, where that holds a Xing header (of 160 bytes at least) and no sound."""
    return mp3[mp3.index(mp3[:2], 160) :] if b"Xing" in mp3[:64] or b"Info" in mp3[:64] else mp3


MODES = [(mode, level) for mode in ("CONSTANT", "AVERAGE", "VARIABLE") for level in (0.0, 0.6, 0.999)]


@pytest.mark.parametrize("rate", [44100, 24000, 11025])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("mode", "level"), MODES)
def test_mp3_of_libsndfile(tmp_path: Path, rate: int, channels: int, mode: str, level: float) -> None:
    x_SC = wave(3 * rate, channels, rate)
    mp3 = written(x_SC, rate, format="MP3", bitrate_mode=mode, compression_level=level)
    bare = without_xing(mp3)
    bare_SC = same_everywhere(bare, tmp_path)
    assert len(bare_SC) % 576 == 0
    assert len(bare_SC) >= len(x_SC)
    agrees(bare_SC, bare, format="mp3")
    if bare != mp3:
        heard_SC = same_everywhere(mp3, tmp_path)
        assert len(heard_SC) == len(x_SC)
        agrees(heard_SC, mp3, format="mp3")
        first = next(at for at in range(2000) if np.array_equal(bare_SC[at + 999 : at + 1999], heard_SC[999:1999]))
        np.testing.assert_array_equal(bare_SC[first : first + len(heard_SC)], heard_SC)


ENCODERS = [
    "lame --quiet -t -b 128 {in} {out}.mp3",
    "lame --quiet -t -b 16 -m m --resample 16 {in} {out}.mp3",
    "lame --quiet -t -V2 {in} {out}.mp3",
    "lame --quiet -t --abr 56 {in} {out}.mp3",
    "lame --quiet -V5 --add-id3v2 --tt name {in} {out}.mp3",
    "lame --quiet -p -V9 {in} {out}.mp3",
    "sox {in} -C 128 {out}.mp3",
    "ffmpeg -v error -i {in} -q:a 4 -write_xing 0 {out}.mp3",
    "ffmpeg -v error -i {in} -b:a 16k -ac 1 -ar 16000 {out}.mp3",
    "ffmpeg -v error -i {in} -c:a mp2 -b:a 128k {out}.mp2",
    "ffmpeg -v error -i {in} -c:a libmp3lame {out}.wav",
    "ffmpeg -v error -i {in} -c:a mp2 {out}.wav",
    "ffmpeg -v error -i {in} -c:a pcm_f32le {out}.w64",
    "ffmpeg -v error -i {in} -c:a pcm_f64le {out}.w64",
    "ffmpeg -v error -i {in} -c:a pcm_s24le {out}.w64",
    "ffmpeg -v error -i {in} -c:a pcm_f32le {out}.caf",
    "ffmpeg -v error -i {in} -f flac -c:a flac {out}.flac",
    "ffmpeg -v error -i {in} -c:a libvorbis {out}.ogg",
]


@pytest.mark.parametrize("command", ENCODERS)
def test_other_encoders(tmp_path: Path, command: str) -> None:
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    rate = 44100
    soundfile.write(tmp_path / "in.wav", wave(3 * rate, 2, rate), rate)
    words = [word.format(**{"in": tmp_path / "in.wav", "out": tmp_path / "out"}) for word in command.split()]
    done = subprocess.run(words, check=False, cwd=tmp_path)
    if done.returncode and words[0] == "sox":
        pytest.skip("this sox writes no MP3")
    assert not done.returncode
    content = Path(words[-1]).read_bytes()
    heard_SC = same_everywhere(content, tmp_path)
    assert len(heard_SC) >= 3 * probe(content).sample_rate
    # FFmpeg's Vorbis decoder shows a start that libsndfile leaves out.
    if not command.endswith(".ogg"):
        agrees(heard_SC, content)


def test_mp2_of_pyav(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="PyAV is not installed")
    for rate, kbits in ((48000, 192), (44100, 64), (24000, 32), (16000, 8)):
        x_SC = wave(2 * rate, 1, rate)
        file = io.BytesIO()
        with av.open(file, "w", format="mp2") as container:
            stream = container.add_stream("mp2", rate=rate, layout="mono", bit_rate=1000 * kbits)
            frame = av.AudioFrame.from_ndarray((x_SC.T * 32767).astype("<i2"), format="s16", layout="mono")
            frame.rate = rate
            container.mux([*stream.encode(frame), *stream.encode(None)])
        heard_SC = same_everywhere(file.getvalue(), tmp_path)
        assert len(heard_SC) >= len(x_SC)
        agrees(heard_SC, file.getvalue(), format="mp3")


@pytest.mark.parametrize("format", ["OGG", "FLAC", "MP3"])
@pytest.mark.parametrize("second", [LENGTH, 5000])
def test_joined_streams_are_heard_to_the_end(tmp_path: Path, format: str, second: int) -> None:
    mode = {"bitrate_mode": "VARIABLE"} if format == "MP3" else {}
    one = written(wave(), format=format, **mode)
    other = written(wave(second, seed=1), format=format, **mode)
    heard_SC = same_everywhere(one + other + one, tmp_path)
    parts = [read(one)[0], read(other)[0], read(one)[0]]
    np.testing.assert_array_equal(heard_SC, np.concatenate(parts))
    assert len(heard_SC) == 2 * LENGTH + second


@pytest.mark.parametrize("format", ["OGG", "FLAC", "MP3"])
def test_joined_streams_of_different_forms_are_refused(format: str) -> None:
    one, other = written(wave(), format=format), written(wave(channels=2), format=format)
    with pytest.raises(BadAudio, match="several streams of different formats: 1 channels at 8000 Hz, then 2 channels"):
        read(one + other)


def test_joined_mp3_without_xing_headers(tmp_path: Path) -> None:
    bare = written(wave(), format="MP3", bitrate_mode="CONSTANT")
    tags = b"TAG" + bytes(125) + b"ID3\4\0\0\0\0\x20\0" + bytes(4096)
    heard_SC = same_everywhere(bare + tags + bare, tmp_path)
    assert len(heard_SC) == 2 * len(read(bare)[0])
    tagged = written(wave(), format="MP3", bitrate_mode="VARIABLE")
    assert len(same_everywhere(tagged + tags + tagged, tmp_path)) == 2 * LENGTH
    # Without a header of its own, the second one belongs to the first stream, whose header counts too few frames.
    mixed = same_everywhere(tagged + without_xing(tagged), tmp_path)
    assert len(mixed) >= 2 * LENGTH


def wav_of(samples: bytes, channels: int, bits: int, align: int, extensible: bool) -> bytes:
    code = 0xFFFE if extensible else 1
    head = struct.pack("<HHIIHH", code, channels, RATE, RATE * align, align, bits)
    if extensible:
        head += struct.pack("<HHI", 22, bits, 0) + struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("place", ["low, sign above", "low, zero above", "high"])
@pytest.mark.parametrize("silence", [0, 5_000])
def test_24_bits_in_four_bytes(tmp_path: Path, channels: int, place: str, silence: int) -> None:
    value = np.round(wave(channels=channels) * 2**23).astype("<i4")
    value[:silence] = 0
    if place == "high":
        value <<= 8
    container = value & 0xFFFFFF if place == "low, zero above" else value
    content = wav_of(container.astype("<i4").tobytes(), channels, 24, 4 * channels, channels > 2)
    expected = value / (2.0**31 if place == "high" else 2.0**23)
    np.testing.assert_array_equal(same_everywhere(content, tmp_path), expected.astype(np.float32))


@pytest.mark.parametrize("place", ["low", "high"])
def test_24_bits_in_four_bytes_that_begin_softly(place: str) -> None:
    value = np.round(wave() * 2**23).astype("<i4")
    soft = np.resize(np.round(value / 2**10).astype("<i4"), (20_000, 1))
    value = np.concatenate([soft, value])
    container = value << 8 if place == "high" else value
    content = wav_of(container.astype("<i4").tobytes(), 1, 24, 4, False)
    np.testing.assert_array_equal(read(content)[0], (value / 2.0**23).astype(np.float32))


@pytest.mark.parametrize(("bits", "align"), [(16, 4), (12, 2), (20, 3), (20, 4)])
def test_other_samples_in_wider_containers(tmp_path: Path, bits: int, align: int) -> None:
    value = np.round(wave() * 2**15).astype(np.int64)[:, 0] << (8 * -(-bits // 8) - 16)
    samples = b"".join(int(one).to_bytes(align, "little", signed=True) for one in value)
    heard_SC = same_everywhere(wav_of(samples, 1, bits, align, False), tmp_path)
    np.testing.assert_array_equal(heard_SC[:, 0], (np.round(wave()[:, 0] * 2**15) / 2**15).astype(np.float32))


def promising(flac: bytes, frames: int) -> bytes:
    """With another number of frames in its header."""
    content = bytearray(flac)
    field = int.from_bytes(content[21:26], "big") >> 36 << 36 | frames
    content[21:26] = field.to_bytes(5, "big")
    return bytes(content)


def test_a_flac_that_promises_too_little_is_read_whole(tmp_path: Path) -> None:
    flac = written(wave(), format="FLAC")
    for frames in (1, 4096, LENGTH - 1):
        np.testing.assert_array_equal(same_everywhere(promising(flac, frames), tmp_path), read(flac)[0])
    np.testing.assert_array_equal(same_everywhere(promising(flac, 0), tmp_path), read(flac)[0])


@pytest.mark.parametrize("frames", [LENGTH + 1, 12_000_000_000, 2**36 - 1])
def test_a_flac_that_promises_too_much_is_named_before_memory_is_taken(frames: int) -> None:
    flac = promising(written(wave(), format="FLAC"), frames)
    for content in (flac, flac[:-9]):  # with its last frame, and without
        for call in (probe, read):
            if frames < 2**32 and content is not flac and call is probe:
                continue  # the length is possible: only decoding shows that the end is missing
            with pytest.raises(BadAudio, match=r"truncated: .* frames according to its header|cannot be decoded"):
                call(content)


def test_an_mp3_that_promises_too_little_is_read_whole(tmp_path: Path) -> None:
    mp3 = written(wave(), format="MP3", bitrate_mode="VARIABLE")
    at = mp3.index(b"Xing") + 8
    short = mp3[:at] + struct.pack(">I", 9) + mp3[at + 4 :]
    heard_SC = same_everywhere(short, tmp_path)
    np.testing.assert_array_equal(heard_SC[:LENGTH], read(mp3)[0])
    long = mp3[:at] + struct.pack(">I", 900) + mp3[at + 4 :]
    with pytest.raises(BadAudio, match=r"truncated: \d+ of 900 MP3 frames according to its header"):
        read(long)


@pytest.mark.parametrize(
    "format", ["MAT4", "MAT5", "NIST", "VOC", "AVR", "SVX", "MPC2K", "SDS", "WVE", "HTK", "CAF", "AU"]
)
@pytest.mark.parametrize("lost", [0.01, 0.3, 0.9])
def test_containers_cut_short_are_named(format: str, lost: float) -> None:
    for endian in ("LITTLE", "BIG", "FILE"):
        subtype = soundfile.default_subtype(format)
        if not soundfile.check_format(format, subtype, endian):
            continue
        content = written(wave(), format=format, subtype=subtype, endian=endian)
        assert len(read(content)[0]) >= LENGTH
        with pytest.raises(BadAudio, match=r"truncated: .* according to its header"):
            read(content[: int(len(content) * (1 - lost))])


@pytest.mark.parametrize(("format", "subtype"), [("IRCAM", "PCM_16"), ("IRCAM", "FLOAT"), ("PVF", "PCM_16")])
def test_a_sample_cut_in_two_shows_where_no_length_is_stated(format: str, subtype: str) -> None:
    content = written(wave(channels=2), format=format, subtype=subtype)
    assert len(read(content)[0]) == LENGTH
    with pytest.raises(BadAudio, match="truncated"):
        read(content[:-1])
