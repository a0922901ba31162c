"""The config that stands in a folder of ours, a run or a model, read back as it was written."""

from pathlib import Path

from audiosurvey.config.document import read
from audiosurvey.config.faults import lines
from audiosurvey.config.root import Config
from audiosurvey.config.validate import validate
from audiosurvey.errors import UserError


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
    checked = validate(Config, document)
    if found := lines(document, checked.faults):
        first, *others = found
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(f"{first}{more}; {mend}")
    assert checked.config is not None, "a config without a fault is one"
    return checked.config.resolved()
