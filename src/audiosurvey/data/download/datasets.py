"""Fetches the published data sets: resumable, verified, complete or not there at all.

Enters: the name of a data set and the folder it shall be; leaves: that folder, checked against its own table.
The archive and the half-unpacked folder lie beside it under other names until everything is right.
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
from audiosurvey.data.download.fetch import Progress, discard, fetch
from audiosurvey.errors import UserError, not_written


@dataclass(frozen=True, slots=True)
class Published:
    """A data set as its authors published it, and how to know that it arrived whole."""

    title: str
    url: str
    suffix: str
    """Of the archive's name: .zip, .tar.gz."""
    archive_bytes: int
    unpacked_bytes: int
    md5: str | None
    """Of the archive; None where its server packs it anew and promises no bytes."""
    table: str
    """The table in the unpacked folder, a CSV with a row a clip."""
    clips: int
    clip_path: Callable[[dict[str, str]], str]
    """The file of a row, relative to the folder."""
    clip_bytes: int | None
    """Size of every file, where they are all alike."""
    licence: str


_ESC50_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"

PUBLISHED = {
    "esc50": Published(
        title="ESC-50",
        url=f"https://github.com/karolpiczak/ESC-50/archive/{_ESC50_COMMIT}.zip",
        suffix=".zip",
        archive_bytes=645_832_161,
        unpacked_bytes=890_000_000,
        md5=None,
        table="meta/esc50.csv",
        clips=2000,
        clip_path=lambda row: f"audio/{row['filename']}",
        clip_bytes=441_044,
        licence="CC BY-NC 3.0 (its ESC-10 subset: CC BY 3.0); authors of the recordings in its LICENSE file",
    ),
    "urbansound8k": Published(
        title="UrbanSound8K",
        url="https://zenodo.org/records/1203745/files/UrbanSound8K.tar.gz",
        suffix=".tar.gz",
        archive_bytes=6_023_741_708,
        unpacked_bytes=7_100_000_000,
        md5="9aa69802bbf37fb986f71ec1483a196e",
        table="metadata/UrbanSound8K.csv",
        clips=8732,
        clip_path=lambda row: f"audio/fold{row['fold']}/{row['slice_file_name']}",
        clip_bytes=None,
        licence="CC BY-NC 3.0 (its Zenodo record: 4.0); authors of the recordings in FREESOUNDCREDITS.txt",
    ),
}


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What `download` did; `text` says it in one line, with the licence."""

    folder: Path
    already_there: bool
    clips: int
    licence: str
    text: str


def download(
    name: str,
    root: Path,
    *,
    url: str | None = None,
    progress: Progress | None = None,
    published: Published | None = None,
    pause_s: float = 1.0,
) -> Downloaded:
    """Makes `root` the data set `name` (a key of PUBLISHED), or says that it is already.

    `url`: a mirror; checksum and table are verified all the same. `published`: another data set than the
    known ones. `progress(done, total)` counts bytes of the archive. `pause_s`: the first pause before a new
    attempt.

    Raises UserError in one line: no connection, wrong content, no room, `root` in use. A partial archive is
    kept beside `root` (`ROOT.zip.part`) and continued by the next call; an archive with wrong content is
    removed.
    """
    known = published or PUBLISHED.get(name)
    if known is None:
        raise UserError(f"{name}: no such data set; there are {', '.join(PUBLISHED)}")
    root = root.absolute()
    if _occupied(root):
        fault = table_fault(root, known)
        if fault:
            raise UserError(f"{root}: is there, but is not {known.title} ({fault}); move it away or choose another")
        return _summary(root, known, already_there=True)
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with _alone(root):
            archive = _archive(root, known, url or known.url, progress, pause_s)
            _unpack(archive, root, known)
    except OSError as error:
        raise not_written(error, f"{root.parent}: cannot be written ({error.strerror or error})") from error
    return _summary(root, known, already_there=False)


def table_fault(folder: Path, known: Published) -> str | None:
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


def _archive(root: Path, known: Published, url: str, progress: Progress | None, pause_s: float) -> Path:
    """The complete and verified archive beside `root`: kept from before, or fetched."""
    archive = root.with_name(root.name + known.suffix)
    part = archive.with_name(archive.name + ".part")
    if not archive.exists():
        there = part.stat().st_size if part.exists() else 0
        _check_disk(root.parent, max(0, known.archive_bytes - there) + known.unpacked_bytes, known)
        fetch(url, part, pause_s=pause_s, progress=progress)
        found = _md5(part) if known.md5 else None
        if found != known.md5:
            discard(part)
            raise UserError(
                f"{url}: gave a wrong archive (MD5 {found} instead of {known.md5}); it was removed, "
                "run the command again"
            )
        part.rename(archive)
        discard(part)  # its note
    else:
        _check_disk(root.parent, known.unpacked_bytes, known)
    return archive


def _unpack(archive: Path, root: Path, known: Published) -> None:
    for left in root.parent.glob(f"{root.name}.unpacking-*"):
        shutil.rmtree(left, ignore_errors=True)
    temporary = root.with_name(f"{root.name}.unpacking-{uuid.uuid4().hex[:8]}")
    temporary.mkdir()
    content = temporary
    try:
        try:
            unpack(archive, temporary)
            tops = list(temporary.iterdir())
            # Published archives hold one folder; what is in it becomes the root.
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
def _alone(root: Path) -> Iterator[None]:
    locks = cache_folder() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    lock = FileLock(locks / f"download-{hashlib.sha256(str(root).encode(errors='replace')).hexdigest()[:16]}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(f"{root}: another process is downloading it") from None
    try:
        yield
    finally:
        lock.release()


def _occupied(root: Path) -> bool:
    return root.exists() and not (root.is_dir() and not any(root.iterdir()))


def _check_disk(folder: Path, needed: int, known: Published) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder}: {known.title} needs {needed / 1e9:.1f} GB (archive and unpacked), {free / 1e9:.1f} GB are free"
        )


def _md5(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "md5").hexdigest()


def _summary(root: Path, known: Published, *, already_there: bool) -> Downloaded:
    did = "is already there, complete" if already_there else "downloaded and verified"
    text = f"{root}: {known.title} {did}; {known.clips} clips; licence: {known.licence}"
    return Downloaded(root, already_there, known.clips, known.licence, text)
