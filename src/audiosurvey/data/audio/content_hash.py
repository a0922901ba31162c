"""Hashes of the contents of sound files, cached between runs.

Hashes are kept in a small SQLite file in the cache and trusted as long as the file's size, times and inode are the
same. (Modification time and size alone would miss two files of equal size that change places, which is likely for
unpacked archives with their equal times.)
"""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.cache import cache_folder
from audiosurvey.data.audio.decoding import BadAudio, probe
from audiosurvey.data.audio.sound_file import Stamp, parts_of_file, stamp_of
from audiosurvey.data.kept_rows import KeptRows
from audiosurvey.data.readahead import ProgressCallback, cpu_count, in_order
from audiosurvey.plainfile import not_plain

_COLUMNS = ("path BLOB", "stamp TEXT", "digest TEXT", "seconds REAL")
_SMALL = 1 << 22
"""Bytes. Files up to this size are read once for their hash and their streams."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Content of one file: `digest` is a BLAKE2b of its bytes (32 hex digits)."""

    digest: str
    seconds: float | None
    """Length by its header; None where it is not a readable sound file or leaves the length open."""


def fingerprints(
    paths: Iterable[Path], workers: int | None = None, advance: ProgressCallback | None = None
) -> dict[Path, Fingerprint | None]:
    """The fingerprint of each file, computed where it is not cached; None where it cannot be opened.

    `advance` is called with the number of files that are read, and of all that have to be.
    """
    known: dict[Path, Fingerprint | None] = {}
    unknown: list[tuple[Path, Stamp]] = []
    with KeptRows(cache_folder() / "fingerprints.sqlite", "content", _COLUMNS) as kept:
        for path in dict.fromkeys(paths):
            stamp = stamp_of(path)
            known[path] = _found(kept, path, stamp) if stamp else None
            if stamp and known[path] is None:
                unknown.append((path, stamp))
        if unknown:
            threads = workers or min(cpu_count(), 16)
            read = in_order(_read, (path for path, _ in unknown), workers=threads, ahead=4 * threads)
            with contextlib.closing(read):
                for done, ((path, stamp), fingerprint) in enumerate(zip(unknown, read, strict=True), 1):
                    known[path] = fingerprint
                    # A file that changed while it was read is not cached.
                    if fingerprint and stamp_of(path) == stamp:
                        kept.keep(_key(path), repr(stamp), fingerprint.digest, fingerprint.seconds)
                    if advance:
                        advance(done, len(unknown))
    return known


def _read(path: Path) -> Fingerprint | None:
    stamp = stamp_of(path)
    if stamp is None or not_plain(path):
        return None
    try:
        with path.open("rb") as stream:
            content = stream.read(_SMALL)
            hashed = hashlib.blake2b(content, digest_size=16)
            while block := stream.read(1 << 20):
                content = b""
                hashed.update(block)
    except OSError:
        return None
    try:
        if 0 < len(content) == stamp[0]:
            parts_of_file(path, stamp, io.BytesIO(content))
        return Fingerprint(hashed.hexdigest(), probe(path).seconds)
    except BadAudio:
        return Fingerprint(hashed.hexdigest(), None)


def _found(kept: KeptRows, path: Path, stamp: Stamp) -> Fingerprint | None:
    row = kept.find(_key(path))
    return Fingerprint(*row[1:]) if row and row[0] == repr(stamp) else None


def _key(path: Path) -> bytes:
    # As bytes: a name on disk need not be valid text.
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100  (resolving links would cost a call per folder)
