"""Optional packages: one line that says which extra brings what is missing."""

from importlib.util import find_spec

from audiosurvey.errors import UserError


def needed(*packages: str, extra: str) -> None:
    """Raises UserError, naming the extra, where one of these packages is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)}: not installed; pip install 'audiosurvey[{extra}]'")
