"""Base class of all blocks: a one-key section of the YAML that knows its shapes and builds its module."""

from typing import Any

from torch import nn

from audiosurvey.model.blocks.res_block import ResBlockConfig
from audiosurvey.model.shapes import Reach, Shape
from audiosurvey.section import Section


class BlockItem(Section):
    """One entry of `model.blocks`: a single field, named like its YAML key.

    To add a block, write a file with its item and its module, and add a line to `menu.BLOCKS`.
    """

    def output_shape(self, shape: Shape) -> Shape:
        """Output shape for one clip; raises ShapeError if the block does not accept `shape`."""
        return shape

    def build(self, shape: Shape) -> nn.Module:
        """The module for an input of `shape`, already accepted by `output_shape`."""
        raise NotImplementedError

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        """Kernels and strides along the longest path, from which the receptive field is computed."""
        return ()

    def member_count(self) -> int | None:
        """Number of ensemble members that this block lists separate values for; None if all share one value."""
        return None

    def bound(self, member: int, res_block: ResBlockConfig) -> "BlockItem":
        """The block of one ensemble member (counted from 0), with the network's `res_block` settings."""
        return self

    @classmethod
    def key(cls) -> str:
        return next(iter(cls.model_fields))

    def text(self) -> str:
        """The block as one line of YAML: `res: [32, 32]`."""
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
