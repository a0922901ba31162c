"""audiosurvey: train, compare and ship audio classifiers from one YAML file."""

from typing import TYPE_CHECKING, Any

from audiosurvey.version import __version__

if TYPE_CHECKING:
    from audiosurvey.artefact.load import load as load
    from audiosurvey.comparison.compare import compare as compare

__all__ = ["__version__", "compare", "load"]


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that `import audiosurvey` and the command line's --help do not wait for torch.
    if name == "load":
        from audiosurvey.artefact.load import load

        return load
    if name == "compare":
        from audiosurvey.comparison.compare import compare

        return compare
    raise AttributeError(f"module 'audiosurvey' has no attribute {name!r}")
