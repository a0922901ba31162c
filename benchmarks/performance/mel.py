"""The mel front end compared with librosa, nnAudio and a plain torch.stft, one thread."""

import time
from collections.abc import Callable

import torch
from clips import CLIPS, MEL, RATE, waves
from rounds import Row, alternate, compared

from audiosurvey.features.mel import MelFrontEnd

N_FFT, HOP = 1024, 320


def by_stft(bank: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """The mel spectrogram as it is usually written with torch.stft."""
    window = torch.hann_window(N_FFT)

    def mel(wave_BS: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(wave_BS, N_FFT, HOP, window=window, return_complex=True)
        return 10 * torch.log10((spectrum.abs().square().transpose(1, 2) @ bank).clamp(min=1e-10))

    return mel


def measure() -> list[Row]:
    import librosa
    import numpy as np
    from nnAudio.features import MelSpectrogram  # pyright: ignore[reportMissingImports]

    wave_BS = waves()
    tensor_BS = torch.from_numpy(wave_BS)
    front_end = MelFrontEnd(MEL, RATE)
    stft = by_stft(front_end.bank)
    theirs = MelSpectrogram(
        sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=64, fmin=50, fmax=14_000, verbose=False, trainable_mel=False
    )

    def by_librosa() -> list[np.ndarray]:
        return [
            librosa.power_to_db(
                librosa.feature.melspectrogram(
                    y=wave_S, sr=RATE, n_fft=N_FFT, hop_length=HOP, n_mels=64, fmin=50, fmax=14_000
                )
            )
            for wave_S in wave_BS
        ]

    ways: dict[str, Callable[[], object]] = {
        "audiosurvey": lambda: front_end(tensor_BS),
        "librosa": by_librosa,
        "nnAudio": lambda: theirs(tensor_BS),
        "torch.stft": lambda: stft(tensor_BS),
    }
    with torch.no_grad():
        return compared("mel, one clip", alternate(ways, clock=time.thread_time), items=CLIPS)
