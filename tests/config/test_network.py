"""The network of a config has its window, its standardisation and the classes asked for."""

import torch

from audiosurvey.config.loader import load_config
from audiosurvey.config.network import network_of
from audiosurvey.model.network import build_network


def test_shape_and_standardisation_are_those_of_the_config() -> None:
    config = load_config("mn04", ["mel_spectrogram.standardize=batch_norm"]).config
    network = network_of(config, 3, seed=4)
    alike = build_network(
        config.model, input_shape=config.input_shape, classes=3, seed=4, standardize=config.mel_spectrogram.standardize
    )
    assert network.training
    assert network.state_dict().keys() == alike.state_dict().keys()
    assert all(torch.equal(mine, other) for mine, other in zip(network.parameters(), alike.parameters(), strict=True))


def test_another_window_gives_another_shape() -> None:
    config = load_config("mn04", ["dataset.clip_seconds=2"]).config
    longer = config.input_shape_of(4 * config.sample_rate)
    assert network_of(config, 3).steps[0].entered == config.input_shape
    assert network_of(config, 3, input_shape=longer).steps[0].entered == longer
