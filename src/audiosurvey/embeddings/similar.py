"""Search by sound: the recordings of a collection that are nearest to a sound by the embedding of a model.

Nearness is the cosine of the angle between embeddings. A recording is as near as the nearest of its windows. The query
is the mean of its windows, each brought to length 1 first; several queries are averaged likewise. The embedding is the
input of the classifier, as `Classifier.embed` gives it; that of an ensemble contains the features of all members.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.embedding import unit_length
from audiosurvey.artefact.folder import Model
from audiosurvey.embeddings.kept import Collection, stream_collection
from audiosurvey.embeddings.result_files import write_result_file
from audiosurvey.embeddings.stretches import FileStretch, offset_s
from audiosurvey.embeddings.windows import EmbeddedSound
from audiosurvey.errors import UserError
from audiosurvey.prediction.postprocessing import FailedSound
from audiosurvey.prediction.sources import SoundSource


@dataclass(frozen=True)
class SimilarSound:
    """A recording that is near to the query.

    Attributes:
        name: its path; for an array `array 1`, `array 2`, ...
        start_s: where its nearest window begins, in seconds from the start of the file.
        end_s: where that window ends.
        similarity: the cosine of the angle between the embeddings of that window and of the query, at most 1.
    """

    name: str
    start_s: float
    end_s: float
    similarity: float


@dataclass(frozen=True)
class SimilarSounds:
    """The recordings nearest to a query, the nearest first.

    Attributes:
        queries: names of the sounds that were searched by.
        hits: the nearest recordings.
        sounds: how many sounds were searched.
        left_out: names of sounds with the same content as the query.
        overlapping: names of sounds of which the windows that overlap the query were skipped; others may be hits.
        silent: names of silent sounds, which are left out.
        failures: sounds that could not be read, or not to their end, each with its `name` and the `reason`.
    """

    queries: tuple[str, ...]
    hits: tuple[SimilarSound, ...]
    sounds: int
    left_out: tuple[str, ...] = ()
    overlapping: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    failures: tuple[FailedSound, ...] = ()

    def __len__(self) -> int:
        return len(self.hits)

    def __iter__(self) -> Iterator[SimilarSound]:
        return iter(self.hits)

    def columns(self) -> Mapping[str, Sequence[Any]]:
        """The columns of a data frame: `pandas.DataFrame(found.columns())`.

        Returns:
            path, start_s, end_s and similarity.
        """
        return {
            "path": [hit.name for hit in self.hits],
            "start_s": [round(hit.start_s, 3) for hit in self.hits],
            "end_s": [round(hit.end_s, 3) for hit in self.hits],
            "similarity": [round(hit.similarity, 6) for hit in self.hits],
        }

    def as_json(self) -> dict[str, Any]:
        """The hits and what was left out, as plain data.

        Returns:
            What `audiosurvey similar --json` prints.
        """
        columns = self.columns()
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        return {
            "schema": 1,
            "query": list(self.queries),
            "sounds": self.sounds,
            "results": rows,
            "left_out": list(self.left_out),
            "overlapping": list(self.overlapping),
            "silent": list(self.silent),
            "failed": [{"path": one.name, "reason": one.reason} for one in self.failures],
        }

    def write(self, path: Path | str, *, force: bool = False) -> None:
        """Writes a .csv with columns path, start, end and similarity, whose paths are relative to its folder, or a
        .json with what was left out, whole or not at all.

        Args:
            path: the file.
            force: replace an existing file.

        Raises:
            UserError: for other endings, for a file that exists, and for one of the sounds.
            OSError: if it cannot be written.
        """
        rows = [(hit.name, f"{hit.start_s:.3f}", f"{hit.end_s:.3f}", f"{hit.similarity:.6f}") for hit in self.hits]
        write_result_file(Path(path), ("path", "start", "end", "similarity"), rows, self.as_json(), force=force)


@dataclass(frozen=True)
class Query:
    """What is searched by: a direction, and the contents that it was made of."""

    names: tuple[str, ...]
    embedding_N: np.ndarray
    """Of length 1."""
    stretches: tuple[FileStretch, ...]


def embed_query(model: Model, sources: Sequence[SoundSource], batch_size: int = 8, body: bytes | None = None) -> Query:
    """The mean of sounds, each the mean of its windows. Raises UserError for one that cannot be read, or is silent."""
    means, given = [], stream_collection(model, sources, batch_size=batch_size, body=body)
    for source, sound in zip(sources, given.sounds, strict=True):
        if sound.fault:
            raise UserError(f"{source.name}: {sound.fault}")
        if sound.silent:
            raise UserError(f"{source.name}: silent; there is nothing to search by")
        means.append(unit_length(unit_length(sound.features_WN[~sound.silent_W]).mean(axis=0)))
    known = [one for one in given.stretches if one is not None]
    return Query(tuple(one.name for one in sources), unit_length(np.mean(means, axis=0)), tuple(known))


def nearest_sounds(query: Query, collection: Collection, number: int) -> SimilarSounds:
    """The `number` nearest sounds of a collection; of equally near ones the first.

    What the query was made of is left out by content, wherever its file lies: windows that it overlaps, so that other
    parts of a long recording can be found. Silent windows are left out too. One sound is held at a time.
    """
    hits: list[SimilarSound] = []
    left_out, overlapping, silent = list[str](), list[str](), list[str]()
    failures: list[FailedSound] = []
    for source, stretch, sound in zip(collection.sources, collection.stretches, collection.sounds, strict=True):
        own_W = _own(query, stretch, sound, offset_s(source))
        if own_W.any():
            (left_out if own_W.all() else overlapping).append(source.name)
        if sound.silent:
            silent.append(source.name)
        if sound.fault:
            failures.append(FailedSound(source.name, sound.fault))
        usable_W = ~(own_W | sound.silent_W)
        if not usable_W.any():
            continue
        cosine_W = np.where(usable_W, unit_length(sound.features_WN) @ query.embedding_N, -np.inf)
        best = int(cosine_W.argmax())
        start_s, end_s = sound.times_W2[best] + offset_s(source)
        hits.append(SimilarSound(source.name, float(start_s), float(end_s), min(1.0, float(cosine_W[best]))))
    return SimilarSounds(
        query.names,
        tuple(sorted(hits, key=lambda hit: -hit.similarity)[:number]),
        len(collection.sources),
        tuple(left_out),
        tuple(overlapping),
        tuple(silent),
        tuple(failures),
    )


def _own(query: Query, stretch: FileStretch | None, sound: EmbeddedSound, offset_s: float) -> np.ndarray:
    """Which windows (W) of a sound the query overlaps."""
    of_file = [one for one in query.stretches if stretch is not None and one.file == stretch.file]
    if not of_file:
        return np.zeros(len(sound.silent_W), bool)
    times_W2 = sound.times_W2 + offset_s
    return np.array([any(one.overlaps(start, end) for one in of_file) for start, end in times_W2], bool)
