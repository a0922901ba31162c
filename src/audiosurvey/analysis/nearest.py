"""The training clip of a class that sounds most like a given sound to the network: the nearest by its embeddings."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosurvey.artefact.embedding import unit_length
from audiosurvey.artefact.folder import Model
from audiosurvey.data.store.store import Store
from audiosurvey.data.table import Clip

_AT_ONCE = 64
"""Clips held in memory."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training clip, and the cosine of the angle between its embedding and that of the sound."""

    clip: str
    similarity: float


def embeddings(model: Model, store: Store, clips: Sequence[Clip]) -> np.ndarray:
    """Embeddings (N, E) of clips, normalised to length 1; averaged over the windows of long clips."""
    parts = [
        model.embed([store.read(clip.id) for clip in clips[begin : begin + _AT_ONCE]])
        for begin in range(0, len(clips), _AT_ONCE)
    ]
    found_NE = np.concatenate(parts) if parts else np.empty((0, model.network.classifier.in_features), np.float32)
    return unit_length(found_NE)


def nearest(embedding_E: np.ndarray, clips: Sequence[Clip], embeddings_NE: np.ndarray) -> Neighbour | None:
    """The clip with the highest cosine similarity, the first of several; None without clips. All embeddings have
    length 1."""
    if not clips:
        return None
    similarity_N = embeddings_NE @ embedding_E
    best = int(similarity_N.argmax())
    return Neighbour(clips[best].id, float(similarity_N[best]))
