"""The network of a config without numbers in it: whether it can be built, and what it is made of."""

import torch

from audiosurvey.config.root import Config
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.network import Network, build_network


def can_be_built(config: Config) -> bool:
    """Whether something of a window is left for the network, and by each of its blocks."""
    return not (config.hears_mel and config.num_frames < 1) and not shape_faults(config.model, config.input_shape)


def sketch(config: Config, classes: int = 2) -> Network:
    """The network on the meta device: shapes, and nothing allocated. Raises ShapeError where it cannot be built."""
    with torch.device("meta"):
        return build_network(
            config.model,
            input_shape=config.input_shape,
            classes=classes,
            seed=0,
            standardize=config.mel_spectrogram.standardize,
        )
