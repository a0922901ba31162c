"""The network of a config on torch's meta device: whether it can be built, and its parameters' shapes."""

import torch

from audiosurvey.config.network import network_of
from audiosurvey.config.root import Config
from audiosurvey.model.encoders.settings import EncoderItem
from audiosurvey.model.faults import shape_faults
from audiosurvey.model.meta_device import without_compiler
from audiosurvey.model.network import Network


def can_be_built(config: Config) -> bool:
    """Whether every block of the network, and the front end before it, gives a nonempty output, and the library of an
    encoder is installed."""
    if any(isinstance(block, EncoderItem) and not block.can_be_built for block in config.model.blocks or []):
        return False
    return not (config.hears_mel and config.num_frames < 1) and not shape_faults(config.model, config.input_shape)


def meta_network(config: Config, classes: int = 2) -> Network:
    """The network with shapes but no data. Raises ShapeError where it cannot be built."""
    for block in config.model.blocks or []:
        if isinstance(block, EncoderItem):
            # Before the compiler is kept out: the library needs it while it is imported.
            block.import_library()
    with torch.device("meta"), without_compiler():
        return network_of(config, classes)
