"""Which clips are the same recording, so that a split never separates them.

Clips belong to one recording if they share a source, are cut from the same file (or copies of it), or have equal
samples.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Protocol

from audiosurvey.data.table import Clip


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
    clips = sorted(clips, key=lambda clip: clip.id)
    groups = _Groups()
    for clip in clips:
        for key in _keys(clip, contents):
            groups.join(clip.id, key)
    for one, other in _overlaps(clips, contents):
        groups.join(one.id, ("clip", other.id))
    found: dict[str, str] = {}
    for same in groups.members(clips):
        sources = [clip.source for clip in same if clip.source is not None]
        if sources or len(same) > 1:
            name = sources[0] if sources else f"content of {same[0].id}"
            found |= {clip.id: name for clip in same}
    return found


def equal_contents(clips: Iterable[Clip], contents: Contents) -> list[tuple[Clip, ...]]:
    """Groups of clips with equal content: the same stretch of equal files, or equal samples. In order of clip ids."""
    clips = sorted(clips, key=lambda clip: clip.id)
    groups = _Groups()
    for clip in clips:
        groups.join(clip.id, ("content", contents.digest(clip.id)))
        if samples := contents.samples_digest(clip.id):
            groups.join(clip.id, ("samples", samples))
    return [tuple(same) for same in groups.members(clips) if len(same) > 1]


def file_of(digest: str) -> str:
    """The part of a clip's digest that identifies the whole file."""
    return digest.split("#")[0]


def _keys(clip: Clip, contents: Contents) -> Iterator[Hashable]:
    digest = contents.digest(clip.id)
    yield "content", digest
    if clip.source is not None:
        yield "source", clip.source
    # One file may hold several recordings, if the table says which one a stretch is of.
    if not clip.global_source or (clip.start_s is None and clip.end_s is None):
        yield "file", file_of(digest)
    if samples := contents.samples_digest(clip.id):
        yield "samples", samples


def _overlaps(clips: Sequence[Clip], contents: Contents) -> Iterator[tuple[Clip, Clip]]:
    """Pairs of stretches of one file that overlap, whatever their sources."""
    by_file: dict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        by_file[file_of(contents.digest(clip.id))].append(clip)
    for same in by_file.values():
        furthest: Clip | None = None
        for clip in sorted(same, key=lambda clip: clip.start_s or 0.0):
            if furthest is not None and (clip.start_s or 0.0) < _end(furthest):
                yield clip, furthest
            if furthest is None or _end(clip) > _end(furthest):
                furthest = clip


def _end(clip: Clip) -> float:
    return math.inf if clip.end_s is None else clip.end_s


class _Groups:
    """Union-find over clips and the keys that they share."""

    def __init__(self) -> None:
        self._parent: dict[Hashable, Hashable] = {}

    def find(self, node: Hashable) -> Hashable:
        parent = self._parent.setdefault(node, node)
        while parent != node:
            grandparent = self._parent[parent]
            self._parent[node] = grandparent
            node, parent = parent, grandparent
        return node

    def join(self, clip_id: str, key: Hashable) -> None:
        self._parent[self.find(("clip", clip_id))] = self.find(key)

    def members(self, clips: Iterable[Clip]) -> Iterable[list[Clip]]:
        found: dict[Hashable, list[Clip]] = defaultdict(list)
        for clip in clips:
            found[self.find(("clip", clip.id))].append(clip)
        return found.values()
