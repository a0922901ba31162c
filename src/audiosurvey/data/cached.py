"""What is in the cache, and its removal: stores of decoded sounds, downloaded weights, and what else is made once.

Only what audiosurvey writes there is listed, and only what is listed can be removed, so that a cache folder that holds
other files too is safe. All of it is made, or downloaded, again when it is needed, except tables that a program gave:
their runs read them here.
"""

import json
import re
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from audiosurvey.cache import cache_folder
from audiosurvey.data.store.building import REPORT, TEMPORARY
from audiosurvey.data.store.earlier import INDEX
from audiosurvey.data.store.use import ENDING, read_use
from audiosurvey.errors import UserError, some_of

_TABLES = "tables"
_KINDS = (
    ("weights", r"[0-9a-f]{12}-.+", "downloaded weights"),
    ("rooms", r"v\d+-\d+-\d+-\d+\.npz", "simulated rooms for reverb"),
    (_TABLES, r"[0-9a-f]{24}", "a table that a program gave; runs on it read it here"),
    (".", r"made-sounds-\d+", "made sounds of no class"),
    (".", r"onnxruntime-web-[\d.]+", "ONNX Runtime for web pages"),
    ("embeddings", r"[0-9a-f]{24}\.sqlite", "embeddings of sounds, for similar and suggest"),
    (".", r"fingerprints\.sqlite", "hashes of sound files"),
)
"""Folders below the cache folder, besides that of the stores; how names in them look; and what that is."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class CachedItem:
    """One thing in the cache that can be removed."""

    name: str
    """Path below the cache folder."""
    what: str
    """What it is, and which data set it belongs to if that is known."""
    size: int
    """Bytes."""
    used: str
    """The day on which it was used last, as far as that is known, or else written; such as 2025-03-31."""
    folder: Path
    """The cache folder."""

    @property
    def remade(self) -> bool:
        """Whether it is made, or downloaded, again when it is needed: all but tables that a program gave."""
        return not self.name.startswith(f"{_TABLES}/")

    @property
    def path(self) -> Path:
        return self.folder / self.name

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"folder": self.folder.as_posix()}


def list_cached(weights: Collection[str] = ()) -> list[CachedItem]:
    """What is in the cache, the largest first. `weights`: names of files of published weights."""
    folder = cache_folder()
    published = ("weights", "|".join(map(re.escape, weights)) or r"(?!)", "downloaded weights")
    kinds = (published, *_KINDS)
    found = [
        *_stores(folder),
        *(_other(folder, path, what) for below, names, what in kinds for path in _paths(folder / below, names)),
    ]
    return sorted(found, key=lambda item: (-item.size, item.name))


def choose_cached(
    items: Sequence[CachedItem], names: Sequence[str] | None = None, older_than_days: int | None = None
) -> list[CachedItem]:
    """Those of these names (or their beginnings, if these are unique), used last so many days ago or earlier.

    None: all that is made again when it is needed. Raises UserError for a name that none, or more than one, begins
    with.
    """
    remade = [item for item in items if item.remade]
    chosen = remade if names is None else [_named(items, name) for name in dict.fromkeys(names)]
    if older_than_days is None:
        return chosen
    last = (datetime.now(UTC).date() - timedelta(days=older_than_days)).isoformat()
    return [item for item in chosen if item.used <= last]


def remove_cached(items: Sequence[CachedItem]) -> list[CachedItem]:
    """Removes them; returns those that were. A store that a process is building stays."""
    return [item for item in items if _removed(item)]


def _named(items: Sequence[CachedItem], name: str) -> CachedItem:
    near = [item for item in items if item.name == name] or [
        item for item in items if item.name.startswith(name) or item.path.name.startswith(name)
    ]
    if len(near) == 1:
        return near[0]
    if near:
        raise UserError(f"{name}: stands for {some_of([item.name for item in near], _SHOWN)}; give more of the name")
    raise UserError(f"{name}: not in the cache; 'audiosurvey cache' lists what there is")


def _stores(folder: Path) -> Iterator[CachedItem]:
    for path in _paths(folder / "stores", ".+"):
        if not path.is_dir():
            continue
        if TEMPORARY in path.name:
            what = "an unfinished store, from which the next build goes on"
        elif (path / INDEX).is_file():
            what = _about_store(path)
        else:
            continue
        use = read_use(path)
        yield CachedItem(
            path.relative_to(folder).as_posix(), what, _size(path), use.last if use else _day(path), folder
        )


def _about_store(path: Path) -> str:
    try:
        report = json.loads((path / REPORT).read_text(encoding="utf-8"))
        form = f", {report['recordings']} recordings at {report['sample_rate']} Hz"
    except (OSError, ValueError, KeyError, TypeError):
        form = ""
    use = read_use(path)
    return f"decoded sounds{f' of {use.title} in {use.root}' if use else ''}{form}"


def _other(folder: Path, path: Path, what: str) -> CachedItem:
    return CachedItem(path.relative_to(folder).as_posix(), what, _size(path), _day(path), folder)


def _paths(folder: Path, names: str) -> list[Path]:
    """What is named so, without locks and unfinished downloads, which go with what they belong to."""
    named = (path for path in folder.glob("*") if re.fullmatch(names, path.name))
    return sorted(path for path in named if path.suffix not in (".lock", ".part", ".tmp"))


def _size(path: Path) -> int:
    """Bytes of a file, or of a folder with all that is in it; links are not followed."""
    total = 0
    for one in (path, *path.rglob("*")) if path.is_dir() and not path.is_symlink() else (path,):
        with suppress(OSError):
            found = one.lstat()
            total += 0 if one.is_dir() else found.st_size
    return total


def _day(path: Path) -> str:
    with suppress(OSError):
        return datetime.fromtimestamp(path.lstat().st_mtime, UTC).date().isoformat()
    return date.min.isoformat()


def _removed(item: CachedItem) -> bool:
    path = item.path
    if not path.parent.resolve().is_relative_to(item.folder.resolve()):
        # A folder of the cache that is a link to elsewhere: what is there is not ours.
        return False
    lock = Path(f"{path.with_name(path.name.split(TEMPORARY)[0])}.lock")
    try:
        with FileLock(lock, timeout=0) if lock.exists() else nullcontext():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            path.with_name(path.name + ENDING).unlink(missing_ok=True)
    except Timeout:
        return False
    return True
