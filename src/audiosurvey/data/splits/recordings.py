"""Which clips are the same recording, so that a split never separates them.

Enters: clips and the contents of their files. Leaves: the recording of each clip. Clips belong to one recording if
they share a source, are cut from the same file (or from copies of it), or have equal samples.
"""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Protocol

from audiosurvey.data.table import Clip


class Contents(Protocol):
    """A store, or anything else that knows what a clip contains."""

    def digest(self, clip_id: str) -> str:
        """Hash of the file's bytes; `#START-END` follows for a stretch of it."""
        ...

    def samples_digest(self, clip_id: str) -> str | None:
        """Hash of the decoded samples, whatever the file format; None where they say nothing (silence)."""
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
    members: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        members[groups.find(("clip", clip.id))].append(clip)
    found: dict[str, str] = {}
    for same in members.values():
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
    members: dict[Hashable, list[Clip]] = defaultdict(list)
    for clip in clips:
        members[groups.find(("clip", clip.id))].append(clip)
    return [tuple(same) for same in members.values() if len(same) > 1]


def file_of(digest: str) -> str:
    """The part of a clip's digest that stands for the whole file."""
    return digest.split("#")[0]


def _keys(clip: Clip, contents: Contents) -> Iterator[Hashable]:
    digest = contents.digest(clip.id)
    yield "content", digest
    if clip.source is not None:
        yield "source", clip.source
    if not _names_its_own(clip):
        yield "file", file_of(digest)
    if samples := contents.samples_digest(clip.id):
        yield "samples", samples


def _names_its_own(clip: Clip) -> bool:
    """Whether the table says which recording this stretch is of: one file may hold several recordings."""
    return clip.global_source and (clip.start_s is not None or clip.end_s is not None)


def _overlaps(clips: Sequence[Clip], contents: Contents) -> Iterator[tuple[Clip, Clip]]:
    """Stretches of one file that overlap, whatever sources the table gives them."""
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
    return float("inf") if clip.end_s is None else clip.end_s


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
