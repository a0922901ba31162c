"""The network of a config, untrained."""

from audiosurvey.config.root import Config
from audiosurvey.model.network import Network, build_network


def network_of(config: Config, classes: int) -> Network:
    """Contiguous tensors, in training mode."""
    return build_network(
        config.model,
        input_shape=config.input_shape,
        classes=classes,
        seed=0,
        standardize=config.mel_spectrogram.standardize,
    ).train()
