"""The built-in data sets. Each is a module of this folder with a `SPEC`, which is imported when it is needed."""

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from audiosurvey.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from audiosurvey.data.download.datasets import Archive
    from audiosurvey.data.sets.spec import DatasetSpec

BUILT_IN = (
    "esc50",
    "urbansound8k",
    "toy",
)
"""To add a data set, add the name of its module here."""
OWN = ("folder", "csv", "raven")
"""Values of `dataset.name` for the user's own data."""


@cache
def spec_of(name: str) -> "DatasetSpec | None":
    """The spec of a built-in data set; None for any other name."""
    return import_module(f"audiosurvey.data.sets.{name}").SPEC if name in BUILT_IN else None


def default_root(name: str) -> "Path | None":
    """Where a built-in data set lies if `dataset.root` does not say; None for your own data."""
    spec = spec_of(name)
    return None if spec is None else spec.root


def specs() -> "list[DatasetSpec]":
    """All built-in data sets, in the order in which they are registered."""
    return [spec for name in BUILT_IN if (spec := spec_of(name))]


def downloadable(name: str) -> "tuple[DatasetSpec, Archive]":
    """The spec of a data set that can be downloaded, and its archive. Raises UserError for any other name."""
    known = {spec.name: (spec, spec.archive) for spec in specs() if spec.archive}
    if name not in known:
        raise UserError(f"{name}: not a data set that can be downloaded; choose one of {', '.join(known)}")
    return known[name]


def is_published(name: str) -> bool:
    """Whether complete runs on the data set of this name compare with the literature."""
    spec = spec_of(name)
    return spec is not None and spec.published
