"""A data set, ready for use: its table without the clips that cannot be read, and its store."""

from dataclasses import dataclass, replace

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.division import divided
from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.data.store.store import Store, kept, prepare
from audiosurvey.data.table import Table


@dataclass(frozen=True)
class Sounds:
    """Config, table and store of a data set."""

    config: DatasetConfig
    table: Table
    store: Store

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

    Without `divide`, no folds are made where the data has none: enough for evaluating a trained model.
    Raises UserError for a class that cannot be trained and tested without the unreadable files.
    """
    table = load_table(dataset, divide=divide, make_folds=False)
    store = prepare(
        table, sample_rate=sample_rate, mono=dataset.mono, folder=dataset.store, workers=workers, progress=progress
    )
    usable = kept(table, store)
    if divide:
        usable = divided(table, usable, store, dataset.num_folds)
        folds = {clip.id: clip for clip in usable.clips}
        store.rehash(replace(table, clips=tuple(folds.get(clip.id, clip) for clip in table.clips)))
    return Sounds(dataset, usable, store)
