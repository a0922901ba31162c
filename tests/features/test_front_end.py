"""Front ends: each network is given what it hears, and nothing else."""

import torch

from audiosurvey.features.band_change import BandChange
from audiosurvey.features.front_end import make_front_end, mel_for_show
from audiosurvey.features.mel import MelConfig, MelFrontEnd

MEL = MelConfig(n_mels=8, compression="db")
RATE = 8000


def test_each_network_is_given_what_it_hears() -> None:
    wave_BS = torch.randn(2, 4000)
    mel_BCTF = MelFrontEnd(MEL, RATE)(wave_BS)
    assert torch.equal(make_front_end(("mel",), MEL, RATE)(wave_BS), mel_BCTF)
    assert torch.equal(make_front_end(("wave",), MEL, RATE)(wave_BS), wave_BS[:, None])
    wave_B1S, beside_BCTF = make_front_end(("wave", "mel"), MEL, RATE)(wave_BS)
    assert torch.equal(wave_B1S, wave_BS[:, None])
    assert torch.equal(beside_BCTF, mel_BCTF)


def test_changed_bands_reach_the_spectrogram_and_leave_the_wave() -> None:
    wave_BS, change = torch.randn(1, 4000), BandChange(torch.tensor([[100.0, -500.0]]), torch.full((1, 8), 3.0))
    wave_B1S, mel_BCTF = make_front_end(("wave", "mel"), MEL, RATE)(wave_BS, change)
    assert torch.equal(mel_BCTF, MelFrontEnd(MEL, RATE)(wave_BS, change))
    assert torch.equal(wave_B1S, make_front_end(("wave",), MEL, RATE)(wave_BS, change))


def test_silence_is_the_value_that_silence_has() -> None:
    for hears in (("wave",), ("mel",), ("wave", "mel")):
        front_end = make_front_end(hears, MEL, RATE)
        heard = front_end(torch.zeros(1, 4000))
        values = heard[-1] if isinstance(heard, tuple) else heard
        assert torch.all(values == front_end.silence)


def test_a_clip_of_one_sample_can_be_shown() -> None:
    assert mel_for_show(None, RATE)(torch.zeros(1, 1)).shape == (1, 1, 1, 64)
    assert mel_for_show(MEL, RATE).num_bands == 8
