"""Claims: no cell is trained by two processes, on one machine or on several that share a file system.

A claim is a file that exactly one process can create. Its owner touches it every few seconds; a claim that has not been
touched for a minute, or whose process on this machine has ended, may be taken over.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil
from filelock import FileLock

from audiosurvey.atomic import write_text
from audiosurvey.errors import UserError
from audiosurvey.runs.background import in_background
from audiosurvey.surveys.folder import read_if_there

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0


class ClaimLost(UserError):
    """Another process took this cell over, since this one had been silent for too long."""


@dataclass(frozen=True)
class Owner:
    """The process that has claimed a cell."""

    host: str
    """Name of the machine and, on Linux, the id of its start and of the process namespace."""
    pid: int
    born: float
    """When the process started: process ids are used again."""
    token: str

    @classmethod
    def this_process(cls) -> "Owner":
        return cls(this_host(), os.getpid(), psutil.Process().create_time(), secrets.token_hex(8))

    @classmethod
    def read(cls, path: Path) -> "Owner | None":
        """The owner named in a claim; None if there is no claim, or it cannot be read."""
        found = read_if_there(path) or {}
        try:
            return cls(**{name: found[name] for name in ("host", "pid", "born", "token")})  # pyright: ignore[reportArgumentType]
        except KeyError:
            return None

    @property
    def known_dead(self) -> bool:
        """Whether the process has ended, as far as this machine can tell."""
        if self.host != this_host():
            return False
        try:
            found = psutil.Process(self.pid)
            # Where no parent waits for it (containers without an init process), a process that has ended stays listed.
            return abs(found.create_time() - self.born) > 2 or found.status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False


def this_host() -> str:
    """Name of this machine; `AUDIOSURVEY_HOST` overrides it where several machines have one name."""
    parts = [os.environ.get("AUDIOSURVEY_HOST") or socket.gethostname()]
    # Machines and containers may share a name, but not their process ids.
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


class Claim:
    """A claim that this process holds."""

    def __init__(self, path: Path, owner: Owner, taken_over: bool) -> None:
        self.path, self.owner = path, owner
        self.taken_over = taken_over
        """Whether a process that died held it before."""

    @property
    def held(self) -> bool:
        """Whether no other process has taken the claim over."""
        return Owner.read(self.path) == self.owner

    def stop_hook(self, record: object, state: object) -> bool:
        """A stop hook of the training loop: whoever has lost a claim, as after a suspension, must not write on."""
        self.check()
        return False

    def check(self) -> None:
        """Raises ClaimLost if another process has taken the claim over."""
        if not self.held:
            raise ClaimLost(f"{self.path.parent}: another process trains this cell now")


@contextmanager
def claimed(path: Path) -> Iterator[Claim | None]:
    """Holds the claim at `path` during the block; None if another process that is alive holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    owner = Owner.this_process()
    claim = _create(path, owner) or _take_over(path, owner)
    if claim is None:
        yield None
        return
    try:
        with in_background(partial(_beat, path, owner)):
            yield claim
    finally:
        if Owner.read(path) == owner:
            with suppress(OSError):
                path.unlink()


def is_alive(path: Path) -> bool:
    """Whether there is a claim at `path` that must be respected."""
    owner = Owner.read(path)
    age = _age(path)
    if age is None:
        return False
    return age < STALE_SECONDS and not (owner is not None and owner.known_dead)


def _create(path: Path, owner: Owner, *, taken_over: bool = False) -> Claim | None:
    """Links a complete file to the name, which fails if it exists: a claim is never read while it is incomplete."""
    beside = path.with_name(f"{path.name}.{owner.token}")
    try:
        beside.write_text(json.dumps(asdict(owner)), encoding="utf-8")
        try:
            os.link(beside, path)
        except FileExistsError:
            return None
        except OSError:
            # No hard links here: exclusive creation, which is as safe but not as complete.
            try:
                with path.open("x", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(owner)))
            except FileExistsError:
                return None
        return Claim(path, owner, taken_over)
    finally:
        beside.unlink(missing_ok=True)


def _take_over(path: Path, owner: Owner) -> Claim | None:
    if is_alive(path):
        return None
    # One process at a time decides; the second finds a claim that is alive.
    with FileLock(path.with_name(path.name + ".lock")):
        if path.exists():
            if is_alive(path):
                return None
            write_text(path, json.dumps(asdict(owner)))
            return Claim(path, owner, taken_over=True)
        return _create(path, owner)


def _age(path: Path) -> float | None:
    """Seconds since the claim was last touched, by the clock of its file system; None if it is gone."""
    try:
        touched = path.stat().st_mtime
    except OSError:
        return None
    age = time.time() - touched
    if age < STALE_SECONDS / 2 and age > -STALE_SECONDS / 2:
        return age
    # The clocks of the machines may differ: ask the file system for the time.
    probe = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        probe.touch()
        return probe.stat().st_mtime - touched
    except OSError:
        return age
    finally:
        probe.unlink(missing_ok=True)


def _beat(path: Path, owner: Owner, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS) and Owner.read(path) == owner:
        with suppress(OSError):
            os.utime(path)
