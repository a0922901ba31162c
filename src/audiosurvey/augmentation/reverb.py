"""Reverb: the clip is heard in a room, by convolution with an impulse response.

Enters and leaves: waveforms (B, S). The responses come from a folder of recordings, or from a fixed bank of
synthesised rooms. The direct sound stays where it was, the window keeps its length (the tail beyond it is
cut) and its level.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
import torch
from torch import Tensor

from audiosurvey.augmentation.base import Probability, WaveOperation
from audiosurvey.augmentation.rooms import room_bank
from audiosurvey.errors import UserError
from audiosurvey.section import Section

LEAD_SAMPLES = 64
"""Samples kept before the direct sound: a band-limited response begins to swing a little before its peak."""
CLIPS_AT_ONCE = 16


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

    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> ReverbDraw:
        room = int(rng.integers(len(self.rooms)))
        return ReverbDraw(room, self.names[room])

    def render(self, wave_BS: Tensor, draws: list[ReverbDraw], valid: list[int]) -> Tensor:
        # The transform's length follows from the window and the whole bank, not from the rooms that this
        # batch drew, so that a clip's samples are the same to the last digits in any company.
        longest = min(max(map(len, self.rooms)), wave_BS.shape[1] + LEAD_SAMPLES)
        parts = []
        for first in range(0, len(draws), CLIPS_AT_ONCE):
            part = slice(first, first + CLIPS_AT_ONCE)
            rooms = np.zeros((len(draws[part]), longest), np.float32)
            for row, draw in enumerate(draws[part]):
                room = self.rooms[draw.room][:longest]
                rooms[row, : len(room)] = room
            parts.append(reverberate(wave_BS[part], torch.from_numpy(rooms).to(wave_BS.device)))
        return torch.cat(parts)


def reverberate(wave_BS: Tensor, rooms_BR: Tensor) -> Tensor:
    """Convolution of every clip with its aligned room, at the clip's own level; Shape (B, S) and (B, R) ->
    (B, S)."""
    samples = wave_BS.shape[1]
    length = fast_length(samples + rooms_BR.shape[1] - 1)
    spectrum = torch.fft.rfft(wave_BS, length)
    spectrum *= torch.fft.rfft(rooms_BR, length)
    wet_BS = torch.fft.irfft(spectrum, length)[:, LEAD_SAMPLES : LEAD_SAMPLES + samples]
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


def read_folder(folder: Path, sample_rate: int) -> dict[str, np.ndarray]:
    """All impulse responses below a folder, by name, at `sample_rate`; of several channels the first is
    taken."""
    known = {f".{extension.lower()}" for extension in soundfile.available_formats()} | {
        ".aif",
        ".oga",
        ".opus",
    }
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in known) if folder.is_dir() else []
    if not paths:
        raise UserError(f"augmentation.reverb.folder: no sound files in {folder}; name a folder of impulse responses")
    responses = {}
    for path in paths:
        try:
            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, OSError) as error:
            raise UserError(f"{path}: cannot be read as an impulse response ({error}); remove or repair it") from None
        response = soxr.resample(samples[:, 0], rate, sample_rate) if rate != sample_rate else samples[:, 0]
        if not np.isfinite(response).all() or not np.any(response):
            raise UserError(f"{path}: holds no impulse response, only silence or broken samples; remove it")
        responses[path.relative_to(folder).as_posix()] = response
    return responses


def fast_length(at_least: int) -> int:
    """The smallest length from `at_least` on that has no prime factor above 5: an FFT of it is quick."""
    best = 1 << (at_least - 1).bit_length()
    five = 1
    while five < best:
        odd = five
        while odd < best:
            twos = -(-at_least // odd)
            best = min(best, odd << (twos - 1).bit_length())
            odd *= 3
        five *= 5
    return best
