"""What every block of the grammar is: a one-key section of the YAML that knows its shapes and builds its
module."""

from typing import Any

from torch import nn

from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape
from audiosurvey.section import Section


class BlockItem(Section):
    """One entry of `model.blocks`: a single field, named as the YAML key.

    A new family is a new file with its items and modules, and a line for each item in `blocks.BLOCKS`.
    """

    def output_shape(self, shape: Shape, res_block: ResBlockConfig) -> Shape:
        """Shape after this block, for one clip; raises ShapeError where it cannot work on `shape`."""
        raise NotImplementedError

    def build(self, shape: Shape, res_block: ResBlockConfig) -> nn.Module:
        """The module for an input of `shape`, which `output_shape` has accepted."""
        raise NotImplementedError

    def reach(self, shape: Shape, res_block: ResBlockConfig) -> tuple[Reach, ...]:
        """The steps by which this block widens the receptive field, along its longest path."""
        return ()

    def shares(self) -> int | None:
        """For how many members of an ensemble this block is written, each with a value of its own; None: it is the
        same in all."""
        return None

    def of_member(self, member: int) -> "BlockItem":
        """The block as this member (from 0) has it."""
        return self

    @classmethod
    def key(cls) -> str:
        return next(iter(cls.model_fields))

    def text(self) -> str:
        """The block as it stands in the YAML, on one line: `res: [32, 32]`."""
        key = self.key()
        return f"{key}: {_flow(self.model_dump(mode='json', exclude_unset=True)[key])}"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
