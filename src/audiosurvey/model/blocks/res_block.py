"""`model.res_block`: what all `res` blocks of a network share."""

from audiosurvey.model.activations import ActivationChoice
from audiosurvey.model.blocks.fields import Sides
from audiosurvey.section import Section


class ResBlockConfig(Section):
    """Settings of every `res` block."""

    activation: ActivationChoice = "gelu"
    """Activation before each convolution. `swiglu` gates by channel here: the convolution before it makes
    twice the channels, and the activation at the block's entry is SiLU."""
    batch_first: bool = True
    """true: batch-norm, then activation; false: activation, then batch-norm."""
    kernel_size: Sides = (5, 5)
    """Kernel [frames, bands] of the two convolutions in a row. An even side gets dilation 2."""
    kernel_size_res: Sides = (2, 2)
    """Kernel [frames, bands] of the convolution beside them. An even side gets dilation 2."""
