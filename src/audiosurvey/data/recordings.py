"""A folder of recordings that are not clips, such as backgrounds: decoded once, into its own store."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.data.audio.decoding import Mono
from audiosurvey.data.names import clip_id
from audiosurvey.data.sets.folder import refuse_equal_ids, sound_files
from audiosurvey.data.store.store import Skipped, Store, prepare
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError


@dataclass(frozen=True)
class Recordings:
    """The recordings of a folder, at one sample rate."""

    folder: Path
    store: Store
    names: tuple[str, ...]
    """Those that can be used, sorted: paths relative to the folder."""
    left_out: tuple[Skipped, ...]
    """Those that cannot be read, or contain only silence."""

    @property
    def hash(self) -> str:
        """Hash of names and contents: the same on every machine, at every rate."""
        return self.store.hash

    def shared_with(self, clips: Store) -> list[str]:
        """The recordings that clips of a data set were made from: the same file, or the same samples."""
        files = {clips.digest(clip_id).split("#")[0] for clip_id in clips}
        samples = {clips.samples_digest(clip_id) for clip_id in clips} - {None}
        return [
            name
            for name in self.names
            if self.store.digest(name) in files or self.store.samples_digest(name) in samples
        ]

    def notes(self) -> list[str]:
        """A line on the files that are left out, if there are any."""
        if not self.left_out:
            return []
        reasons = Counter(skip.reason for skip in self.left_out)
        first = "; ".join(f"{skip.id}: {skip.reason}" for skip in self.left_out[:3])
        rest = f"; and {len(self.left_out) - 3} more" if len(self.left_out) > 3 else ""
        total = sum(reasons.values()) + len(self.names)
        return [f"{len(self.left_out)} of {total} files in {self.folder.as_posix()} are left out ({first}{rest})"]


def missing_recordings(folder: Path) -> str | None:
    """Why there is nothing to read in a folder; None if there are sound files."""
    if not folder.is_dir():
        return f"{folder.as_posix()}: no such folder; expected a folder of recordings"
    if next(sound_files(folder), None) is None:
        return f"{folder.as_posix()}: no sound files in this folder; expected a folder of recordings"
    return None


def store_of(
    folder: Path, paths: Sequence[Path], key: str, *, sample_rate: int, mono: Mono = "mean", stores: Path | None = None
) -> Store:
    """The store of sound files below a folder, by their paths relative to it. Raises UserError as `open_recordings`."""
    clips = tuple(Clip(clip_id(path.relative_to(folder)), path, (0,)) for path in paths)
    refuse_equal_ids(clips)
    table = Table(name="recordings", root=folder, classes=("recording",), clips=clips)
    try:
        return prepare(table, sample_rate=sample_rate, mono=mono, folder=stores)
    except UserError as error:
        raise UserError(*(f"{key}: {line}" for line in error.lines)) from None


def open_recordings(
    folder: Path, key: str, *, sample_rate: int, mono: Mono = "mean", stores: Path | None = None
) -> Recordings:
    """All sounds below a folder, from its store, which is made if necessary.

    `key`: of the config, for errors; `stores`: where stores are (None: in the user's cache). Raises UserError if there
    is nothing to read.
    """
    if fault := missing_recordings(folder):
        raise UserError(f"{key}: {fault}")
    store = store_of(folder, list(sound_files(folder)), key, sample_rate=sample_rate, mono=mono, stores=stores)
    silent = [name for name in store if store.peak(name) == 0]
    left_out = (*store.skipped, *(Skipped(name, "contains only silence") for name in silent))
    names = tuple(sorted(set(store) - set(silent)))
    if not names:
        raise UserError(f"{key}: {folder.as_posix()}: contains only silence; expected recordings with sound")
    return Recordings(folder, store, names, tuple(sorted(left_out, key=lambda skip: skip.id)))
