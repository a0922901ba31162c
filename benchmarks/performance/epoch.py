"""A whole training epoch of `small`, data included, compared with a plain PyTorch program for the same network.

Both read 320 clips of 5 s from 16-bit WAV files, augment them (reverb 0.3, time shift 0.5, noise 0.5, masks 0.5),
compute mel spectrograms and train for one epoch with batches of 16. The plain program uses soundfile, audiomentations
and librosa in a DataLoader with two workers.
"""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from clips import rooms
from rounds import Row, alternate, compared
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from audiosurvey.config.loader import load_config
from audiosurvey.config.network import network_of
from audiosurvey.data.batches.batches import Batch
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.accelerator import make_accelerator

CLASSES, PER_CLASS, RATE, SECONDS, BATCH = 10, 32, 16_000, 5, 16


def write_clips(folder: Path) -> list[tuple[Path, int]]:
    rng = np.random.default_rng(0)
    found = []
    for label in range(CLASSES):
        (folder / f"class {label}").mkdir(parents=True)
        for number in range(PER_CLASS):
            path = folder / f"class {label}" / f"{number}.wav"
            soundfile.write(path, 0.1 * rng.standard_normal(SECONDS * RATE), RATE, subtype="PCM_16")
            found.append((path, label))
    return found


class Parts:
    """A training epoch of ours, and its parts."""

    def __init__(self, folder: Path, responses: Path) -> None:
        chances = "reverb: {p: 0.3, folder: '%s'}, time_shift: {p: 0.5}, noise: {p: 0.5}" % responses.as_posix()  # noqa: UP031
        masks = "time_masking: {p: 0.5, tmp: 20, num: 2}, freq_masking: {p: 0.5, fmp: 8, num: 2}, shorten: {p: 0}"
        overrides = [
            f"dataset={{name: folder, root: '{folder.as_posix()}', num_folds: 2, clip_seconds: {SECONDS}}}",
            f"augmentation={{{chances}, {masks}}}",
            f"train.batch_size={BATCH}",
            "precision=fp32",
            "train.num_workers=2",
        ]
        config = load_config("small", overrides).config
        sounds = prepare_sounds(config.dataset, config.sample_rate)
        accelerator = make_accelerator("cpu", config.precision)
        self.stage = Stage(
            config, sounds, sounds.table.clips, accelerator=accelerator, settings=config.train, name="train", fold=1
        )
        self.network, self.number = self.stage.build(), 0
        self.step = self.stage.step(self.network)

    def epoch(self) -> None:
        self.number += 1
        for place, batch in enumerate(self.stage.batches.epoch(self.number)):
            self.step([batch], epoch=self.number, step=place, lr=1e-3)

    def batches(self) -> list[Batch]:
        """Reads an epoch of waves and draws its augmentation."""
        self.number += 1
        return list(self.stage.batches.epoch(self.number))

    def spectrograms(self, batches: Iterable[Batch]) -> list[Tensor]:
        """The augmented mel spectrograms of batches."""
        with torch.no_grad():
            return [self.stage.chain.render(batch)[0] for batch in batches]  # pyright: ignore[reportReturnType]


class PlainDataset(Dataset[tuple[torch.Tensor, int]]):
    """Files to augmented mel spectrograms, one at a time."""

    def __init__(self, clips: list[tuple[Path, int]], responses: Path) -> None:
        import audiomentations  # pyright: ignore[reportMissingImports]

        self.clips = clips
        self.augment: Any = audiomentations.Compose(
            [
                audiomentations.ApplyImpulseResponse(responses.as_posix(), p=0.3),
                audiomentations.TimeStretch(0.8, 1.25, leave_length_unchanged=True, p=0.5),
                audiomentations.AddGaussianSNR(1, 30, p=0.5),
            ]
        )

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        import librosa

        path, label = self.clips[index]
        wave_S, _ = soundfile.read(path, dtype="float32")
        wave_S = self.augment(wave_S, RATE)
        mel_FT = librosa.power_to_db(
            librosa.feature.melspectrogram(y=wave_S, sr=RATE, n_fft=512, hop_length=160, n_mels=64, fmin=40, fmax=8000)
        )
        for axis, longest in ((1, 20), (0, 8)):
            for _ in range(2):
                if np.random.random() < 0.5:  # noqa: NPY002
                    length = np.random.randint(longest + 1)  # noqa: NPY002
                    start = np.random.randint(mel_FT.shape[axis] - length + 1)  # noqa: NPY002
                    place: list[Any] = [slice(None), slice(None)]
                    place[axis] = slice(start, start + length)
                    mel_FT[tuple(place)] = -80
        return torch.from_numpy(mel_FT.T[None].astype(np.float32)), label


def plain(clips: list[tuple[Path, int]], responses: Path) -> Callable[[], None]:
    config = load_config("small", [f"dataset.clip_seconds={SECONDS}"]).config
    network = network_of(config, CLASSES)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    batches = DataLoader(PlainDataset(clips, responses), BATCH, shuffle=True, num_workers=2)

    def epoch() -> None:
        for heard, target_B in batches:
            logits = network(heard)
            torch.nn.functional.cross_entropy(logits.flatten(0, -2), target_B).backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clips, responses = write_clips(folder / "sounds"), rooms(folder / "rooms", RATE)
        ways = {"ours": Parts(folder / "sounds", responses).epoch, "plain program": plain(clips, responses)}
        taken = alternate(ways, rounds=3)
    return compared(f"epoch of `small`, {len(clips)} clips, fp32", taken, unit="s")
