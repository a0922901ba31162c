"""Search by sound: the recordings of a collection that are nearest to a sound by the embedding of a model.

Nearness is the cosine of the angle between embeddings. A recording is as near as the nearest of its windows. The query
is the mean of its windows, each brought to length 1 first; several queries are averaged likewise. The embedding is the
input of the classifier, as `Classifier.embed` gives it; that of an ensemble contains the features of all members.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.embedding import unit_length
from audiosurvey.artefact.folder import Model
from audiosurvey.atomic import write_text
from audiosurvey.data.names import as_text
from audiosurvey.embeddings.kept import Collection, embed_collection
from audiosurvey.embeddings.stretches import Stretch, offset_s
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
        left_out: names of sounds that are the query itself, or contain it; other parts of them may be hits.
        silent: names of sounds without anything to hear, which are left out.
        failures: sounds that could not be read, or not to their end, each with its `name` and the `reason`.
    """

    queries: tuple[str, ...]
    hits: tuple[SimilarSound, ...]
    sounds: int
    left_out: tuple[str, ...] = ()
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
            "silent": list(self.silent),
            "failed": [{"path": one.name, "reason": one.reason} for one in self.failures],
        }

    def write(self, path: Path | str) -> None:
        """Writes them as JSON, or for any other ending than .json as CSV, whole or not at all.

        Args:
            path: the file.

        Raises:
            OSError: if it cannot be written.
        """
        if Path(path).suffix.lower() == ".json":
            write_text(Path(path), json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n")
            return
        text, columns = io.StringIO(), self.columns()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        for name, start_s, end_s, similarity in zip(*columns.values(), strict=True):
            table.writerow([as_text(name), f"{start_s:.3f}", f"{end_s:.3f}", f"{similarity:.6f}"])
        write_text(Path(path), text.getvalue())


@dataclass(frozen=True)
class Query:
    """What is searched by: a direction, and the contents that it was made of."""

    names: tuple[str, ...]
    embedding_N: np.ndarray
    """Of length 1."""
    stretches: tuple[Stretch, ...]


def embed_query(model: Model, sources: Sequence[SoundSource], batch_size: int = 16) -> Query:
    """The mean of sounds, each the mean of its windows. Raises UserError for one that cannot be read, or is silent."""
    means, given = [], embed_collection(model, sources, batch_size=batch_size)
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
    parts of a long recording can be found. Silent windows are left out too.
    """
    hits: list[SimilarSound] = []
    left_out: list[str] = []
    for source, stretch, sound in zip(collection.sources, collection.stretches, collection.sounds, strict=True):
        own_W = _own(query, stretch, sound, offset_s(source))
        if own_W.any():
            left_out.append(source.name)
        usable_W = ~(own_W | sound.silent_W)
        if not usable_W.any():
            continue
        cosine_W = np.where(usable_W, unit_length(sound.features_WN) @ query.embedding_N, -np.inf)
        best = int(cosine_W.argmax())
        start_s, end_s = sound.times_W2[best] + offset_s(source)
        hits.append(SimilarSound(source.name, float(start_s), float(end_s), min(1.0, float(cosine_W[best]))))
    pairs = list(zip(collection.sources, collection.sounds, strict=True))
    return SimilarSounds(
        query.names,
        tuple(sorted(hits, key=lambda hit: -hit.similarity)[:number]),
        len(pairs),
        tuple(left_out),
        tuple(source.name for source, sound in pairs if sound.silent),
        tuple(FailedSound(source.name, sound.fault) for source, sound in pairs if sound.fault),
    )


def _own(query: Query, stretch: Stretch | None, sound: EmbeddedSound, offset_s: float) -> np.ndarray:
    """Which windows (W) of a sound the query overlaps."""
    of_file = [one for one in query.stretches if stretch is not None and one.file == stretch.file]
    if not of_file:
        return np.zeros(len(sound.silent_W), bool)
    times_W2 = sound.times_W2 + offset_s
    return np.array([any(one.overlaps(start, end) for one in of_file) for start, end in times_W2], bool)
