"""Unpacks zip and tar archives that come from elsewhere, without letting a member leave the folder.

Enters: an archive and an empty folder; leaves: its files in there. Absolute names, names with `..`, links and
devices are refused; only folders and plain files are made, with plain permissions.
"""

import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
)


class BadArchive(Exception):
    """Damaged, of an unknown kind, or with a member that must not be unpacked."""


def unpack(archive: Path, into: Path) -> int:
    """Unpacks all members and gives the number of files; the zip's checksums are verified on the way.

    Raises BadArchive, and OSError where the disk does. What was unpacked before is the caller's to remove.
    """
    try:
        if zipfile.is_zipfile(archive):
            return _write(_zip_members(archive), into)
        if tarfile.is_tarfile(archive):
            return _write(_tar_members(archive, into), into)
    except _DAMAGE as error:
        raise BadArchive(f"damaged ({error})") from error
    raise BadArchive("neither a zip nor a tar archive")


def _write(members: Iterator[tuple[str, IO[bytes] | None]], into: Path) -> int:
    count = 0
    for name, content in members:
        target = into / _safe(name)
        if content is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        count += 1
    return count


def _zip_members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BadArchive(f"its member {member.filename!r} is a link or a device")
            yield member.filename, None if member.is_dir() else opened.open(member)


def _tar_members(archive: Path, into: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    # As a stream: looking through a compressed tar first would decompress it twice.
    with tarfile.open(archive, "r|*") as opened:
        for member in opened:
            if not (member.isfile() or member.isdir()):
                raise BadArchive(f"its member {member.name!r} is a link or a device")
            _safe(member.name)
            if hasattr(tarfile, "data_filter"):
                tarfile.data_filter(member, str(into))
            yield member.name, None if member.isdir() else opened.extractfile(member)


def _safe(name: str) -> PurePosixPath:
    """The name of a member as a path that stays in the folder on every system."""
    path, on_windows = PurePosixPath(name), PureWindowsPath(name)
    leaves = path.is_absolute() or on_windows.drive or on_windows.root or ".." in on_windows.parts
    if leaves or "\\" in name or "\0" in name:
        raise BadArchive(f"its member {name!r} would leave the folder")
    return path
