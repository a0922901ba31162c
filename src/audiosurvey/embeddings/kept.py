"""Embeddings that are kept in the cache, by the content of the sounds: those of a folder are computed once.

They do not depend on the classifier: models that differ in their last layer only, such as linear probes on one
encoder, share them. `audiosurvey cache` lists and removes them.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from audiosurvey.artefact.embedding import hash_of_body
from audiosurvey.artefact.folder import Model
from audiosurvey.cache import cache_folder
from audiosurvey.data.audio.content_hash import fingerprints
from audiosurvey.data.audio.sound_file import Stamp, stamp_of
from audiosurvey.data.kept_rows import KeptRows
from audiosurvey.data.names import stretch_mark
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.embeddings.stretches import FileStretch, StretchSource
from audiosurvey.embeddings.windows import EmbeddedSound, embed_sounds
from audiosurvey.prediction.array_source import ArraySource
from audiosurvey.prediction.sources import FileSource, SoundSource
from audiosurvey.version import __version__

_COLUMNS = ("sound TEXT", "windows INTEGER", "times BLOB", "features BLOB", "silent BLOB", "short INTEGER")


@dataclass(frozen=True)
class Collection:
    """Sounds with their embeddings, in one order."""

    sources: Sequence[SoundSource]
    stretches: Sequence[FileStretch | None]
    """Of what content each is; None for a file that cannot be opened."""
    sounds: Iterable[EmbeddedSound]
    """Of `stream_collection` they can be gone through once."""


def stream_collection(
    model: Model,
    sources: Sequence[SoundSource],
    hop_s: float | None = None,
    batch_size: int = 8,
    advance: ProgressCallback | None = None,
    body: bytes | None = None,
    contents: "Contents | None" = None,
) -> Collection:
    """The embeddings of sounds, from the cache where they are there. Equal contents are computed once.

    Each sound is embedded when it is asked for, and not held after that. `advance` is called with the number of sounds
    that are done, and of all; `body`: `hash_of_body(model)`, if known; `contents`: those of the sources, if known.
    """
    known = contents or contents_of(sources)
    file = cache_folder() / "embeddings" / f"{_name(model, hop_s, body or hash_of_body(model))}.sqlite"
    return Collection(sources, known.stretches, _embedded(model, sources, known, file, hop_s, batch_size, advance))


def _embedded(
    model: Model,
    sources: Sequence[SoundSource],
    contents: "Contents",
    file: Path,
    hop_s: float | None,
    batch_size: int,
    advance: ProgressCallback | None,
) -> Iterator[EmbeddedSound]:
    stretches, stamps = contents.stretches, contents.stamps
    keys = [_key(place, stretch) for place, stretch in enumerate(stretches)]
    uses = Counter(keys)
    repeated: dict[str, EmbeddedSound] = {}
    with KeptRows(file, "embeddings", _COLUMNS) as kept:
        first = {key: place for place, key in reversed(list(enumerate(keys)))}
        missing = [place for place, key in enumerate(keys) if first[key] == place and not kept.has(key)]
        to_embed = set(missing)
        new = embed_sounds(model, [sources[place] for place in missing], hop_s, batch_size)
        done = 0
        with contextlib.closing(new):
            for place, (key, source) in enumerate(zip(keys, sources, strict=True)):
                if (sound := repeated.get(key)) is None:
                    if place in to_embed:
                        sound, done = next(new), done + 1
                        if advance:
                            advance(done, len(missing))
                        # A file that changed after it was hashed is not what its hash says.
                        if stretches[place] and sound.fault is None and _unchanged(source, stamps[place]):
                            kept.keep(key, *_as_row(sound))
                    elif (row := kept.find(key)) is not None:
                        sound = _from_row(model, *row)
                    else:  # removed meanwhile
                        (sound,) = embed_sounds(model, [source], hop_s, batch_size)
                uses[key] -= 1
                if uses[key]:
                    repeated[key] = sound
                else:
                    repeated.pop(key, None)
                yield sound


def _unchanged(source: SoundSource, stamp: Stamp | None) -> bool:
    return not isinstance(source, FileSource | StretchSource) or stamp_of(source.path) == stamp


@dataclass(frozen=True)
class Contents:
    """What sounds are by their content; `stamps`: of the files, from before they were read."""

    stretches: Sequence[FileStretch | None]
    stamps: Sequence[Stamp | None]


def contents_of(sources: Sequence[SoundSource], advance: ProgressCallback | None = None) -> Contents:
    """The content of each sound. `advance`: as in `fingerprints`."""
    paths = [one.path if isinstance(one, FileSource | StretchSource) else None for one in sources]
    stamps = [None if path is None else stamp_of(path) for path in paths]
    digests = fingerprints([path for path in paths if path is not None], advance=advance)

    def stretch(source: SoundSource) -> FileStretch | None:
        if isinstance(source, ArraySource):
            hashed = hashlib.blake2b(np.ascontiguousarray(source.wave_S).tobytes(), digest_size=16)
            return FileStretch(f"array:{hashed.hexdigest()}:{source.rate}")
        if not isinstance(source, FileSource | StretchSource) or (found := digests[source.path]) is None:
            return None
        if isinstance(source, FileSource):
            return FileStretch(found.digest)
        return FileStretch(found.digest, source.start_s, source.end_s)

    return Contents(list(map(stretch, sources)), stamps)


def _key(place: int, stretch: FileStretch | None) -> str:
    return f"place {place}" if stretch is None else stretch.file + stretch_mark(stretch.start_s, stretch.end_s)


def _name(model: Model, hop_s: float | None, body: bytes) -> str:
    """A hash of what embeddings depend on besides the sound."""
    used = (None if hop_s is None else float(hop_s), __version__, *_versions(model))
    return hashlib.sha256(body + repr(used).encode()).hexdigest()[:24]


def _versions(model: Model) -> list[str]:
    """Of the libraries that compute the embeddings."""
    names = ["torch", *(["transformers"] if _uses(model, "transformers") else [])]
    return [version(name) for name in names]


def _uses(model: Model, library: str) -> bool:
    return any(type(module).__module__.partition(".")[0] == library for module in model.network.modules())


def _as_row(sound: EmbeddedSound) -> tuple[int, bytes, bytes, bytes, int]:
    return (
        len(sound.silent_W),
        sound.times_W2.tobytes(),
        sound.features_WN.tobytes(),
        sound.silent_W.tobytes(),
        int(sound.short),
    )


def _from_row(model: Model, windows: int, times: bytes, features: bytes, silent: bytes, short: int) -> EmbeddedSound:
    return EmbeddedSound(
        np.frombuffer(times, np.float64).reshape(windows, 2),
        np.frombuffer(features, np.float32).reshape(windows, model.network.classifier.in_features),
        np.frombuffer(silent, bool),
        short=bool(short),
    )
