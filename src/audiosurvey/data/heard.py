"""What some weights have heard, so that no other cut of a recording, nor a copy of it, passes for new.

A recording is known by the content of its file, whatever stretch of it a clip is, and by its source: ESC-50's
`src_file` and UrbanSound8K's `fsID` are both Freesound ids.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, Self

from audiosurvey.data.table import Clip


class Contents(Protocol):
    """A store, or what can tell the content of a clip as one does."""

    def digest(self, clip_id: str) -> str: ...


@dataclass(frozen=True)
class Heard:
    """Clips, by id: the digest of the content of each (as `Store.digest` tells it), and its source where it has one."""

    clips: Mapping[str, tuple[str, str | None]]

    @classmethod
    def of(cls, clips: Iterable[Clip], contents: Contents) -> Self:
        return cls({clip.id: (contents.digest(clip.id), clip.source) for clip in clips})

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Self:
        """What `as_json` gave; a digest alone is a clip without a source. Raises TypeError, ValueError elsewhere."""
        return cls({str(clip): _read(entry) for clip, entry in dict(value).items()})

    def as_json(self) -> dict[str, str | list[str]]:
        return {clip: digest if source is None else [digest, source] for clip, (digest, source) in self.clips.items()}

    def under(self, prefix: str) -> "Heard":
        """With `PREFIX/` before the ids, to tell clips of several stages apart."""
        return Heard({f"{prefix}/{clip}": entry for clip, entry in self.clips.items()})

    def __or__(self, other: "Heard") -> "Heard":
        return Heard({**self.clips, **other.clips})

    def knows(self, clip: Clip, contents: Contents) -> bool:
        """Whether something of this clip's recording was heard."""
        return clip.source in self._sources or file_of(contents.digest(clip.id)) in self._files

    @cached_property
    def _files(self) -> set[str]:
        return {file_of(digest) for digest, _ in self.clips.values()}

    @cached_property
    def _sources(self) -> set[str]:
        return {source for _, source in self.clips.values() if source is not None}


def file_of(digest: str) -> str:
    """What names the whole file, of the digest of a clip that is it or is cut from it."""
    return digest.split("#")[0]


def _read(entry: object) -> tuple[str, str | None]:
    match entry:
        case str(digest) | [str(digest)]:
            return digest, None
        case [str(digest), str(source)]:
            return digest, source
    raise ValueError(f"{entry!r} is not a digest, alone or with a source")
