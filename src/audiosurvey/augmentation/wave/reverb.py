"""Reverb: the clip is heard in a room, by convolution with an impulse response.

Enters and leaves: waveforms (B, S). The responses come from a folder of recordings, or from a fixed bank of
synthesised rooms. The direct sound stays where it was, the window keeps its length (the tail beyond it is
cut) and its level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.tensors import fast_length, on_device
from audiosurvey.augmentation.wave.rooms import NO_ROOMS, bank_is_there, room_bank
from audiosurvey.data.audio.decoding import BadAudio, decode
from audiosurvey.errors import UserError
from audiosurvey.section import Section

LEAD_SAMPLES = 64
"""Samples kept before the direct sound: a band-limited response begins to swing a little before its peak."""
CLIPS_AT_ONCE = 16
KEPT_BYTES = 2**28
"""Spectra of all rooms are kept where they take no more memory than this: 32 rooms for clips of 5 s at 30 kHz take
20 MB. Those of a greater bank are worked out anew for each clip."""


class ReverbConfig(Section):
    """The clip is placed in a room."""

    p: Probability = 0.0
    """Chance that a clip is reverberated."""
    folder: Path | None = None
    """Folder of impulse responses (any rate, any format libsndfile reads; searched with its subfolders);
    absent: a fixed bank of synthesised rooms, for which `pip install audiosurvey[rir]` is needed."""


@dataclass(frozen=True, slots=True)
class ReverbDraw:
    room: int
    """Row in the bank of impulse responses."""
    name: str


class Reverb(WaveOperation[ReverbDraw]):
    """Convolves each clip with its own room, by FFT."""

    name = "reverb"

    def __init__(self, config: ReverbConfig, *, sample_rate: int) -> None:
        super().__init__(config.p)
        named = {}
        if config.p > 0:
            named = room_bank(sample_rate) if config.folder is None else read_folder(config.folder, sample_rate)
        self.names = list(named)
        self.rooms = [align(response) for response in named.values()]
        self._kept: tuple[tuple[int, int, torch.device], Tensor] | None = None

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> ReverbDraw:
        room = int(rng.integers(len(self.rooms)))
        return ReverbDraw(room, self.names[room])

    def render(self, wave_BS: Tensor, draws: list[ReverbDraw], valid: list[int]) -> Tensor:
        # The transform's length follows from the window and the whole bank, not from the rooms that this
        # batch drew, so that a clip's samples are the same to the last digits in any company.
        longest = min(max(map(len, self.rooms)), wave_BS.shape[1] + LEAD_SAMPLES)
        length = fast_length(wave_BS.shape[1] + longest - 1)
        parts = []
        for first in range(0, len(draws), CLIPS_AT_ONCE):
            part = slice(first, first + CLIPS_AT_ONCE)
            spectra_BN = self._spectra([draw.room for draw in draws[part]], longest, length, wave_BS.device)
            parts.append(convolve(wave_BS[part], spectra_BN, length))
        return torch.cat(parts)

    def _spectra(self, rooms: list[int], longest: int, length: int, device: torch.device) -> Tensor:
        """The transforms of these rooms, cut to `longest` samples; Shape (B, length // 2 + 1). They are the same for
        every batch of a run, so that a clip costs two transforms and not three; those of one length are kept."""
        if len(self.rooms) * (length // 2 + 1) * 8 > KEPT_BYTES:
            return torch.fft.rfft(self._responses(rooms, longest).to(device), length)
        key = (longest, length, device)
        if self._kept is None or self._kept[0] != key:
            everything = range(len(self.rooms))
            spectra = [
                torch.fft.rfft(self._responses(everything[first : first + CLIPS_AT_ONCE], longest).to(device), length)
                for first in range(0, len(self.rooms), CLIPS_AT_ONCE)
            ]
            self._kept = (key, torch.cat(spectra))
        return self._kept[1].index_select(0, on_device(rooms, device))

    def _responses(self, rooms: Sequence[int], longest: int) -> Tensor:
        """The responses of these rooms, cut or filled up to `longest` samples; Shape (B, R)."""
        responses_BR = np.zeros((len(rooms), longest), np.float32)
        for row, room in enumerate(rooms):
            response = self.rooms[room][:longest]
            responses_BR[row, : len(response)] = response
        return torch.from_numpy(responses_BR)


def reverberate(wave_BS: Tensor, rooms_BR: Tensor) -> Tensor:
    """Convolution of every clip with its aligned room, at the clip's own level; Shape (B, S) and (B, R) ->
    (B, S)."""
    length = fast_length(wave_BS.shape[1] + rooms_BR.shape[1] - 1)
    return convolve(wave_BS, torch.fft.rfft(rooms_BR, length), length)


def convolve(wave_BS: Tensor, spectra_BN: Tensor, length: int) -> Tensor:
    """The same with the rooms' transforms of this length, (B, length // 2 + 1)."""
    samples = wave_BS.shape[1]
    spectrum_BN = torch.fft.rfft(wave_BS, length).mul_(spectra_BN)
    wet_BS = torch.fft.irfft(spectrum_BN, length)[:, LEAD_SAMPLES : LEAD_SAMPLES + samples]
    dry_B1 = wave_BS.square().mean(1, keepdim=True)
    wet_B1 = wet_BS.square().mean(1, keepdim=True)
    return wet_BS * torch.where(wet_B1 > 0, dry_B1 / wet_B1.clamp(min=torch.finfo(wet_B1.dtype).tiny), 0.0).sqrt()


def align(response: np.ndarray) -> np.ndarray:
    """The response with its direct sound at sample LEAD_SAMPLES, and unit energy.

    The direct sound is the first peak of at least half the greatest one's height: it comes before every
    reflection, but reflections that arrive together can be the louder.
    """
    response = response.astype(np.float32) / np.sqrt(np.square(response, dtype=np.float64).sum())
    height = np.abs(response)
    first = int(np.flatnonzero(height >= 0.5 * height.max())[0])
    direct = first + int(height[first : first + LEAD_SAMPLES // 8].argmax())
    return np.pad(response, (LEAD_SAMPLES, 0))[direct:].astype(np.float32)


def missing_rooms(config: ReverbConfig, sample_rate: int) -> str | None:
    """What to say where there are no impulse responses, and none can be made; None otherwise."""
    if config.folder is None:
        return None if bank_is_there(sample_rate) or find_spec("pyroomacoustics") else NO_ROOMS
    return None if _responses_in(config.folder) else _no_responses(config.folder)


def _responses_in(folder: Path) -> list[Path]:
    known = {f".{extension.lower()}" for extension in soundfile.available_formats()} | {
        ".aif",
        ".oga",
        ".opus",
    }
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in known) if folder.is_dir() else []


def _no_responses(folder: Path) -> str:
    if not folder.is_dir():
        return f"{folder}: no such folder; name a folder of impulse responses"
    return f"no sound files in {folder}; name a folder of impulse responses"


def read_folder(folder: Path, sample_rate: int) -> dict[str, np.ndarray]:
    """All impulse responses below a folder, by name, at `sample_rate`; of several channels the first is
    taken."""
    paths = _responses_in(folder)
    if not paths:
        raise UserError(f"augmentation.reverb.folder: {_no_responses(folder)}")
    responses = {}
    for path in paths:
        try:
            response = decode(path, mono="left", sample_rate=sample_rate)
        except BadAudio as bad:
            raise UserError(f"{path}: cannot be read as an impulse response ({bad}); remove or repair it") from None
        if not np.any(response):
            raise UserError(f"{path}: holds no impulse response, only silence; remove it")
        responses[path.relative_to(folder).as_posix()] = response
    return responses
