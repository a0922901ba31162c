"""What all augmentations have in common: draw for one clip, then apply to a batch.

`draw` takes the clip's own random generator and returns plain data, or None where the coin leaves the clip
alone; `apply` is pure and batched, and touches only the clips that have a draw. Nothing drawn is kept on the
object, so a draw can be fixed by a test, or replayed.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from audiosurvey.augmentation.extent import Extent, sounding


def _chance(p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"p is the chance that a clip is changed, so it lies between 0 and 1; got {p:g}")
    return p


Probability = Annotated[float, AfterValidator(_chance), Field(json_schema_extra={"minimum": 0, "maximum": 1})]
"""The chance, for each single clip, that an operation is applied."""

Fill = Literal["silence", "mean"]
"""What covered cells of a spectrogram hold: the value that digital silence has, or the mean of the clip's own
map."""

Draw = TypeVar("Draw")


class _Operation(ABC, Generic[Draw]):
    """A name, by which the random stream is keyed, and the chance of being applied."""

    name: ClassVar[str]

    def __init__(self, p: float) -> None:
        self.p = p

    def _fires(self, rng: np.random.Generator) -> bool:
        """The coin, always the first number of a clip's stream: below p, with p = 1 always and p = 0
        never."""
        return bool(rng.random() < self.p)

    def describe(self, draw: Draw) -> dict[str, object]:
        """What was drawn, in words and numbers that JSON can hold, for a reader."""
        fields: Any = draw
        return dict(asdict(fields))


class WaveOperation(_Operation[Draw]):
    """An augmentation of waveforms (B, S)."""

    def draw(self, rng: np.random.Generator, samples: int, valid: int) -> Draw | None:
        """The draw of one clip, or None. `samples`: length of the window, `valid`: samples of it before
        padding."""
        return self.draw_in(rng, Extent.until(valid, samples))

    def draw_in(self, rng: np.random.Generator, extent: Extent) -> Draw | None:
        """The same for a clip that sounds in this part of its window."""
        return self.draw_sounding(rng, extent) if self._fires(rng) else None

    def draw_sounding(self, rng: np.random.Generator, extent: Extent) -> Draw:
        """The draw of a clip that the coin has chosen. For operations on a stretch of the clip, which has to lie where
        it sounds; the others have no more than `draw_fired`."""
        return self.draw_fired(rng, extent.size, extent.end)

    def apply(self, wave_BS: Tensor, draws: Sequence[Draw | None], valid: Sequence[int]) -> Tensor:
        """The batch with the drawn changes; clips whose draw is None pass untouched. `valid`: how many samples of each
        clip's window sound."""
        rows, chosen = _fired(draws)
        return at_rows(wave_BS, rows, lambda part_BS: self.render(part_BS, chosen, [valid[row] for row in rows]))

    def extent_after(self, draw: Draw, extent: Extent) -> Extent:
        """Where the clip sounds once this was applied. Operations that move the clip or change its length override
        this."""
        return extent

    @abstractmethod
    def draw_fired(self, rng: np.random.Generator, samples: int, valid: int) -> Draw:
        """The draw of a clip that the coin has chosen."""

    @abstractmethod
    def render(self, wave_BS: Tensor, draws: list[Draw], valid: list[int]) -> Tensor:
        """Applies one draw to each clip; returns a new tensor of the same shape."""


class BandOperation(_Operation[Draw]):
    """An augmentation of the mel bands themselves, which the front end applies before its compression."""

    def draw(self, rng: np.random.Generator) -> Draw | None:
        """The draw of one clip, or None."""
        return self.draw_fired(rng) if self._fires(rng) else None

    @abstractmethod
    def draw_fired(self, rng: np.random.Generator) -> Draw:
        """The draw of a clip that the coin has chosen."""


class MelOperation(_Operation[Draw]):
    """An augmentation of mel spectrograms (B, C, T, F). `extent`: the frames in which the clip sounds, all where it is
    not given."""

    def draw(self, rng: np.random.Generator, frames: int, bands: int, extent: Extent | None = None) -> Draw | None:
        """The draw of one clip, or None, for a map of `frames` by `bands`."""
        return self.draw_fired(rng, extent or Extent.whole(frames), bands) if self._fires(rng) else None

    def apply(self, mel_BCTF: Tensor, draws: Sequence[Draw | None], extents: Sequence[Extent] | None = None) -> Tensor:
        """The batch with the drawn changes; clips whose draw is None pass untouched."""
        rows, chosen = _fired(draws)
        extents = extents or [Extent.whole(mel_BCTF.shape[2])] * len(draws)
        return at_rows(mel_BCTF, rows, lambda part: self.render(part, chosen, [extents[row] for row in rows]))

    def extent_after(self, draw: Draw, extent: Extent) -> Extent:
        """The frames in which the clip sounds once this was applied."""
        return extent

    @abstractmethod
    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> Draw:
        """The draw of a clip that the coin has chosen."""

    @abstractmethod
    def render(self, mel_BCTF: Tensor, draws: list[Draw], extents: list[Extent]) -> Tensor:
        """Applies one draw to each clip; returns a new tensor of the same shape."""


def fill_value(mel_BCTF: Tensor, fill: Fill, silence: float, extents: Sequence[Extent]) -> Tensor:
    """The value for covered cells, of a shape that broadcasts over the batch; a mean is that of what sounds."""
    if fill == "silence":
        return torch.full((1, 1, 1, 1), silence, dtype=mel_BCTF.dtype, device=mel_BCTF.device)
    mean_B111 = mel_BCTF.mean(dim=(1, 2, 3), keepdim=True)
    partial = [row for row, extent in enumerate(extents) if not extent.is_whole]
    return at_rows(mean_B111, partial, lambda _: _mean_of_sound(mel_BCTF[partial], [extents[row] for row in partial]))


def _mean_of_sound(mel_BCTF: Tensor, extents: Sequence[Extent]) -> Tensor:
    inside_B1T1 = sounding(extents, mel_BCTF.device)[:, None, :, None]
    cells_B111 = inside_B1T1.sum(2, keepdim=True) * mel_BCTF.shape[1] * mel_BCTF.shape[3]
    return (mel_BCTF * inside_B1T1).sum(dim=(1, 2, 3), keepdim=True) / cells_B111


def mean_power(wave_BS: Tensor, valid_B: Tensor) -> Tensor:
    """Mean square of each clip over the samples it really has (B); 0 for a silent one. Padding is silence."""
    return wave_BS.square().sum(1) / valid_B.to(wave_BS.device).clamp(min=1)


def at_rows(batch_B: Tensor, rows: list[int], change: Callable[[Tensor], Tensor]) -> Tensor:
    """The batch with these of its clips changed, in rising order; the others pass untouched."""
    if not rows:
        return batch_B
    if len(rows) == len(batch_B):
        return change(batch_B)
    index = torch.tensor(rows, device=batch_B.device)
    return batch_B.index_copy(0, index, change(batch_B.index_select(0, index)))


def _fired(draws: Sequence[Draw | None]) -> tuple[list[int], list[Draw]]:
    """The clips that have a draw, and their draws."""
    return (
        [row for row, draw in enumerate(draws) if draw is not None],
        [draw for draw in draws if draw is not None],
    )
