"""Recordings in earlier stores or an interrupted build, which are copied instead of decoded again.

Recordings are named by their content, so that those of one name, sample rate and mixing have equal samples.
"""

import heapq
import json
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from audiosurvey.data.audio.decoding import Mono

FORMAT = 2
"""Version of the store on disk, part of its key: a change of the format builds new stores."""
SAMPLES = "samples.i16"
INDEX = "index.json"
_MOST_STORES = 8
"""The newest ones are read."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class StoredRecording:
    """A recording in an open file of samples, in the form of a `Spool`."""

    file: BinaryIO
    begin: int
    samples: int
    scale: float
    digest: str | None

    def write_to(self, target: BinaryIO) -> str | None:
        """Appends the int16 samples to an open file; returns their hash. Raises OSError where the samples are gone."""
        self.file.seek(2 * self.begin)
        rest = 2 * self.samples
        while rest:
            block = self.file.read(min(rest, _BLOCK))
            if not block:
                raise OSError(f"{self.file.name}: shorter than before")
            target.write(block)
            rest -= len(block)
        return self.digest

    def __enter__(self) -> "StoredRecording":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing: the file is closed when all recordings are copied."""


def index_head(sample_rate: int, mono: Mono) -> dict[str, Any]:
    """The first entries of an index."""
    return {"format": FORMAT, "sample_rate": sample_rate, "mono": mono}


@contextmanager
def earlier_recordings(
    stores: Path, names: Collection[str], sample_rate: int, mono: Mono
) -> Iterator[dict[str, StoredRecording]]:
    """Those of the recordings `names` that lie in one of the newest stores of this rate and mixing, by name.

    Their files stay open in the block, so that removing these stores meanwhile does no harm.
    """
    head = json.dumps(index_head(sample_rate, mono))[:-1].encode()
    wanted, found = set(names), dict[str, StoredRecording]()
    with ExitStack() as stack:
        for folder in _newest(stores, head):
            if not wanted:
                break
            try:
                index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
                samples = stack.enter_context((folder / SAMPLES).open("rb"))
                if (folder / SAMPLES).stat().st_size < 2 * index["samples"]:
                    continue
                clips, digests = index["clips"], index["digests"]
                for name in wanted.intersection(clips):
                    begin, length, scale = clips[name]
                    found[name] = StoredRecording(samples, begin, length, scale, digests.get(name))
                    wanted.discard(name)
            except (OSError, ValueError, KeyError, TypeError):
                continue
        yield found


def _newest(stores: Path, head: bytes) -> list[Path]:
    """The newest folders whose index begins so."""
    found: list[tuple[float, Path]] = []
    for file in stores.glob(f"*/{INDEX}"):
        try:
            with file.open("rb") as stream:
                if stream.read(len(head)) == head:
                    found.append((file.stat().st_mtime, file.parent))
        except OSError:
            continue
    return [folder for _, folder in heapq.nlargest(_MOST_STORES, found)]
