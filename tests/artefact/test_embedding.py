"""What embeddings depend on, and their length."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact.embedding import hash_of_body, unit_length


def test_the_hash_depends_on_all_but_the_classifier(model_of: Callable[..., Any]):
    model = model_of("tiny")
    first = hash_of_body(model)
    assert hash_of_body(model_of("tiny")) == first
    with torch.no_grad():
        model.network.classifier.weight.neg_()
    assert hash_of_body(model) == first
    with torch.no_grad():
        next(model.network.blocks.parameters()).neg_()
    assert hash_of_body(model) != first
    assert hash_of_body(model_of("tiny", "dataset.clip_seconds=2")) != first
    assert hash_of_body(model_of("tiny", "mel_spectrogram.n_mels=40")) != first


def test_embeddings_of_length_one():
    np.testing.assert_allclose(unit_length(np.array([[3.0, 4.0], [0.0, 0.0]])), [[0.6, 0.8], [0, 0]])
    np.testing.assert_allclose(unit_length(np.array([0.0, 2.0])), [0, 1])
