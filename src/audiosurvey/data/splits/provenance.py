"""The clips that weights were trained on, so that no clip of the same recordings counts as unseen.

A recording is recognised by content (the bytes of its file, whatever stretch of it a clip is, or equal samples) and by
a source whose name means the same in every data set: ESC-50's `src_file` and UrbanSound8K's `fsID` are both Freesound
ids. A source derived from a file name counts within its data set only: recorders of two sites may name their files
alike.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from audiosurvey.atomic import write_text
from audiosurvey.data.splits.recordings import Contents, file_in, file_of, recordings_of
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError


@dataclass(frozen=True, slots=True)
class TrainedClip:
    """What is kept of one clip."""

    digest: str
    """Of its content, as `Store.digest` gives it."""
    source: str | None = None
    """Where its name means the same recording in every data set."""
    samples: str | None = None
    """Of its decoded samples, as `Store.samples_digest` gives it."""


@dataclass(frozen=True)
class Provenance:
    """Clips, by id, that weights were trained on or selected by."""

    clips: Mapping[str, TrainedClip]

    @classmethod
    def of(cls, clips: Iterable[Clip], contents: Contents) -> Self:
        return cls(
            {
                clip.id: TrainedClip(
                    contents.digest(clip.id),
                    clip.source if clip.global_source else None,
                    contents.samples_digest(clip.id),
                )
                for clip in clips
            }
        )

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """Reads the result of `as_json`, of this or an earlier version. Raises TypeError, ValueError for others."""
        return cls({str(clip): _read(entry) for clip, entry in dict(value).items()})

    def as_json(self) -> dict[str, str | list[str | None]]:
        return {clip: _written(entry) for clip, entry in self.clips.items()}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads a file that `save` wrote. Raises UserError for a damaged one."""
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            raise UserError(f"{path}: not a file of a model; copy the whole folder again") from None

    def save(self, path: Path) -> None:
        """Writes `trained_on.json` of a model folder."""
        write_text(path, json.dumps(self.as_json(), indent=0, ensure_ascii=False) + "\n")

    def under(self, prefix: str) -> "Provenance":
        """The same with `PREFIX/` before the ids, to tell clips of several stages apart."""
        return Provenance({f"{prefix}/{clip}": entry for clip, entry in self.clips.items()})

    def __or__(self, other: "Provenance") -> "Provenance":
        return Provenance({**self.clips, **other.clips})

    def known(self, clips: Iterable[Clip], contents: Contents) -> set[str]:
        """Ids of those of `clips`, all of one data set, whose recordings the weights were trained on.

        A recording is known as a whole once one of its clips is, so pass all clips of the data set.
        """
        clips = list(clips)
        recordings = recordings_of(clips, contents)
        known = {clip.id for clip in clips if self._knows(clip, contents)}
        known_recordings = {recordings[clip_id] for clip_id in known if clip_id in recordings}
        return known | {clip.id for clip in clips if recordings.get(clip.id) in known_recordings}

    def _knows(self, clip: Clip, contents: Contents) -> bool:
        files, sources, samples = self._keys
        return (
            file_of(contents.digest(clip.id)) in files
            or file_in(clip.source) in files
            or (clip.global_source and clip.source in sources)
            or contents.samples_digest(clip.id) in samples
        )

    @cached_property
    def _keys(self) -> tuple[set[str | None], set[str | None], set[str | None]]:
        """Files, sources and samples of the clips. Files are those of the clips, and those they were cut out of."""
        entries = self.clips.values()
        return (
            {file_of(entry.digest) for entry in entries} | {file_in(entry.source) for entry in entries} - {None},
            {entry.source for entry in entries} - {None},
            {entry.samples for entry in entries} - {None},
        )


def _written(entry: TrainedClip) -> str | list[str | None]:
    if entry.samples is not None:
        return [entry.digest, entry.source, entry.samples]
    return entry.digest if entry.source is None else [entry.digest, entry.source]


def _read(entry: object) -> TrainedClip:
    match entry:
        case str(digest) | [str(digest)]:
            return TrainedClip(digest)
        case [str(digest), str(source)]:
            return TrainedClip(digest, source)
        case [str(digest), str() | None as source, str(samples)]:
            return TrainedClip(digest, source, samples)
    raise ValueError(f"{entry!r} is not a digest, alone or with a source and a digest of samples")
