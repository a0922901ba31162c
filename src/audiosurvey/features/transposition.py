"""Mel bands of the same sound at another pitch: which of the bands that there are go into each.

Enters: factors on the frequencies of clips; leaves: a matrix for each, which a mel spectrogram (T, F) is multiplied by.
"""

import torch

from audiosurvey.features.filters import MelScale, hz_to_mel, mel_to_hz


def transposition(
    pitch_B: torch.Tensor, limits_hz: tuple[float, float], bands: int, mel_scale: MelScale
) -> torch.Tensor:
    """(B, from bands, to bands), float32; computed in float64 on the processor, alike for every device.

    The band around f holds what was around f / pitch, by a straight line between the two centres next to that. Beyond
    the lowest and the highest centre stands what stands there: nothing is known of other frequencies. Pitch 1 gives the
    identity.
    """
    pitch_B1 = pitch_B.double().cpu()[:, None]
    low, high = hz_to_mel(torch.tensor(limits_hz, dtype=torch.float64), mel_scale)
    band_F = torch.arange(bands, dtype=torch.float64)
    centre_F = mel_to_hz(low + (high - low) * (band_F + 1) / (bands + 1), mel_scale)
    place_BF = (hz_to_mel(centre_F / pitch_B1, mel_scale) - low) / (high - low) * (bands + 1) - 1
    place_BF = torch.where(pitch_B1 == 1, band_F, place_BF).clamp(0, bands - 1)
    return (1 - (place_BF[:, None, :] - band_F[:, None]).abs()).clamp(min=0).float()
