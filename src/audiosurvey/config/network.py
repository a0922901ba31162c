"""The network that a config describes."""

from audiosurvey.config.root import Config
from audiosurvey.model.network import Network, build_network
from audiosurvey.model.shapes import InputShape


def network_of(config: Config, classes: int, *, seed: int = 0, input_shape: InputShape | None = None) -> Network:
    """A new network, in training mode, for clips of `input_shape` (None: of the config's own window).

    Raises ShapeError as `build_network` does.
    """
    return build_network(
        config.model,
        input_shape=config.input_shape if input_shape is None else input_shape,
        classes=classes,
        seed=seed,
        standardize=config.mel_spectrogram.standardize,
    )
