"""Embeddings that are kept in the cache, by the content of the sounds: those of a folder are computed once.

They do not depend on the classifier: models that differ in their last layer only, such as linear probes on one
encoder, share them. `audiosurvey cache` lists and removes them.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiosurvey.artefact.embedding import hash_of_body
from audiosurvey.artefact.folder import Model
from audiosurvey.cache import cache_folder
from audiosurvey.data.audio.content_hash import fingerprints
from audiosurvey.data.kept_rows import KeptRows
from audiosurvey.data.names import stretch_mark
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.embeddings.stretches import Stretch, StretchSource
from audiosurvey.embeddings.windows import EmbeddedSound, embed_sounds
from audiosurvey.prediction.array_source import ArraySource
from audiosurvey.prediction.sources import FileSource, SoundSource
from audiosurvey.version import __version__

_COLUMNS = ("sound TEXT", "windows INTEGER", "times BLOB", "features BLOB", "silent BLOB")


@dataclass(frozen=True)
class Collection:
    """Sounds with their embeddings, in one order."""

    sources: Sequence[SoundSource]
    stretches: Sequence[Stretch | None]
    """Of what content each is; None for a file that cannot be opened."""
    sounds: Sequence[EmbeddedSound]


def embed_collection(
    model: Model,
    sources: Sequence[SoundSource],
    hop_s: float | None = None,
    batch_size: int = 16,
    advance: ProgressCallback | None = None,
) -> Collection:
    """The embeddings of sounds, from the cache where they are there. Equal contents are computed once.

    `advance` is called with the number of sounds that are done, and of all.
    """
    stretches = stretches_of(sources)
    keys = [_key(place, stretch) for place, stretch in enumerate(stretches)]
    found: dict[str, EmbeddedSound] = {}
    with KeptRows(cache_folder() / "embeddings" / f"{_name(model, hop_s)}.sqlite", "embeddings", _COLUMNS) as kept:
        missing: dict[str, int] = {}
        for place, (key, stretch) in enumerate(zip(keys, stretches, strict=True)):
            row = kept.find(key) if stretch and key not in found else None
            if row is not None:
                found[key] = _from_row(model, *row)
            elif key not in found:
                missing.setdefault(key, place)
        new = embed_sounds(model, [sources[place] for place in missing.values()], hop_s, batch_size)
        for done, ((key, place), sound) in enumerate(zip(missing.items(), new, strict=True), 1):
            found[key] = sound
            if stretches[place] is not None and sound.fault is None:
                kept.keep(key, *_as_row(sound))
            if advance:
                advance(done, len(missing))
    return Collection(sources, stretches, [found[key] for key in keys])


def stretches_of(sources: Sequence[SoundSource]) -> list[Stretch | None]:
    """The content of each sound."""
    digests = fingerprints([one.path for one in sources if isinstance(one, FileSource | StretchSource)])

    def stretch(source: SoundSource) -> Stretch | None:
        if isinstance(source, ArraySource):
            hashed = hashlib.blake2b(np.ascontiguousarray(source.wave_S).tobytes(), digest_size=16)
            return Stretch(f"array:{hashed.hexdigest()}:{source.rate}")
        if not isinstance(source, FileSource | StretchSource) or (found := digests[source.path]) is None:
            return None
        if isinstance(source, FileSource):
            return Stretch(found.digest)
        return Stretch(found.digest, source.start_s, source.end_s)

    return list(map(stretch, sources))


def _key(place: int, stretch: Stretch | None) -> str:
    return f"place {place}" if stretch is None else stretch.file + stretch_mark(stretch.start_s, stretch.end_s)


def _name(model: Model, hop_s: float | None) -> str:
    """A hash of what embeddings depend on besides the sound."""
    return hashlib.sha256(hash_of_body(model) + repr((hop_s, __version__)).encode()).hexdigest()[:24]


def _as_row(sound: EmbeddedSound) -> tuple[int, bytes, bytes, bytes]:
    return len(sound.silent_W), sound.times_W2.tobytes(), sound.features_WN.tobytes(), sound.silent_W.tobytes()


def _from_row(model: Model, windows: int, times: bytes, features: bytes, silent: bytes) -> EmbeddedSound:
    return EmbeddedSound(
        np.frombuffer(times, np.float64).reshape(windows, 2),
        np.frombuffer(features, np.float32).reshape(windows, model.network.classifier.in_features),
        np.frombuffer(silent, bool),
    )
