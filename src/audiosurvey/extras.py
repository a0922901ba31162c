"""Optional packages: messages that name the extra to install."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from audiosurvey.errors import UserError


def require_installed(*packages: str, extra: str) -> None:
    """Raise UserError, naming the extra, if one of these packages is not installed."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise UserError(f"{', '.join(missing)}: not installed; pip install 'audiosurvey[{extra}]'")


@contextmanager
def matching_torch(package: str) -> Iterator[None]:
    """Raise UserError, naming both versions, if `package` is installed but fails to import with this torch."""
    try:
        yield
    # Libraries built for another torch fail in any of these ways.
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(
            f"{package} {_version(package)}: does not work with torch {_version('torch')} ({reason}); "
            f"install a release of {package} made for this torch"
        ) from error


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"
