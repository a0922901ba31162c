"""A built-in data set as one object: everything that is specific to it.

To add one, write a module in this folder with a `DatasetSpec` called `SPEC`, and add the module's name to
`registry.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from audiosurvey.data.download.datasets import Archive
from audiosurvey.data.table import Table


def _no_subset(root: Path) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec:
    """Reader, facts and download of one data set."""

    name: str
    """The value of `dataset.name`, and the name of the module."""
    root: Path
    """Where the data set lies unless `dataset.root` says otherwise."""
    clip_seconds: float
    """Default of `dataset.clip_seconds`."""
    classes: tuple[str, ...]
    """In the order of the network's outputs."""
    read: Callable[[Path, str | None], Table]
    """The table of the data set at a root, or of one of its subsets: clips with labels, folds or sides, and sources.
    `Table.official` says whether it is whole and as published. Raises UserError for faulty data."""
    subsets: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Classes of each value of `dataset.subset`."""
    marker: Path | None = None
    """A file below the root by which a folder is recognised as this data set; None: it is not recognised."""
    subset_at: Callable[[Path], str | None] = _no_subset
    """The subset that a recognised root holds; None for the whole set."""
    published: bool = True
    """Whether its authors defined folds or a split, so that complete runs compare with the literature."""
    generated: bool = False
    """Whether `read` creates the data set where it is missing."""
    archive: Archive | None = None
    """What `audiosurvey download` fetches; None where it cannot."""
    spread_sources: frozenset[str] = frozenset()
    """Recordings that the authors put in more than one fold."""
    twin_sources: frozenset[str] = frozenset()
    """Recordings that overlap with a recording of another name in another fold, as published."""
    sample_rate: int = 32_000
    """Hz, for the config that `audiosurvey init` writes."""
    starter_lines: tuple[tuple[str, str], ...] = ()
    """Commented-out keys of the section `dataset` in that config, each with its explanation."""
    hub: str | None = None
    """Its copy on the Hugging Face Hub, linked from model cards."""

    @property
    def how_to_get(self) -> str:
        """What to do where the data is missing, as part of a message."""
        return f"run 'audiosurvey download {self.name}'" if self.archive else f"get {self.name} from its authors"
