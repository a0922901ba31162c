"""Reverb is convolution with the room, in place and at the clip's level; rooms come from a folder or the bank."""

import builtins
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from audiosurvey.augment.wave import reverb as reverb_module
from audiosurvey.augment.wave.reverb import (
    LEAD_SAMPLES,
    Reverb,
    ReverbConfig,
    ReverbDraw,
    align,
    read_folder,
    reverberate,
)
from audiosurvey.augment.wave.rooms import room_bank, synthesise
from audiosurvey.data.audio.decoding import decode
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream

RATE = 8000


def decaying(seconds: float, rate: int = RATE, delay: int = 0) -> np.ndarray:
    """Noise that falls by 60 dB in `seconds`, after a direct sound of 1."""
    time_s = np.arange(round(seconds * rate)) / rate
    tail = 0.1 * stream("room").standard_normal(len(time_s)) * 10 ** (-3 * time_s / seconds)
    tail[0] = 1
    return np.concatenate([np.zeros(delay), tail]).astype(np.float32)


@pytest.fixture
def rooms(tmp_path: Path) -> Path:
    folder = tmp_path / "rooms"
    (folder / "halls").mkdir(parents=True)
    soundfile.write(folder / "a.wav", decaying(0.2, 16000, delay=300), 16000)
    soundfile.write(folder / "halls" / "b.flac", np.stack([decaying(0.3), np.zeros(2400)], 1), RATE)
    (folder / "readme.txt").write_text("not a sound")
    return folder


def test_equals_direct_convolution() -> None:
    rng = stream("waves")
    wave_BS = torch.from_numpy(0.1 * rng.standard_normal((3, 5000), dtype=np.float32))
    rooms = [align(decaying(seconds)) for seconds in (0.1, 0.2, 0.25)]
    longest = max(map(len, rooms))
    rooms_BR = torch.from_numpy(np.stack([np.pad(room, (0, longest - len(room))) for room in rooms]))
    out_BS = reverberate(wave_BS, rooms_BR)
    for wave, room, out in zip(wave_BS.numpy(), rooms, out_BS.numpy(), strict=True):
        expected = np.convolve(wave.astype(float), room)[LEAD_SAMPLES : LEAD_SAMPLES + 5000]
        expected *= np.sqrt(np.mean(wave.astype(float) ** 2) / np.mean(expected**2))
        np.testing.assert_allclose(out, expected, atol=1e-5)


