"""Groups of clips of the same recording, which a split never separates.

Clips belong to one recording if they share a source, are cut from the same file (or copies of it), or have equal
samples. A source such as `file:1f9a...` names the file that a clip was cut out of, by the hash of its content.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Protocol

from audiosurvey.data.table import Clip

_OF_FILE = "file:"
Link = tuple[str, Hashable]
"""The id of a clip, and what it shares with other clips."""


class Contents(Protocol):
    """What is known of the contents of clips; implemented by the store."""

    def digest(self, clip_id: str) -> str:
        """Hash of the file's bytes; `#START-END` follows for a stretch of it."""
        ...

    def samples_digest(self, clip_id: str) -> str | None:
        """Hash of the decoded samples, whatever the file format; None for silence."""
        ...


def recordings_of(clips: Sequence[Clip], contents: Contents) -> dict[str, str]:
    """The recording of each clip id, named by a source where there is one; clips that stand alone are left out."""
    found: dict[str, str] = {}
    for same in _groups(clips, [*_equal(clips, contents), *_related(clips, contents), *_overlaps(clips, contents)]):
        sources = [clip.source for clip in same if clip.source is not None]
        if sources or len(same) > 1:
            name = sources[0] if sources else f"content of {same[0].id}"
            found |= {clip.id: name for clip in same}
    return found


def equal_contents(clips: Iterable[Clip], contents: Contents) -> list[tuple[Clip, ...]]:
    """Groups of clips with equal content: the same stretch of equal files, or equal samples. In order of clip ids."""
    clips = list(clips)
    return [tuple(same) for same in _groups(clips, _equal(clips, contents)) if len(same) > 1]


def file_of(digest: str) -> str:
    """The part of a clip's digest that identifies the whole file."""
    return digest.split("#")[0]


def source_of_file(digest: str) -> str:
    """The name of a recording that is a whole file of this hash, for clips that were cut out of it."""
    return f"{_OF_FILE}{file_of(digest)}"


def file_in(source: str | None) -> str | None:
    """The hash of the file that a source names by its content; None for other sources."""
    return source.removeprefix(_OF_FILE) if source is not None and source.startswith(_OF_FILE) else None


def _equal(clips: Iterable[Clip], contents: Contents) -> Iterator[Link]:
    for clip in clips:
        yield clip.id, ("content", contents.digest(clip.id))
        if samples := contents.samples_digest(clip.id):
            yield clip.id, ("samples", samples)


def _related(clips: Iterable[Clip], contents: Contents) -> Iterator[Link]:
    for clip in clips:
        if clip.source is not None:
            yield clip.id, ("source", clip.source)
        if (file := file_in(clip.source)) is not None:
            yield clip.id, ("file", file)
        # One file may hold several recordings, if the table says which one a stretch is of.
        if not clip.global_source or (clip.start_s is None and clip.end_s is None):
            yield clip.id, ("file", file_of(contents.digest(clip.id)))


def _overlaps(clips: Iterable[Clip], contents: Contents) -> Iterator[Link]:
    """Stretches of one file that overlap, whatever their sources."""
    by_file: dict[str, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: (clip.start_s or 0.0, clip.id)):
        by_file[file_of(contents.digest(clip.id))].append(clip)
    for furthest, *later in by_file.values():
        for clip in later:
            if (clip.start_s or 0.0) < _end(furthest):
                yield clip.id, ("clip", furthest.id)
            furthest = max(furthest, clip, key=_end)


def _end(clip: Clip) -> float:
    return math.inf if clip.end_s is None else clip.end_s


def _groups(clips: Iterable[Clip], links: Iterable[Link]) -> Iterable[list[Clip]]:
    """Clips that are linked, directly or through others, in order of their ids (union-find)."""
    parent: dict[Hashable, Hashable] = {}

    def root(node: Hashable) -> Hashable:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent.setdefault(above, above)
            node = above
        return node

    for clip_id, shared in links:
        parent[root(("clip", clip_id))] = root(shared)
    groups: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in sorted(clips, key=lambda clip: clip.id):
        groups[root(("clip", clip.id))].append(clip)
    return groups.values()
