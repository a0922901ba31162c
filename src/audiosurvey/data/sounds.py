"""A data set, ready for use: its table without the clips that cannot be read, and its store."""

from dataclasses import dataclass, replace

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.division import divided
from audiosurvey.data.other.others import Others, divide_others
from audiosurvey.data.other.reading import is_other, other_clips
from audiosurvey.data.other.settings import other_section
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.store.store import Store, kept, prepare
from audiosurvey.data.table import Table


@dataclass(frozen=True)
class Sounds:
    """Config, table and store of a data set."""

    config: DatasetConfig
    table: Table
    store: Store
    """Of the clips and of the sounds of no class."""
    others: Others | None = None
    """Sounds of no class, if the config names any."""

    @property
    def window_samples(self) -> int:
        """Length of the network's input in samples."""
        return round(self.config.resolved_clip_seconds() * self.store.sample_rate)


def prepare_sounds(
    dataset: DatasetConfig,
    sample_rate: int,
    *,
    divide: bool = True,
    workers: int | None = None,
    progress: ProgressCallback | None = None,
) -> Sounds:
    """Reads the table and builds the store if necessary; unreadable clips are left out.

    Without `divide`, no folds are made where the data has none, and sounds of no class are not read: enough for
    evaluating a trained model. Raises UserError for a class that cannot be trained and tested without the unreadable
    files.
    """
    table = load_table(dataset, divide=divide, make_folds=False)
    other = other_section(dataset.other) if divide else None
    added = () if other is None else other_clips(other, dataset.columns)
    whole = replace(table, clips=(*table.clips, *added))
    store = prepare(
        whole, sample_rate=sample_rate, mono=dataset.mono, folder=dataset.store, workers=workers, progress=progress
    )
    skipped = {skip.id: skip for skip in store.skipped}
    store.skipped = tuple(skip for skip in store.skipped if not is_other(skip.id))
    usable = kept(table, store)
    if not divide:
        return Sounds(dataset, usable, store)
    usable = divided(table, usable, store, dataset.num_folds)
    others = None
    if other is not None:
        readable = [clip for clip in added if clip.id not in skipped]
        lost = [skip for name, skip in skipped.items() if is_other(name)]
        others = divide_others(other, readable, usable, store, lost)
        usable = replace(usable, notes=(*usable.notes, *others.notes))
    final = {clip.id: clip for clip in (*usable.clips, *(others.clips if others else ()))}
    store.rehash(replace(whole, clips=tuple(final.get(clip.id, clip) for clip in whole.clips)))
    return Sounds(dataset, usable, store, others)