def test_kept_spectra_change_nothing(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wave_BS = torch.from_numpy(stream("waves").standard_normal((5, 3000), dtype=np.float32))
    draws = [ReverbDraw(row % 2, "") for row in range(5)]
    keeping = Reverb(ReverbConfig(p=1, folder=rooms), sample_rate=RATE)
    first, again = (keeping.apply(wave_BS, draws, [3000] * 5) for _ in range(2))
    other = keeping.apply(wave_BS[:, :1000], draws, [1000] * 5)
    monkeypatch.setattr(reverb_module, "KEPT_BYTES", 0)
    anew = Reverb(ReverbConfig(p=1, folder=rooms), sample_rate=RATE)
    assert torch.equal(first, again)
    torch.testing.assert_close(anew.apply(wave_BS, draws, [3000] * 5), first, atol=1e-6, rtol=0)
    torch.testing.assert_close(anew.apply(wave_BS[:, :1000], draws, [1000] * 5), other, atol=1e-6, rtol=0)


def test_rooms_are_transformed_once_for_a_length(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reverb = Reverb(ReverbConfig(p=1, folder=rooms), sample_rate=RATE)
    transformed: list[int] = []
    monkeypatch.setattr(reverb, "_responses", lambda rows, longest: transformed.append(1) or torch.ones(2, longest))
    for samples in (3000, 3000, 3000, 1000, 1000):
        reverb.apply(torch.ones(2, samples), [ReverbDraw(0, ""), ReverbDraw(1, "")], [samples] * 2)
    assert len(transformed) == 2


def test_the_tail_decays_as_the_room_does(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "room.wav", decaying(0.5), RATE, subtype="FLOAT")
    reverb = Reverb(ReverbConfig(p=1, folder=tmp_path), sample_rate=RATE)
    wave_BS = torch.zeros(1, 6000)
    wave_BS[0, 100] = 1
    out_S = reverb.apply(wave_BS, [ReverbDraw(0, "room")], [6000])[0]
    assert int(out_S.abs().argmax()) == 100, "the direct sound stays where it was"
    assert out_S[:100].abs().max() < 1e-5
    late, later = out_S[500:1300].square().mean(), out_S[2100:2900].square().mean()
    assert 10 * torch.log10(late / later) == pytest.approx(60 * (1600 / RATE) / 0.5, abs=1.5)


def test_level_is_kept_and_silence_stays_silent(rooms: Path) -> None:
    reverb = Reverb(ReverbConfig(p=1, folder=rooms), sample_rate=RATE)
    wave_BS = torch.from_numpy(stream("waves").standard_normal((20, 4000), dtype=np.float32))
    wave_BS *= torch.logspace(-4, 0, 20)[:, None]
    wave_BS[3] = 0
    out_BS = reverb.apply(wave_BS, [reverb.draw(stream(i), 4000, 4000) for i in range(20)], [4000] * 20)
    assert out_BS.shape == wave_BS.shape
    torch.testing.assert_close(out_BS.square().mean(1), wave_BS.square().mean(1), rtol=1e-4, atol=0)
    assert torch.equal(out_BS[3], torch.zeros(4000))


def test_a_delayed_response_adds_no_delay(rooms: Path) -> None:
    reverb = Reverb(ReverbConfig(p=1, folder=rooms), sample_rate=RATE)
    assert reverb.names == ["a.wav", "halls/b.flac"]
    for room in reverb.rooms:
        assert int(np.abs(room).argmax()) == LEAD_SAMPLES
        assert np.square(room).sum() == pytest.approx(1, rel=1e-4)


def test_the_direct_sound_is_the_first_strong_peak_not_the_greatest() -> None:
    response = np.zeros(1000)
    response[[300, 301, 700]] = 0.5, 0.6, 1.0
    room = align(response)
    assert np.flatnonzero(room).tolist() == [LEAD_SAMPLES - 1, LEAD_SAMPLES, LEAD_SAMPLES + 399]


def test_responses_are_brought_to_the_sample_rate(rooms: Path) -> None:
    responses = read_folder(rooms, RATE)
    assert len(responses["a.wav"]) == pytest.approx((0.2 + 300 / 16000) * RATE, abs=2)
    assert len(responses["halls/b.flac"]) == 2400, "the first channel, at its own rate"


def test_responses_are_decoded_once_into_a_store(rooms: Path, tmp_path: Path) -> None:
    responses = read_folder(rooms, RATE, tmp_path / "stores")
    assert len(list((tmp_path / "stores").glob("*/samples.i16"))) == 1
    expected_S = decode(rooms / "a.wav", mono="left", sample_rate=RATE)
    np.testing.assert_allclose(responses["a.wav"], expected_S, atol=np.abs(expected_S).max() / 32767)
    (rooms / "broken.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(UserError, match=r"broken\.wav: cannot be read as an impulse response"):
        read_folder(rooms, RATE)


def test_a_response_longer_than_the_window(rooms: Path) -> None:
    reverb = Reverb(ReverbConfig(p=1, folder=rooms), sample_rate=RATE)
    wave_BS = torch.from_numpy(stream("waves").standard_normal((2, 200), dtype=np.float32))
    out_BS = reverb.apply(wave_BS, [ReverbDraw(0, ""), ReverbDraw(1, "")], [200, 200])
    assert out_BS.shape == (2, 200)
    assert torch.isfinite(out_BS).all()


def test_off_it_needs_neither_rooms_nor_folder() -> None:
    assert Reverb(ReverbConfig(p=0, folder=Path("nowhere")), sample_rate=RATE).rooms == []


def test_folders_that_hold_no_response(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="absent: no such folder"):
        read_folder(tmp_path / "absent", RATE)
    with pytest.raises(UserError, match="no sound files in"):
        read_folder(tmp_path, RATE)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(UserError, match=r"augmentation\.reverb\.folder: .*broken\.wav: not a sound file"):
        read_folder(tmp_path, RATE)
    soundfile.write(tmp_path / "broken.wav", np.zeros(100), RATE)
    with pytest.raises(UserError, match=r"broken\.wav: contains only silence, not an impulse response"):
        read_folder(tmp_path, RATE)


def test_the_bank_is_made_once_and_is_the_same_each_time(tmp_cache: Path) -> None:
    pytest.importorskip("pyroomacoustics")
    first = room_bank(RATE, count=3)
    (file,) = (tmp_cache / "rooms").iterdir()
    written = file.stat().st_mtime_ns
    again = room_bank(RATE, count=3)
    assert file.stat().st_mtime_ns == written
    assert list(first) == list(again) == ["room-00", "room-01", "room-02"]
    for number, name in enumerate(first):
        np.testing.assert_array_equal(first[name], again[name])
        np.testing.assert_allclose(first[name], synthesise(RATE, number), atol=1e-6)
    assert len({len(response) for response in first.values()}) == 3, "rooms differ"


def test_a_room_rings_and_fades() -> None:
    pytest.importorskip("pyroomacoustics")
    response = synthesise(RATE, 0)
    peak = int(np.abs(response).argmax())
    energy = np.cumsum(np.square(response[::-1]))[::-1]
    assert peak < 0.05 * RATE
    assert energy[len(response) // 2] < 0.1 * energy[0]


def test_without_pyroomacoustics_the_mend_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def refuse(name: str, *args, **kwargs):
        if name == "pyroomacoustics":
            raise ImportError(name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError) as error:
        Reverb(ReverbConfig(p=0.5), sample_rate=RATE)
    assert len(error.value.lines) == 1
    assert "pip install audiosurvey[rir]" in error.value.lines[0]
    assert "augmentation.reverb.folder" in error.value.lines[0]


def test_pipes_and_impossible_samples_among_the_responses_are_named(tmp_path: Path, named_pipe) -> None:
    soundfile.write(tmp_path / "far.wav", np.array([0.0, 1e29]), 8000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"far\.wav: contains samples up to 1e\+29"):
        read_folder(tmp_path, 8000)
    (tmp_path / "far.wav").unlink()
    named_pipe(tmp_path / "pipe.wav")
    with pytest.raises(UserError, match=r"pipe\.wav: not a plain file \(named pipe\)"):
        read_folder(tmp_path, 8000)
