"""Counter-based random streams: what is drawn for a clip depends on names, never on order.

A stream is named by whatever identifies the draw, for augmentation (seed, epoch, clip id, operation). Two streams
of different names are independent; the same name gives the same numbers on every machine, in any thread, in any
order. Nothing in the package draws from a global generator.
"""

import hashlib

import numpy as np


def stream(*name: str | int) -> np.random.Generator:
    """The random generator of this name: `stream(seed, epoch, clip.id, "noise")`.

    Philox keyed by a 128-bit BLAKE2b digest of the name. Making one takes about 15 microseconds.
    """
    return np.random.Generator(np.random.Philox(key=_digest(name)))


def torch_seed(*name: str | int) -> int:
    """A seed for torch's generator, by the same rule (63 bits, so that every backend takes it)."""
    return _digest(name) & (2**63 - 1)


def _digest(name: tuple[str | int, ...]) -> int:
    # Length-prefixing keeps ("ab", "c") apart from ("a", "bc"); the type letter keeps 1 apart from "1".
    text = "".join(f"{type(part).__name__[0]}{len(str(part))}:{part}" for part in name)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")
