"""The config stored in a run or model folder, read back as it was written."""

from pathlib import Path

from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.config.reading.document import Document, read
from audiosurvey.config.reading.faults import lines
from audiosurvey.config.reading.validate import validate
from audiosurvey.config.root import Config
from audiosurvey.errors import UserError
from audiosurvey.features.earlier import earlier_mel, is_earlier

_ALWAYS_THERE = ("dataset", "train", "model", "seed", "tracking")
"""Keys that every version has written into a resolved config, `tracking` the last."""
_SINCE_SHORTEN = {"low_pass", "clipping", "shorten"}
"""Operations that came with `augmentation.shorten`, or after it."""


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
        raise UserError(f"{path}: truncated, because it has no {missing[0]}; {mend}")
    keep_meaning(document)
    checked = validate(Config, document)
    if found := lines(document, checked.faults):
        first, *others = found
        more = f" (and {len(others)} more)" if others else ""
        raise UserError(f"{first}{more}; {mend}")
    assert checked.config is not None, "a config without a fault is one"
    return checked.config.resolved()


def keep_meaning(document: Document) -> None:
    """Changes a resolved config of an earlier version so that it means today what it meant when it was written.

    Shortening, which is on by default, is off; the front end keeps its values; and UrbanSound8K is padded with zeros
    where `pretrain_urban` chose it, whose `pad` no resolved config holds.
    """
    if not is_earlier(document.data):
        return
    document.put(("augmentation", "shorten"), {"p": 0.0}, document.place(("augmentation",)))
    mel = document.data.get("mel_spectrogram")
    if isinstance(mel, dict):
        for key, value in earlier_mel(mel).items():
            if mel.get(key) != value:
                document.put(("mel_spectrogram", key), value, document.place(("mel_spectrogram", key)))
    pretrain = document.data.get("pretrain")
    if document.data.get("pretrain_urban") is True and isinstance(pretrain, dict) and pretrain.get("dataset") is None:
        urban = {"name": "urbansound8k", "pad": "zeros"}
        document.put(("pretrain", "dataset"), urban, document.place(("pretrain_urban",)))


def is_resolved(document: Document) -> bool:
    """Whether it has the keys that every resolved config of a recent version has, and that nobody writes by hand."""
    operations = AugmentationConfig.model_fields.keys() - _SINCE_SHORTEN
    augmentation = document.data.get("augmentation")
    complete = isinstance(augmentation, dict) and augmentation.keys() >= operations
    return complete and all(key in document.data for key in _ALWAYS_THERE)
