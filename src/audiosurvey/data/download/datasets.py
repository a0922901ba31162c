"""Downloads of published data sets: resumable, verified against their own tables, never partial.

The archive and the unpacked folder have temporary names beside the target until everything is verified.
"""

import contextlib
import csv
import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from audiosurvey.cache import cache_folder
from audiosurvey.data.download.archive import BadArchive, unpack
from audiosurvey.data.download.fetch import discard, fetch
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.errors import UserError, not_written


@dataclass(frozen=True, slots=True)
class Archive:
    """The archive of a data set, and how to check that the download is complete."""

    title: str
    url: str
    suffix: str
    """Of the archive's name: .zip, .tar.gz."""
    archive_bytes: int
    unpacked_bytes: int
    md5: str | None
    """Of the archive; None if its server packs it again for each request."""
    table: str
    """The table in the unpacked folder, a CSV with a row per clip."""
    clips: int
    clip_path: Callable[[dict[str, str]], str]
    """The file of a row, relative to the folder."""
    clip_bytes: int | None
    """Size of every file, where all are equal."""
    licence: str


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What `download` did; `text` says it in one line, with the licence."""

    folder: Path
    already_there: bool
    clips: int
    licence: str
    text: str


def download(
    known: Archive,
    root: Path,
    *,
    url: str | None = None,
    progress: ProgressCallback | None = None,
    pause_s: float = 1.0,
) -> Downloaded:
    """Downloads and unpacks a data set into `root`, unless it is already there and complete.

    `url`: a mirror; checksum and table are verified all the same. `progress(done, total)` counts bytes of the archive.
    `pause_s`: the first pause before a retry.

    Raises UserError in one line: no connection, wrong content, no space, `root` in use. A partial archive is kept
    beside `root` (`ROOT.zip.part`) and continued by the next call; an archive with wrong content is removed.
    """
    root = root.absolute()
    already_there = root.exists() and not (root.is_dir() and not any(root.iterdir()))
    if already_there:
        if fault := table_fault(root, known):
            raise UserError(f"{root}: exists, but is not {known.title} ({fault}); move it away or choose another")
    else:
        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            with _locked(root):
                _unpack(_archive(root, known, url or known.url, progress, pause_s), root, known)
        except OSError as error:
            raise not_written(error, f"{root.parent}: cannot be written ({error.strerror or error})") from error
    did = "is already there, complete" if already_there else "downloaded and verified"
    text = f"{root}: {known.title} {did}; {known.clips} clips; licence: {known.licence}"
    return Downloaded(root, already_there, known.clips, known.licence, text)


def table_fault(folder: Path, known: Archive) -> str | None:
    """Why `folder` is not the whole data set, or None: every row of its table must have its file."""
    try:
        with (folder / known.table).open(newline="", encoding="utf-8") as file:
            paths = {known.clip_path(row) for row in csv.DictReader(file)}
    except OSError:
        return f"{known.table} is not there"
    except (KeyError, ValueError, csv.Error):
        return f"{known.table} has other columns"
    if len(paths) != known.clips:
        return f"{known.table} lists {len(paths)} clips instead of {known.clips}"
    for path in sorted(paths):
        try:
            size = (folder / path).stat().st_size
        except OSError:
            return f"{path} is missing"
        if size != (known.clip_bytes or size) or size == 0:
            return f"{path} has {size} bytes instead of {known.clip_bytes or 'more'}"
    return None


def _archive(root: Path, known: Archive, url: str, progress: ProgressCallback | None, pause_s: float) -> Path:
    """The complete and verified archive beside `root`: kept from before, or fetched."""
    archive = root.with_name(root.name + known.suffix)
    part = archive.with_name(archive.name + ".part")
    if archive.exists():
        _check_disk(root.parent, known.unpacked_bytes, known)
        return archive
    there = part.stat().st_size if part.exists() else 0
    _check_disk(root.parent, max(0, known.archive_bytes - there) + known.unpacked_bytes, known)
    fetch(url, part, pause_s=pause_s, progress=progress)
    if known.md5:
        with part.open("rb") as stream:
            found = hashlib.file_digest(stream, "md5").hexdigest()
        if found != known.md5:
            discard(part)
            raise UserError(
                f"{url}: gave a wrong archive (MD5 {found} instead of {known.md5}); it was removed, "
                "run the command again"
            )
    part.rename(archive)
    discard(part)  # its note
    return archive


def _unpack(archive: Path, root: Path, known: Archive) -> None:
    for left in root.parent.glob(f"{root.name}.unpacking-*"):
        shutil.rmtree(left, ignore_errors=True)
    content = temporary = root.with_name(f"{root.name}.unpacking-{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    try:
        try:
            unpack(archive, temporary)
            tops = list(temporary.iterdir())
            # The archives hold one folder; its content becomes the root.
            if len(tops) == 1 and tops[0].is_dir():
                content = tops[0]
            fault = table_fault(content, known)
        except BadArchive as bad:
            fault = str(bad)
        if fault:
            archive.unlink()
            raise UserError(
                f"{archive.name}: the archive is not {known.title} as published ({fault}); it was removed, "
                "run the command again"
            )
        if root.exists():
            root.rmdir()  # an empty folder
        content.rename(root)
        archive.unlink()
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    locks = cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(root).encode(errors="replace")).hexdigest()[:16]
    lock = FileLock(locks / f"download-{name}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{root}: another process is downloading it") from None
    try:
        yield
    finally:
        lock.release()


def _check_disk(folder: Path, needed: int, known: Archive) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder}: {known.title} needs {needed / 1e9:.1f} GB (archive and unpacked), {free / 1e9:.1f} GB are free"
        )
