"""Front ends: from waveforms (B, S) to the input of a network, on the device of the waves."""

from typing import Literal

import torch
from torch import nn

from audiosurvey.features.mel import MelConfig, MelFrontEnd

Input = Literal["wave", "mel"]
INPUTS: tuple[Input, ...] = ("wave", "mel")
"""In the order in which a network that takes both is given them."""
NetworkInput = torch.Tensor | tuple[torch.Tensor, torch.Tensor]
"""Waves (B, 1, S), mel spectrograms (B, 1, T, F), or a pair of both in this order."""


class WaveFrontEnd(nn.Module):
    """Waves (B, S) unchanged, (B, 1, S), in float32 even under autocast."""

    def forward(self, wave_BS: torch.Tensor) -> torch.Tensor:
        return wave_BS.float().unsqueeze(1)


class WaveAndMelFrontEnd(nn.Module):
    """Waves (B, S) to a pair: the waves (B, 1, S), and their mel spectrograms (B, 1, T, F)."""

    def __init__(self, config: MelConfig, sample_rate: int) -> None:
        super().__init__()
        self.mel = MelFrontEnd(config, sample_rate)

    def forward(self, wave_BS: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return wave_BS.float().unsqueeze(1), self.mel(wave_BS)


def make_front_end(
    hears: tuple[Input, ...], mel: MelConfig, sample_rate: int
) -> MelFrontEnd | WaveFrontEnd | WaveAndMelFrontEnd:
    """The front end of a network with these inputs. It has no trained parameters and no state."""
    if "mel" not in hears:
        return WaveFrontEnd()
    return WaveAndMelFrontEnd(mel, sample_rate) if "wave" in hears else MelFrontEnd(mel, sample_rate)


def mel_part(front_end: nn.Module) -> MelFrontEnd | None:
    """The mel front end in a front end; None where there is none."""
    part = front_end.mel if isinstance(front_end, WaveAndMelFrontEnd) else front_end
    return part if isinstance(part, MelFrontEnd) else None


def mel_for_show(mel: MelConfig | None, sample_rate: int) -> MelFrontEnd:
    """The spectrogram that pictures are drawn from: `mel`, or a common one for networks without a spectrogram."""
    return MelFrontEnd(mel or MelConfig(compression="db", pad_mode="constant"), sample_rate)
