"""Embeddings, the features before the classifier of a model: what they depend on, and their common length."""

import hashlib

import numpy as np

from audiosurvey.artefact.folder import Model
from audiosurvey.model.network import Network


def hash_of_body(model: Model) -> bytes:
    """A hash of what embeddings depend on besides the sound: how it is cut, the front end, the network."""
    config = model.config
    about = [config.sample_rate, config.mel_spectrogram.model_dump_json(), config.model.model_dump_json()]
    about += [model.clip_samples, model.facts["pad"], model.facts["mono"], str(model.network.classifier.weight.device)]
    digest = hashlib.sha256(repr(about).encode())
    add_body(digest, model.network)
    return digest.digest()


def add_body(digest: "hashlib._Hash", network: Network) -> None:
    """Updates a hash with all weights and statistics of a network but those of its classifier."""
    for name, value in network.state_dict().items():
        if not name.startswith("classifier."):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().numpy().tobytes())


def unit_length(embedding_NE: np.ndarray) -> np.ndarray:
    """Embeddings divided by their Euclidean norm, so that products of them are cosines; zeros stay zeros."""
    length_N1 = np.linalg.norm(embedding_NE, axis=-1, keepdims=True)
    return embedding_NE / np.maximum(length_N1, 1e-12)
