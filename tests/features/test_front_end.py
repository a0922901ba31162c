"""Front ends: each network is given what it hears, and nothing else."""

import torch

from audiosurvey.features.front_end import make_front_end, mel_for_show, mel_part
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


def test_the_stages_make_up_the_front_end() -> None:
    wave_BS, front_end = torch.randn(3, 4000), MelFrontEnd(MEL, RATE)
    mel_BTF = front_end.mel(wave_BS)
    assert torch.equal(front_end.power(wave_BS) @ front_end.bank, mel_BTF)
    assert torch.equal(front_end.compress(mel_BTF)[:, None], front_end(wave_BS))


def test_the_mel_part_of_each() -> None:
    assert mel_part(make_front_end(("wave",), MEL, RATE)) is None
    for hears in (("mel",), ("wave", "mel")):
        part = mel_part(make_front_end(hears, MEL, RATE))
        assert part is not None
        assert part.num_bands == 8


def test_silence_is_the_value_that_silence_has() -> None:
    for hears in (("wave",), ("mel",), ("wave", "mel")):
        front_end = make_front_end(hears, MEL, RATE)
        heard = front_end(torch.zeros(1, 4000))
        values = heard[-1] if isinstance(heard, tuple) else heard
        part = mel_part(front_end)
        assert torch.all(values == (part.silence if part else 0))


def test_a_clip_of_one_sample_can_be_shown() -> None:
    assert mel_for_show(None, RATE)(torch.zeros(1, 1)).shape == (1, 1, 1, 64)
    assert mel_for_show(MEL, RATE).num_bands == 8
