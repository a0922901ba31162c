"""Background: excerpts of other recordings are mixed in at a drawn signal-to-noise ratio. Works on waveforms (B, S).

The ratio refers to the mean power of the clip without padding, and to that of the background under it; the background
fills the whole window. A silent clip stays silent. A recording that is shorter than the window is repeated.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import mean_power, on_device
from audiosurvey.augment.wave.noise import SnrDb
from audiosurvey.data.recordings import Recordings, missing_recordings, open_recordings
from audiosurvey.errors import UserError

FOLDER = "augmentation.background.folder"
SILENT_DB = -60.0
"""A stretch whose power is this far below the peak of its recording is taken as silent, and drawn again."""
TRIES = 16
"""After as many silent stretches, the loudest of them is taken."""
NO_FOLDER = "give a folder of recordings, or set augmentation.background.p to 0"


class BackgroundConfig(OperationConfig):
    """Mixes in excerpts of other recordings: rain, traffic, rooms, the sounds of the place of use."""

    folder: Path | None = None
    """Folder of recordings, searched recursively, of any length and format. Each is equally likely, with a stretch from
    anywhere in it; one that is shorter than the window is repeated. They must not be clips of the data set."""
    min_snr_db: SnrDb = 5.0
    """One bound of the signal-to-noise ratio in dB; drawn uniformly between both bounds, in either order."""
    max_snr_db: SnrDb = 30.0
    """The other bound in dB."""


@dataclass(frozen=True, slots=True)
class BackgroundDraw:
    recording: str
    start: int
    """The sample of the recording with which the window begins."""
    snr_db: float
    power: float
    """Mean power of the background where the clip sounds."""


class Background(WaveOperation[BackgroundConfig, BackgroundDraw]):
    """Adds a random stretch of a random recording to each clip, at a drawn ratio."""

    name = "background"

    def __init__(self, config: BackgroundConfig, *, sample_rate: int, stores: Path | None = None) -> None:
        super().__init__(config)
        self.sample_rate = sample_rate
        self.recordings = open_background(config, sample_rate, stores)

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> BackgroundDraw:
        assert self.recordings is not None
        low, high = sorted((self.config.min_snr_db, self.config.max_snr_db))
        snr_db = float(rng.uniform(low, high))
        names, store = self.recordings.names, self.recordings.store
        loudest, best = -1.0, None
        for _ in range(TRIES):
            name = names[int(rng.integers(len(names)))]
            length = store.length(name)
            starts = length if length < extent.size else length - extent.size + 1
            start = int(rng.integers(starts))
            power = _power(self._stretch(name, start, extent.size), extent)
            loudness = power / store.peak(name) ** 2
            if best is None or loudness > loudest:
                loudest, best = loudness, BackgroundDraw(name, start, snr_db, power)
            if loudness > 10 ** (SILENT_DB / 10):
                break
        assert best is not None
        return best

    def render(self, wave_BS: Tensor, draws: list[BackgroundDraw], valid: list[int]) -> Tensor:
        samples, device = wave_BS.shape[1], wave_BS.device
        ratios = [10 ** (-draw.snr_db / 10) / draw.power if draw.power > 0 else 0.0 for draw in draws]
        power_B = mean_power(wave_BS, on_device(valid, device))
        gain_B = torch.sqrt(power_B.double() * on_device(ratios, device, torch.float64)).to(wave_BS.dtype)
        if device.type == "cpu":
            mixed_BS = torch.empty_like(wave_BS)
            for wave_S, draw, gain, mixed_S in zip(wave_BS, draws, gain_B, mixed_BS, strict=True):
                background_S = torch.from_numpy(self._stretch(draw.recording, draw.start, samples))
                torch.addcmul(wave_S, background_S.to(wave_S.dtype), gain, out=mixed_S)
            return mixed_BS
        backgrounds = [self._stretch(draw.recording, draw.start, samples) for draw in draws]
        return torch.addcmul(wave_BS, on_device(np.stack(backgrounds), device, wave_BS.dtype), gain_B[:, None])

    def describe(self, draw: BackgroundDraw) -> dict[str, object]:
        return {"recording": draw.recording, "start_s": draw.start / self.sample_rate, "snr_db": draw.snr_db}

    def _stretch(self, name: str, start: int, samples: int) -> np.ndarray:
        """float32 (S): this many samples of a recording, which is repeated where it is too short."""
        assert self.recordings is not None
        store = self.recordings.store
        if store.length(name) >= samples:
            return store.read(name, start, samples)
        return np.resize(np.roll(store.read(name), -start), samples)


def _power(wave_S: np.ndarray, extent: Extent) -> float:
    """Mean power where the clip sounds; of the whole window for a clip without any sound."""
    if extent.length == 0:
        return float(np.dot(wave_S, wave_S)) / max(1, len(wave_S))
    rest = max(0, extent.first + extent.length - extent.size)
    parts = wave_S[extent.first : extent.first + extent.length], wave_S[:rest]
    return float(sum(np.dot(part_S, part_S) for part_S in parts)) / extent.length


def open_background(config: BackgroundConfig, sample_rate: int, stores: Path | None = None) -> Recordings | None:
    """The recordings of `folder`; None where the background is off. Raises UserError if there are none."""
    if config.p == 0:
        return None
    if config.folder is None:
        raise UserError(f"{FOLDER}: {NO_FOLDER}")
    return open_recordings(config.folder, FOLDER, sample_rate=sample_rate, stores=stores)


def missing_background(config: BackgroundConfig) -> str | None:
    """The error message if there are no recordings to mix in, else None."""
    return NO_FOLDER if config.folder is None else missing_recordings(config.folder)
