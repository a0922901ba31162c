"""What all augmentations have in common: draw for one clip, then apply to a batch.

`draw` takes the clip's own random generator and returns plain data, or None for a clip that is not selected; `apply` is
pure and batched and changes only the clips that have a draw. Operations keep no draws, so a draw can be replayed.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor

from audiosurvey.augment.extent import Extent, sounding
from audiosurvey.augment.tensors import at_rows, on_device
from audiosurvey.section import Section


def _chance(p: float) -> float:
    if not 0 <= p <= 1:
        raise ValueError(f"p is the probability that a clip is changed and must be between 0 and 1; got {p:g}")
    return p


Probability = Annotated[float, AfterValidator(_chance), Field(json_schema_extra={"minimum": 0, "maximum": 1})]
"""The probability, for each clip, that an operation is applied."""

Fill = Literal["silence", "mean"]
"""The value of covered cells of a spectrogram: that of digital silence, or the mean of the clip's own map."""

Draw = TypeVar("Draw")


OPERATIONS: dict[str, type[Any]] = {}
"""All operations and mixings by name; a class with a `name` registers itself."""


class Named:
    """Base of operations and mixings. The name is a key of the section `augmentation` and part of the key of the random
    stream."""

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" in vars(cls):
            OPERATIONS[cls.name] = cls


class OperationConfig(Section):
    """Options of all operations."""

    p: Probability = 0.0
    """Probability that the operation is applied to a clip."""


Config = TypeVar("Config", bound=OperationConfig)


class Operation(Named, ABC, Generic[Config, Draw]):
    """Changes a clip with probability `p`."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.p = config.p

    def _fires(self, rng: np.random.Generator) -> bool:
        """Whether the clip is selected: the first number of its stream is below p."""
        return bool(rng.random() < self.p)

    def describe(self, draw: Draw) -> dict[str, object]:
        """The draw as names and values for a reader, ready for JSON."""
        fields: Any = draw
        return dict(asdict(fields))


class WaveOperation(Operation[Config, Draw]):
    """An augmentation of waveforms (B, S)."""

    def draw(self, rng: np.random.Generator, samples: int, valid: int) -> Draw | None:
        """The draw of one clip, or None. `samples`: length of the window, `valid`: samples before padding."""
        return self.draw_in(rng, Extent.until(valid, samples))

    def draw_in(self, rng: np.random.Generator, extent: Extent) -> Draw | None:
        """The same for a clip that sounds in this part of its window."""
        return self.draw_fired(rng, extent) if self._fires(rng) else None

    def apply(self, wave_BS: Tensor, draws: Sequence[Draw | None], valid: Sequence[int]) -> Tensor:
        """The batch with the drawn changes; clips without a draw are unchanged. `valid`: samples of each clip that
        sound."""
        rows, chosen = _fired(draws)
        return at_rows(wave_BS, rows, lambda part_BS: self.render(part_BS, chosen, [valid[row] for row in rows]))

    def extent_after(self, draw: Draw, extent: Extent) -> Extent:
        """Where the clip sounds afterwards. Operations that move the clip or change its length override this."""
        return extent

    @abstractmethod
    def draw_fired(self, rng: np.random.Generator, extent: Extent) -> Draw:
        """The draw of a selected clip that sounds in this part of its window."""

    @abstractmethod
    def render(self, wave_BS: Tensor, draws: list[Draw], valid: list[int]) -> Tensor:
        """Applies one draw to each clip; returns a new tensor of the same shape."""


class MelOperation(Operation[Config, Draw]):
    """An augmentation of mel spectrograms (B, C, T, F). `extent`: the frames in which the clip sounds; absent: all."""

    def draw(self, rng: np.random.Generator, frames: int, bands: int, extent: Extent | None = None) -> Draw | None:
        """The draw of one clip, or None, for a map of `frames` by `bands`."""
        return self.draw_fired(rng, extent or Extent.whole(frames), bands) if self._fires(rng) else None

    def apply(self, mel_BCTF: Tensor, draws: Sequence[Draw | None], extents: Sequence[Extent] | None = None) -> Tensor:
        """The batch with the drawn changes; clips without a draw are unchanged."""
        rows, chosen = _fired(draws)
        extents = extents or [Extent.whole(mel_BCTF.shape[2])] * len(draws)
        return at_rows(mel_BCTF, rows, lambda part: self.render(part, chosen, [extents[row] for row in rows]))

    def extent_after(self, draw: Draw, extent: Extent) -> Extent:
        """The frames in which the clip sounds afterwards."""
        return extent

    @abstractmethod
    def draw_fired(self, rng: np.random.Generator, extent: Extent, bands: int) -> Draw:
        """The draw of a selected clip."""

    @abstractmethod
    def render(self, mel_BCTF: Tensor, draws: list[Draw], extents: list[Extent]) -> Tensor:
        """Applies one draw to each clip; returns a new tensor of the same shape."""


def fill_value(mel_BCTF: Tensor, fill: Fill, silence: float, extents: Sequence[Extent]) -> Tensor:
    """The value for covered cells, of a shape that broadcasts over the batch; padding does not count in a mean."""
    if fill == "silence":
        return torch.full((1, 1, 1, 1), silence, dtype=mel_BCTF.dtype, device=mel_BCTF.device)
    mean_B111 = mel_BCTF.mean(dim=(1, 2, 3), keepdim=True)
    partial = [row for row, extent in enumerate(extents) if not extent.is_whole]
    if not partial:
        return mean_B111
    part_BCTF = mel_BCTF.index_select(0, on_device(partial, mel_BCTF.device))
    return at_rows(mean_B111, partial, lambda _: _mean_of_sound(part_BCTF, [extents[row] for row in partial]))


def _mean_of_sound(mel_BCTF: Tensor, extents: Sequence[Extent]) -> Tensor:
    inside_B1T1 = sounding(extents, mel_BCTF.device)[:, None, :, None]
    cells_B111 = inside_B1T1.sum(2, keepdim=True) * mel_BCTF.shape[1] * mel_BCTF.shape[3]
    return (mel_BCTF * inside_B1T1).sum(dim=(1, 2, 3), keepdim=True) / cells_B111


def _fired(draws: Sequence[Draw | None]) -> tuple[list[int], list[Draw]]:
    """The clips that have a draw, and their draws."""
    return (
        [row for row, draw in enumerate(draws) if draw is not None],
        [draw for draw in draws if draw is not None],
    )
