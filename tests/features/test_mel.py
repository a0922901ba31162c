"""The mel front end against torch.stft with the same arguments, against torchaudio where it imports, and its facts."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from audiosurvey.features.mel import MelConfig, MelFrontEnd, _reflected

RATE = 16_000


def waves(samples: int = 8_000, clips: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(clips, samples, generator=generator) * 0.3


def by_stft(wave_BS: torch.Tensor, config: MelConfig, rate: int) -> torch.Tensor:
    """The definition of torchaudio.transforms.MelSpectrogram, written out with torch.stft."""
    import librosa

    win, hop = round(config.win_length * rate), round(config.hop_length * rate)
    n_fft = config.n_fft or win
    window_of = getattr(torch, f"{config.window_fn}_window")
    window = window_of(win, **(config.wkwargs or {}))
    if config.pad:
        wave_BS = torch.nn.functional.pad(wave_BS, (config.pad, config.pad))
    spectrum = torch.stft(
        wave_BS,
        n_fft,
        hop,
        win,
        window,
        center=config.center,
        pad_mode=config.pad_mode,
        normalized=config.normalized == "frame_length",
        return_complex=True,
    )
    if config.normalized in (True, "window"):
        spectrum = spectrum / window.pow(2).sum().sqrt()
    bank = librosa.filters.mel(
        sr=rate,
        n_fft=n_fft,
        n_mels=config.n_mels,
        fmin=config.f_min,
        fmax=config.f_max or rate / 2,
        htk=config.mel_scale == "htk",
        norm=config.norm,
    )
    return (spectrum.abs() ** config.power).transpose(1, 2) @ torch.from_numpy(bank.T)


VARIANTS = [
    {},
    {"n_fft": 512},
    {"n_fft": 1024, "n_mels": 128},
    {"power": 1.0},
    {"power": 1.5},
    {"normalized": True},
    {"normalized": "window"},
    {"normalized": "frame_length"},
    {"center": False},
    {"pad_mode": "constant"},
    {"pad_mode": "replicate"},
    {"pad_mode": "circular"},
    {"norm": "slaney", "mel_scale": "slaney"},
    {"norm": "slaney"},
    {"pad": 123},
    {"window_fn": "hamming"},
    {"window_fn": "blackman", "wkwargs": {"periodic": False}},
    {"window_fn": "kaiser", "wkwargs": {"periodic": True, "beta": 8.0}},
    {"f_min": 100, "f_max": 5_000},
    {"win_length": 0.0313, "hop_length": 0.0077, "n_fft": 930},
]


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_equal_to_stft(arguments):
    config = MelConfig(**{"win_length": 0.025, "hop_length": 0.01, "n_mels": 40} | arguments)
    ours = MelFrontEnd(config, RATE).mel(waves())
    theirs = by_stft(waves(), config, RATE)
    assert ours.shape == theirs.shape
    assert ours.shape[1] == config.num_frames(8_000, RATE)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6 * float(theirs.max()))


@pytest.mark.parametrize("arguments", VARIANTS, ids=str)
def test_equal_to_torchaudio(arguments):
    try:
        from torchaudio.transforms import MelSpectrogram  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError):
        pytest.skip("torchaudio does not import here")
    config = MelConfig(**{"win_length": 0.025, "hop_length": 0.01, "n_mels": 40} | arguments)
    names = (
        "f_min",
        "f_max",
        "n_mels",
        "pad",
        "power",
        "normalized",
        "wkwargs",
        "center",
        "pad_mode",
        "norm",
        "mel_scale",
    )
    theirs = MelSpectrogram(
        RATE,
        n_fft=config.fft_samples(RATE),
        win_length=config.win_samples(RATE),
        hop_length=config.hop_samples(RATE),
        window_fn=getattr(torch, f"{config.window_fn}_window"),
        **{name: getattr(config, name) for name in names},
    )(waves()).transpose(1, 2)
    torch.testing.assert_close(
        MelFrontEnd(config, RATE).mel(waves()), theirs, rtol=1e-4, atol=1e-6 * float(theirs.max())
    )


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"n_mels": 33},
        {"n_mels": 128, "n_fft": 512},
        {"f_min": 3000, "f_max": 3500, "n_mels": 40},
        {"mel_scale": "kaldi", "compression": "ln"},
        {"norm": "slaney", "mel_scale": "slaney", "compression": "db"},
    ],
    ids=str,
)
def test_groups_of_bands_equal_the_whole_filter_bank(arguments):
    """Also where bands hold no bin (128 bands, 40 bands within 500 Hz)."""
    front_end, wave = MelFrontEnd(MelConfig(**arguments), RATE), waves(8_000)
    whole = front_end.power(wave) @ front_end.bank
    assert len(front_end._groups) == 3
    torch.testing.assert_close(front_end.mel(wave), whole, rtol=3e-6, atol=1e-7 * float(whole.max()))
    torch.testing.assert_close(
        front_end(wave),
        front_end.compress(whole)[:, None],
        rtol=1e-5,
        atol=1e-4 if "compression" in arguments else 1e-6,
    )


def test_clips_do_not_depend_on_their_batch():
    front_end = MelFrontEnd(MelConfig(), RATE)
    wave = waves(16_000, 40)
    together = front_end(wave)
    alone = torch.cat([front_end(one[None]) for one in wave])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("compression", ["log10p1", "db"])
def test_silence_is_finite_and_named(compression):
    front_end = MelFrontEnd(MelConfig(compression=compression), RATE)
    mel = front_end(torch.zeros(2, 8_000))
    assert mel.shape == (2, 1, front_end.num_frames(8_000), 64)
    assert torch.all(mel == front_end.silence)


def test_decibels_by_hand():
    """Ten times the amplitude is twenty decibels more."""
    front_end = MelFrontEnd(MelConfig(compression="db"), RATE)
    difference = front_end(waves() * 10) - front_end(waves())
    torch.testing.assert_close(difference, torch.full_like(difference, 20.0), rtol=0, atol=1e-3)


def test_tone_lands_in_its_band():
    front_end = MelFrontEnd(MelConfig(n_mels=40, n_fft=1024), RATE)
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16_000) / RATE)[None]
    band = int(front_end.mel(tone).mean(dim=1).argmax())
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 42)
    centres_hz = 700 * (10 ** (mels[1:-1] / 2595) - 1)
    assert band == int(np.abs(centres_hz - 1000).argmin())


POWERS = (0.5, 1.0, 1.5, 2.0, 3.0)


@pytest.mark.parametrize("power", POWERS)
def test_decibels_are_of_the_wave_whatever_the_power(power):
    """Twice the wave is 20 log10(2) = 6.02 dB more in every cell that is above the floor."""
    front_end = MelFrontEnd(MelConfig(compression="db", power=power), RATE)
    once, twice = front_end(waves()), front_end(2 * waves())
    assert once.min() > -100
    torch.testing.assert_close(twice - once, torch.full_like(once, 6.0206), rtol=0, atol=1e-3)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("floor_db", [-100.0, -60.0])
def test_the_floor_and_silence_lie_at_floor_db_whatever_the_power(power, floor_db):
    front_end = MelFrontEnd(MelConfig(compression="db", power=power, floor_db=floor_db), RATE)
    assert front_end.silence == pytest.approx(floor_db, abs=1e-3)
    assert torch.equal(front_end(torch.zeros(1, 4000)), torch.full((1, 1, 26, 64), front_end.silence))
    # A tone whose magnitude is 20 dB above and below the floor, in the band where it is loudest.
    tone_BS = torch.sin(2 * torch.pi * 1000 * torch.arange(4000) / RATE)[None]
    peak_db = float(front_end(tone_BS).max())
    for level_db in (20, -20):
        heard = front_end(tone_BS * 10 ** ((floor_db + level_db - peak_db) / 20))
        assert float(heard.max()) == pytest.approx(floor_db + max(level_db, 0), abs=0.01)


def test_a_floor_below_what_float32_holds_is_finite():
    front_end = MelFrontEnd(MelConfig(compression="db", power=4.0, floor_db=-200), RATE)
    assert torch.isfinite(front_end(torch.zeros(1, 4000))).all()


@pytest.mark.parametrize("arguments", [{}, {"power": 1.0}, {"compression": "db"}])
def test_gradient_by_finite_differences(arguments):
    config = MelConfig(win_length=0.004, hop_length=0.002, n_mels=4, **arguments)
    front_end = MelFrontEnd(config, 8_000).double()
    wave = torch.randn(1, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: front_end.compress(front_end.mel(x)), wave, eps=1e-6, atol=1e-5)


def test_gradient_at_silence_is_finite():
    for power in (1.0, 2.0):
        wave = torch.zeros(1, 4_000, requires_grad=True)
        MelFrontEnd(MelConfig(power=power), RATE)(wave).sum().backward()
        assert wave.grad is not None
        assert torch.isfinite(wave.grad).all()


def test_autocast_does_not_reach_it():
    front_end = MelFrontEnd(MelConfig(), RATE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = front_end(waves())
    assert inside.dtype == torch.float32
    assert torch.equal(inside, front_end(waves()))


def test_nothing_is_stored_with_the_weights():
    assert MelFrontEnd(MelConfig(), RATE).state_dict() == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"f_min": 5000, "f_max": 4000}, "no band would be left"),
        ({"onesided": False}, "one-sided"),
        ({"hop_length": 256}, "the unit is seconds"),
        ({"win_length": 512}, "the unit is seconds"),
        ({"hop_length": 10}, r"a step of 10 seconds; the unit is seconds \(10 ms are 0.01\)"),
        ({"win_length": 25}, r"a window of 25 seconds; the unit is seconds \(25 ms are 0.025\)"),
        ({"hop_length": 1}, "below 1"),
        ({"win_length": 2}, "below 2"),
    ],
)
def test_wrong_settings(arguments, words):
    with pytest.raises(ValidationError, match=words):
        MelConfig(**arguments)


@pytest.mark.parametrize("samples", [9, 16, 100])
def test_reflection_is_that_of_torch(samples: int):
    wave_BS = torch.randn(2, samples, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    expected = torch.nn.functional.pad(wave_BS.unsqueeze(1), (8, 8), mode="reflect").squeeze(1)
    found = _reflected(wave_BS, 8)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    ours, theirs = (torch.autograd.grad(one.square().sum(), wave_BS)[0] for one in (found, expected))
    torch.testing.assert_close(ours, theirs)


def test_the_range_below_the_maximum_of_each_clip_is_librosas():
    import librosa

    wave_BS = waves(clips=2) * torch.tensor([[1.0], [0.1]])
    wave_BS[:, 2000:6000] *= 1e-4
    config = MelConfig(compression="db", top_db=50)
    found_BTF = MelFrontEnd(config, RATE)(wave_BS)[:, 0]
    bands_BTF = MelFrontEnd(config, RATE).mel(wave_BS).numpy()
    for found_TF, bands_TF in zip(found_BTF, bands_BTF, strict=True):
        expected_TF = librosa.power_to_db(bands_TF, amin=1e-10, top_db=50)
        np.testing.assert_allclose(found_TF, expected_TF, atol=1e-4)
        assert found_TF.max() - found_TF.min() == pytest.approx(50, abs=1e-4)
    assert MelFrontEnd(config, RATE).silence == -100


def test_the_range_below_the_maximum_is_one_of_decibels():
    with pytest.raises(ValidationError, match="leave top_db out"):
        MelConfig(compression="ln", top_db=80)
