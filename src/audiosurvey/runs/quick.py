"""`train --quick`: a tenth of the epochs on one fold, to see whether anything is learned. Its results are marked."""

from copy import deepcopy

from audiosurvey.config.loader import LoadedConfig, load_document
from audiosurvey.config.reading.document import Document
from audiosurvey.config.root import Config
from audiosurvey.training.settings import DEFAULT_EPOCHS

_SHARE = 10


def shortened(loaded: LoadedConfig) -> LoadedConfig:
    """The same config with a tenth of the epochs in each stage, and without early stopping. A probe stays as it is."""
    document = deepcopy(loaded.document)
    for name, stage in loaded.config.stages.items():
        if stage.head_only:
            continue
        _put(document, (name, "epochs"), max(1, round((stage.epochs or DEFAULT_EPOCHS) / _SHARE)))
        if stage.patience:
            _put(document, (name, "patience"), None)
    return load_document(document)


def epochs_of(config: Config) -> int:
    """The epochs that a whole run of this config trains: those of a marked result are a tenth of it."""
    return 1 if config.train.head_only else config.train.epochs or DEFAULT_EPOCHS


def _put(document: Document, path: tuple[str, str], value: int | None) -> None:
    if document.data.get(path[0]) is None:
        document.put(path[:1], {}, document.place(path))
    document.put(path, value, document.place(path))
