"""The `activation` block: an element-wise activation, or SwiGLU, which halves an axis."""

from torch import nn

from audiosurvey.model.activations import ActivationChoice, SwiGLU, gate_axis, is_gate, make_activation
from audiosurvey.model.blocks.item import BlockItem
from audiosurvey.model.shapes import Reach, Shape, ShapeError, is_map


class ActivationItem(BlockItem):
    """An activation; `swiglu` halves the bands of a map, or the features after `pooling` and `fc`."""

    activation: ActivationChoice

    def output_shape(self, shape: Shape) -> Shape:
        if not is_gate(self.activation):
            return shape
        if gate_axis(self.activation) == "last":
            if shape[-1] < 2:
                raise ShapeError("activation: swiglu halves the last axis, which has only one value here")
            return *shape[:-1], (shape[-1] + 1) // 2
        if not is_map(shape):
            raise ShapeError("activation: swiglu by channel needs a map; after `pooling` write `activation: swiglu`")
        if shape[0] % 2:
            raise ShapeError(f"activation: swiglu by channel halves the channels, and {shape[0]} is odd")
        return shape[0] // 2, *shape[1:]

    def build(self, shape: Shape) -> nn.Module:
        if is_gate(self.activation):
            return SwiGLU(axis=-1 if gate_axis(self.activation) == "last" else 1)
        return make_activation(str(self.activation))

    def reach(self, shape: Shape) -> tuple[Reach, ...]:
        if is_gate(self.activation) and gate_axis(self.activation) == "last" and is_map(shape):
            # The value and the gate of one output are half the bands apart.
            return (Reach((1, (shape[-1] + 1) // 2 + 1)),)
        return ()
