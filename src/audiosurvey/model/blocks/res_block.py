"""`model.res_block`: settings of all `res` blocks of a network."""

from audiosurvey.model.activations import ActivationChoice
from audiosurvey.model.blocks.fields import Sides
from audiosurvey.section import Section


class ResBlockConfig(Section):
    """Settings of all `res` blocks."""

    activation: ActivationChoice = "gelu"
    """Activation before each convolution. `swiglu` gates by channel here: the convolution before it has twice the
    output channels, and the activation at the block's input is SiLU."""
    batch_first: bool = True
    """true: batch-norm, then activation; false: activation, then batch-norm."""
    kernel_size: Sides = (5, 5)
    """Kernel size [frames, bands] of the two convolutions of the main path. An even side is dilated by 2."""
    kernel_size_res: Sides = (2, 2)
    """Kernel size [frames, bands] of the convolution on the shortcut. An even side is dilated by 2."""
