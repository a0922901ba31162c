"""Unpacks zip and tar archives from untrusted sources, without letting a member leave the folder.

Absolute names, names with `..`, links and devices are refused; only folders and plain files are made.
"""

import lzma
import stat
import tarfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError),
    *(EOFError, ValueError, NotImplementedError),
)
# Python 3.11.0 to 3.11.3 lack the filter; the checks here do not depend on it.
_FILTER = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


class BadArchive(Exception):
    """Damaged, of an unknown kind, or with a member that must not be unpacked."""


def unpack(archive: Path, into: Path) -> None:
    """Unpacks all members into an empty folder, verifying the checksums of a zip.

    Raises BadArchive, and OSError where the disk does. The caller removes what was unpacked before an error.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                for member in zipped.infolist():
                    kind = stat.S_IFMT(member.external_attr >> 16)
                    _check(member.filename, plain=kind in (0, stat.S_IFREG, stat.S_IFDIR))
                    zipped.extract(member, into)
        elif tarfile.is_tarfile(archive):
            # As a stream: reading the list of members of a compressed tar first would decompress it twice.
            with tarfile.open(archive, "r|*") as tarred:
                for member in tarred:
                    _check(member.name, plain=member.isfile() or member.isdir())
                    tarred.extract(member, into, **_FILTER)  # pyright: ignore[reportArgumentType]
        else:
            raise BadArchive("neither a zip nor a tar archive")
    except _DAMAGE as error:
        raise BadArchive(f"damaged ({error})") from error


def _check(name: str, *, plain: bool) -> None:
    """Raises BadArchive unless the member is a plain file or folder that stays in the folder on every system."""
    if not plain:
        raise BadArchive(f"its member {name!r} is a link or a device")
    on_windows = PureWindowsPath(name)
    leaves = PurePosixPath(name).is_absolute() or on_windows.drive or on_windows.root or ".." in on_windows.parts
    if leaves or "\\" in name or "\0" in name:
        raise BadArchive(f"its member {name!r} would leave the folder")
