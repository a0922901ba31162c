"""The clips of the benchmarks: 5 s at 32 kHz of noise that decays, as arrays and as files."""

from pathlib import Path

import numpy as np
import soundfile
import torch

from audiosurvey.augment.chain import Chain
from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.table import Clip
from audiosurvey.features.mel import MelConfig, MelFrontEnd

RATE, SECONDS, CLIPS = 32_000, 5, 16
SAMPLES = RATE * SECONDS
MEL = MelConfig(win_length=0.032, hop_length=0.010, n_mels=64, f_min=50, f_max=14_000)


def waves(count: int = CLIPS) -> np.ndarray:
    """Waves (B, S), float32."""
    rng = np.random.default_rng(0)
    fade_S = np.exp(-np.arange(SAMPLES) / RATE)
    return (0.2 * fade_S * rng.standard_normal((count, SAMPLES))).astype(np.float32)


def rooms(folder: Path, rate: int = RATE, count: int = 8) -> Path:
    """A folder of impulse responses of half a second."""
    rng = np.random.default_rng(1)
    time_s = np.arange(rate // 2) / rate
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        response = rng.standard_normal(len(time_s)) * 10 ** (-6 * time_s)
        soundfile.write(folder / f"{number}.wav", response / np.abs(response).max(), rate)
    return folder


class Augmented:
    """Batches of clips through a chain of operations, drawn and rendered as in training.

    Operations that are not given are off. `mel`: up to the spectrogram, else the waves alone.
    """

    def __init__(self, operations: dict[str, object], wave_BS: np.ndarray, *, mel: bool = True) -> None:
        self.mel = mel
        self.clips = tuple(Clip(f"{number}", Path(f"{number}"), (0,), 1) for number in range(len(wave_BS)))
        self.wave_BS = torch.from_numpy(wave_BS)
        self.target_BK = torch.eye(2)[torch.zeros(len(wave_BS), dtype=torch.long)]
        self.front_end = MelFrontEnd(MEL, RATE)
        off = {name: {"p": 0} for name in AugmentationConfig.operations()}
        config = AugmentationConfig.model_validate({**off, **operations})
        self.chain = Chain(config, seed=0, sample_rate=RATE, train_clips=self.clips, front_end=self.front_end)
        self.epoch = 0

    def __call__(self) -> torch.Tensor:
        self.epoch += 1
        length = self.wave_BS.shape[1]
        draws = self.chain.draw(self.clips, self.epoch, samples=length, valid_of=lambda clip: length)
        partners = bool(draws.wave_rows or draws.mel_rows)
        batch = Batch(
            self.clips,
            self.wave_BS,
            torch.full((len(self.clips),), length),
            self.target_BK,
            draws=draws,
            partner_BS=self.wave_BS.flip(0) if partners else None,
            partner_target_BK=self.target_BK if partners else None,
        )
        return self.chain.render(batch)[0] if self.mel else self.chain.render_waves(batch)[0]  # pyright: ignore[reportReturnType]
