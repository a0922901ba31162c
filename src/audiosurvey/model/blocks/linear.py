"""The `fc` block: a fully connected layer after `pooling`."""

from torch import nn

from audiosurvey.model.blocks.fields import Width
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Shape, ShapeError, is_map


class FcItem(BlockItem):
    """A fully connected layer with bias. The value is the number of output features."""

    fc: Width

    def output_shape(self, shape: Shape) -> Shape:
        if is_map(shape):
            raise ShapeError("fc: needs features, not a map; put `pooling: {mode: avg, flat: true}` before it")
        return (self.fc,)

    def build(self, shape: Shape) -> nn.Module:
        return nn.Linear(shape[0], self.fc)
