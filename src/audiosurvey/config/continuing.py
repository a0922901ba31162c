"""The config with which a run of an earlier version is resumed.

Defaults change from version to version. A config file that leaves them out would name another experiment after an
update, though nobody changed it.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

from audiosurvey.config.loader import LoadedConfig, load_document
from audiosurvey.config.reading.document import read
from audiosurvey.config.stored import keep_meaning
from audiosurvey.errors import UserError
from audiosurvey.features.earlier import is_earlier

_CHANGED = (("augmentation",), ("augmentation", "shorten"), ("dataset", "pad"))
"""Keys whose defaults are others now than when `augmentation.shorten` did not exist."""


def continued(loaded: LoadedConfig, stored: Path) -> LoadedConfig:
    """The same config, with the defaults of the run whose resolved config is in `stored`.

    Only defaults that have changed since an earlier version wrote it, and only where the config gives no value. A file
    that is missing or damaged changes nothing: the run folder refuses it.
    """
    try:
        run = read(stored.read_bytes(), str(stored))
    except (OSError, UserError):
        return loaded
    if not is_earlier(run.data):
        return loaded
    keep_meaning(run)
    document = deepcopy(loaded.document)
    for path in _CHANGED:
        given, kept = _section(document.data, path), _section(run.data, path)
        if given is not None and path[-1] not in given and kept is not None and path[-1] in kept:
            document.put(path, kept[path[-1]], document.place(path))
    return load_document(document)


def _section(data: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
    """The section that holds the key at `path`; None where there is none."""
    section = data if len(path) == 1 else data.get(path[0])
    return section if isinstance(section, dict) else None
