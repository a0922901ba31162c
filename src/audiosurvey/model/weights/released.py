"""From `model.init` to a place on disk: weights by name, address or path. What is fetched is kept in the cache."""

import hashlib
from difflib import get_close_matches
from pathlib import Path

from filelock import FileLock

from audiosurvey.cache import cache_folder
from audiosurvey.data.download.fetch import discard, fetch
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.errors import UserError
from audiosurvey.model.encoders.hub_folder import PREFIX, cached_folder, weights_folder
from audiosurvey.model.encoders.model_file import is_model_file
from audiosurvey.model.weights import ced, efficientat, panns_checkpoint
from audiosurvey.model.weights.family import Released

RELEASED: dict[str, Released] = {**efficientat.RELEASED, **panns_checkpoint.RELEASED, **ced.RELEASED}
"""Weights that `model.init` takes by name."""


def released(init: str) -> Released | None:
    """What is published under this name, or as a file of this file's name."""
    if init in RELEASED:
        return RELEASED[init]
    file = init.split("?")[0].replace("\\", "/").rsplit("/", 1)[-1].replace("%3D", "=")
    return next((found for found in RELEASED.values() if found.file == file), None)


def name_of(sha256: str) -> str | None:
    """The name under which a file of this digest is published."""
    return next((name for name, found in RELEASED.items() if found.digest == f"sha256:{sha256}"), None)


def on_disk(init: str) -> Path | None:
    """Where these weights are, if they are here; fetches nothing."""
    if init.startswith(PREFIX):
        return cached_folder(init)
    try:
        path = _cached(init) or Path(init).expanduser()
        return path if path.exists() else None
    except (OSError, ValueError, RuntimeError):  # RuntimeError: `~name` of no user
        return None


def locate(init: str, progress: ProgressCallback | None = None, *, tries: int = 3, pause_s: float = 1.0) -> Path:
    """The file or folder of these weights, fetched where they are a name or an address and not in the cache.

    Raises UserError in one line: no such file or name, no network, or other content than was published.
    """
    if init.startswith(PREFIX):
        return weights_folder(init)
    found, cached = on_disk(init), _cached(init)
    if cached is None:
        if found is None:
            raise UserError(f"model.init: {missing_weights(init)}")
        return found
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(cached.with_name(cached.name + ".lock")):
            if not cached.exists():
                _fetch(init, cached, progress, tries, pause_s)
    except OSError as error:
        raise UserError(f"{cached.parent}: cannot be written ({error.strerror or error})") from error
    return cached


def _fetch(init: str, target: Path, progress: ProgressCallback | None, tries: int, pause_s: float) -> None:
    known = RELEASED.get(init)
    part = target.with_name(target.name + ".part")
    try:
        fetch(known.url if known else init, part, tries=tries, pause_s=pause_s, progress=progress)
    except UserError as error:
        raise UserError(f"model.init: {error}; without a network, put the file at {target}") from None
    if known and known.digest:
        kind = known.digest.split(":")[0]
        with part.open("rb") as file:
            found = hashlib.file_digest(file, kind).hexdigest()
        if known.digest != f"{kind}:{found}":
            discard(part)
            raise UserError(f"model.init: {init}: the download has the wrong checksum ({kind} {found}); it was removed")
    part.replace(target)
    discard(part)  # its note


def _cached(init: str) -> Path | None:
    """Where a name or an address is kept; None for a path."""
    if init in RELEASED:
        return cache_folder() / "weights" / RELEASED[init].file
    if init.lower().startswith(("http://", "https://")):
        address = hashlib.sha256(init.encode()).hexdigest()[:12]
        return cache_folder() / "weights" / f"{address}-{init.split('?')[0].rsplit('/', 1)[-1]}"
    return None


def missing_weights(init: str) -> str | None:
    """What to say where this is neither a name, nor an address, nor a file or folder that is there; None otherwise."""
    if init.startswith(PREFIX) or _cached(init) is not None or on_disk(init) is not None:
        return None
    if is_model_file(init):
        place = "no such file (relative to the working directory)"
        return f"{init}: {place}; if the encoder's file was moved, put it back, or set model.init to its new place"
    return f"{init}: no such file or folder, and no weights of that name{_near(init)}"


def misnamed(init: str) -> str | None:
    """What to say where this looks like a name and is none; None otherwise."""
    families = {name.split("/")[0] for name in RELEASED}
    if init in RELEASED or "/" not in init or init.split("/")[0] not in families or on_disk(init):
        return None
    return f"{init}: no weights of that name{_near(init)}"


def _near(init: str) -> str:
    close = get_close_matches(init, RELEASED, n=1)
    return f"; did you mean {close[0]}?" if close else f" (names are such as {next(iter(RELEASED))})"
