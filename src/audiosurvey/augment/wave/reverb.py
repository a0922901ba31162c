"""Reverb: convolution with room impulse responses, from a folder or synthesised. Works on waveforms (B, S).

The direct sound keeps its position, and the window its length (the tail is cut off) and its level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiosurvey.augment.base import OperationConfig, WaveOperation
from audiosurvey.augment.extent import Extent
from audiosurvey.augment.tensors import fast_length
from audiosurvey.augment.wave.rooms import NO_ROOMS, bank_is_there, room_bank
from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.data.recordings import store_of
from audiosurvey.errors import UserError

FOLDER = "augmentation.reverb.folder"
LEAD_SAMPLES = 64
"""Samples before the direct sound: a band-limited response starts slightly before its peak."""
CLIPS_AT_ONCE = 8
"""Fewer would plan their transform too often, more would leave the cache."""
ROOMS_AT_ONCE = 16
KEPT_BYTES = 2**28
"""Spectra of all rooms are cached up to this size (32 rooms for clips of 5 s at 30 kHz take 20 MB); those of a larger
bank are computed for each clip."""


class ReverbConfig(OperationConfig):
    """Adds reverberation, by convolution with a room impulse response."""

    folder: Path | None = None
    """Folder of impulse responses, searched recursively, at any sample rate and in any format. null: a fixed
    bank of synthesised rooms, which needs `pip install audiosurvey[rir]`."""


@dataclass(frozen=True, slots=True)
class ReverbDraw:
    room: int
    """Row in the bank of impulse responses."""
    name: str


class Reverb(WaveOperation[ReverbConfig, ReverbDraw]):
    """Convolves each clip with a drawn impulse response, by FFT."""

    name = "reverb"

    def __init__(self, config: ReverbConfig, *, sample_rate: int, stores: Path | None = None) -> None:
        super().__init__(config)
        named = {}
        if config.p > 0:
            folder = config.folder
            named = room_bank(sample_rate) if folder is None else read_folder(folder, sample_rate, stores)
        self.names = list(named)
        self.rooms = [align(response) for response in named.values()]
        self._kept: tuple[tuple[int, int, torch.device], Tensor] | None = None

    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> ReverbDraw:
        room = int(rng.integers(len(self.rooms)))
        return ReverbDraw(room, self.names[room])

    def render(self, wave_BS: Tensor, draws: list[ReverbDraw], valid: list[int]) -> Tensor:
        # The FFT length depends on the window and the whole bank, not on the rooms of this batch, so that the result
        # for a clip does not depend on the rest of the batch.
        longest = min(max(map(len, self.rooms)), wave_BS.shape[1] + LEAD_SAMPLES)
        length = fast_length(wave_BS.shape[1] + longest - 1)
        wet_BS = torch.empty_like(wave_BS)
        for first in range(0, len(draws), CLIPS_AT_ONCE):
            part = slice(first, first + CLIPS_AT_ONCE)
            spectra = self._spectra([draw.room for draw in draws[part]], longest, length, wave_BS.device)
            convolve(wave_BS[part], spectra, length, out_BS=wet_BS[part])
        return wet_BS

    def _spectra(self, rooms: list[int], longest: int, length: int, device: torch.device) -> Sequence[Tensor]:
        """Spectra (length // 2 + 1) of these rooms, cut to `longest` samples, cached for the last length."""
        if len(self.rooms) * (length // 2 + 1) * 8 > KEPT_BYTES:
            return torch.fft.rfft(self._responses(rooms, longest).to(device), length).unbind()
        key = (longest, length, device)
        if self._kept is None or self._kept[0] != key:
            everything = range(len(self.rooms))
            spectra = [
                torch.fft.rfft(self._responses(everything[first : first + ROOMS_AT_ONCE], longest).to(device), length)
                for first in range(0, len(self.rooms), ROOMS_AT_ONCE)
            ]
            self._kept = (key, torch.cat(spectra))
        return [self._kept[1][room] for room in rooms]

    def _responses(self, rooms: Sequence[int], longest: int) -> Tensor:
        """The responses (B, R) of these rooms, cut or zero-padded to `longest` samples."""
        responses_BR = np.zeros((len(rooms), longest), np.float32)
        for row, room in enumerate(rooms):
            response = self.rooms[room][:longest]
            responses_BR[row, : len(response)] = response
        return torch.from_numpy(responses_BR)


def reverberate(wave_BS: Tensor, rooms_BR: Tensor) -> Tensor:
    """Convolves clips (B, S) with aligned responses (B, R) -> (B, S), and restores each clip's level."""
    length = fast_length(wave_BS.shape[1] + rooms_BR.shape[1] - 1)
    return convolve(wave_BS, torch.fft.rfft(rooms_BR, length).unbind(), length)


def convolve(wave_BS: Tensor, spectra: Sequence[Tensor], length: int, *, out_BS: Tensor | None = None) -> Tensor:
    """Like `reverberate`, with the spectra (length // 2 + 1) of the responses; the result is written to `out_BS`."""
    spectrum_BN = torch.fft.rfft(wave_BS, length)
    if wave_BS.device.type == "cpu":
        for spectrum_N, room_N in zip(spectrum_BN, spectra, strict=True):
            spectrum_N.mul_(room_N)
    else:
        spectrum_BN *= torch.stack(list(spectra))
    wet_BS = torch.fft.irfft(spectrum_BN, length)[:, LEAD_SAMPLES : LEAD_SAMPLES + wave_BS.shape[1]]
    dry_B1, wet_B1 = (torch.linalg.vector_norm(part_BS, dim=1, keepdim=True) for part_BS in (wave_BS, wet_BS))
    gain_B1 = torch.where(wet_B1 > 0, dry_B1 / wet_B1.clamp(min=torch.finfo(wet_B1.dtype).tiny), 0.0)
    return torch.mul(wet_BS, gain_B1, out=out_BS)


def align(response: np.ndarray) -> np.ndarray:
    """The response with unit energy and its direct sound at sample LEAD_SAMPLES.

    The direct sound is the first peak of at least half the maximum: superimposed reflections can be louder.
    """
    response = response.astype(np.float32) / np.sqrt(np.square(response, dtype=np.float64).sum())
    height = np.abs(response)
    first = int(np.flatnonzero(height >= 0.5 * height.max())[0])
    direct = first + int(height[first : first + LEAD_SAMPLES // 8].argmax())
    return np.pad(response, (LEAD_SAMPLES, 0))[direct:].astype(np.float32)


def missing_rooms(config: ReverbConfig, sample_rate: int) -> str | None:
    """The error message if there are no impulse responses and none can be synthesised, else None."""
    if config.folder is None:
        return None if bank_is_there(sample_rate) or find_spec("pyroomacoustics") else NO_ROOMS
    return None if _responses_in(config.folder) else _no_responses(config.folder)


def _responses_in(folder: Path) -> list[Path]:
    return (
        sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_EXTENSIONS) if folder.is_dir() else []
    )


def _no_responses(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: no such folder; expected a folder of impulse responses"
    return f"no sound files in {folder}; expected a folder of impulse responses"


def read_folder(folder: Path, sample_rate: int, stores: Path | None = None) -> dict[str, np.ndarray]:
    """All impulse responses below a folder, by name, at `sample_rate`; of several channels, the first is used.

    They are decoded once, into a store in `stores` (None: in the user's cache).
    """
    paths = _responses_in(folder)
    if not paths:
        raise UserError(f"{FOLDER}: {_no_responses(folder)}")
    store = store_of(folder, paths, FOLDER, sample_rate=sample_rate, mono="left", stores=stores)
    if store.skipped:
        bad = store.skipped[0]
        raise UserError(f"{folder / bad.id}: cannot be read as an impulse response ({bad.reason}); repair or remove it")
    responses = {name: store.read(name) for name in store}
    if silent := [name for name, response in responses.items() if not np.any(response)]:
        raise UserError(f"{folder / silent[0]}: contains only silence, not an impulse response; remove it")
    return responses
