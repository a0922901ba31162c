"""The config that stands in a folder of ours, a run or a model, read back as it was written."""

from pathlib import Path

from audiosurvey.config.document import read
from audiosurvey.config.faults import lines
from audiosurvey.config.root import Config
from audiosurvey.config.validate import validate
from audiosurvey.errors import UserError

_ALWAYS_THERE = ("dataset", "train", "model", "seed", "tracking")
"""Keys that every version has written into a resolved config, `tracking` the last."""


def read_stored(path: Path, mend: str) -> Config:
    """The resolved config in `path`. Raises UserError, in one line with this mend, where it cannot be read: it is
    damaged, or has keys of another version.

    What it names on disk (data, weights) is not looked at.
    """
    try:
        document = read(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise UserError(f"{path}: is missing; {mend}") from None
    except UserError as error:
        raise UserError(f"{error}; {mend}") from None
    if missing := [key for key in _ALWAYS_THERE if key not in document.data]:
        # What is left may well be a valid config: every key has a default.
        raise UserError(f"{path}: cut off, for it has no {missing[0]}; {mend}")
    checked = validate(Config, document)
    if found := lines(document, checked.faults):
        first, *others = found
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(f"{first}{more}; {mend}")
    assert checked.config is not None, "a config without a fault is one"
    return checked.config.resolved()
