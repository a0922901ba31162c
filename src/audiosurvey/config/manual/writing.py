"""`audiosurvey init`: looks at the data, and writes a starter config with values that suit it."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.atomic import write_text
from audiosurvey.config.manual.starter import starter, starter_values
from audiosurvey.config.presets import preset_document
from audiosurvey.config.reading.document import Document
from audiosurvey.config.reading.faults import refuse
from audiosurvey.config.reading.overrides import override, override_value
from audiosurvey.config.suited import Choice, few_clips, suited_values, suited_windows
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.layout import TABLES, dataset_at
from audiosurvey.data.profile import DataProfile, about, event_seconds, profile_data
from audiosurvey.data.sets.registry import OWN
from audiosurvey.errors import ArgumentError, not_written
from audiosurvey.targets import check_target

if TYPE_CHECKING:
    from audiosurvey.config.loader import Overrides

Key = tuple[str, ...]
_DEFAULT_DATASET = "esc50"


@dataclass(frozen=True)
class Starter:
    """A starter config that was written."""

    path: Path
    dataset: str
    about: str | None
    """The data in a few words; None if it was not looked at."""
    note: str | None = None
    """Why the data was not looked at, where it should have been."""
    advice: str | None = None
    """What may serve better than this config, where there are few clips."""


def write_starter(
    path: Path,
    dataset: str | None = None,
    preset: str | None = None,
    *,
    root: Path | None = None,
    overrides: "Overrides" = (),
    force: bool = False,
) -> Starter:
    """Writes a starter config. Your own data is looked at, if it is there: the headers of its files and its table.

    `dataset`: default: what lies at `root`, or esc50 without one. `root`: a folder, or the CSV file of a table;
    default: `sounds`, or `recordings` for raven. Raises UserError for an unknown data set or preset, for data that
    cannot be read, for bad `overrides` (`KEY=VALUE`), and for a `path` that must not be written.
    """
    check_target(None, path, force=force)
    if root is not None and not root.exists():
        raise ArgumentError(f"{{root}}: {root.as_posix()}: no such file or folder", root=...)
    name = dataset or (dataset_at(root).name if root else _DEFAULT_DATASET)
    values = starter_values(name, preset)
    if root is not None:
        _put_root(values["dataset"], root)
    document, config = _overridden(values, starter(name, preset, values=values), path, overrides)
    seen, reasons, note = None, dict[Key, str](), None
    if "spec" not in document.data["dataset"]:
        name = config.name
    if name in OWN:
        seen, reasons, note = _look(config, document.data, _given(overrides), preset, must=root is not None)
    told = about(seen) if seen else None
    text = starter(name, preset, values=document.data, reasons=reasons, about=told or "")
    try:
        write_text(path, text)
    except OSError as error:
        raise not_written(error, f"{path}: cannot be written ({error.strerror}); give another path") from None
    advice = _advice(path, root) if seen and preset is None and not overrides and few_clips(seen) else None
    return Starter(path, name, told, note, advice)


def _advice(path: Path, root: Path | None) -> str:
    place = f" --root {shlex.quote(root.as_posix())}" if root else ""
    command = f"audiosurvey init {shlex.quote(path.as_posix())}{place} --preset probe-mn04 --force"
    return f"few clips to train a network from scratch; a pretrained network needs about a minute: {command}"


def _put_root(section: dict[str, Any], root: Path) -> None:
    if root.is_file():
        if root.suffix.lower() not in TABLES:
            raise ArgumentError(f"{{root}}: {root.as_posix()}: is a file; expected a folder, or a CSV file", root=...)
        section |= {"root": root.parent.as_posix(), "table": root.as_posix()}
        return
    section["root"] = root.as_posix()
    if section.get("name") == "csv":
        # The only CSV file in the folder.
        del section["table"]


def _overridden(
    values: dict[str, Any], text: str, path: Path, overrides: "Overrides"
) -> tuple[Document, DatasetConfig]:
    """The values with `overrides`, and the section `dataset` that they make. Raises UserError for a bad override."""
    document = Document(str(path), values)
    for word in overrides:
        if isinstance(overrides, Mapping):
            document.override_word = "overrides"
            override_value(document, word, overrides[word])
        else:
            override(document, word)
    refuse(document, ())
    if overrides or "spec" in values["dataset"]:
        # The whole config is read only where something was changed, or a file describes the data: it loads torch.
        from audiosurvey.config.loader import load_text

        return document, load_text(text, str(path), overrides).config.dataset
    return document, DatasetConfig.model_validate(values["dataset"])


def _look(
    config: DatasetConfig, values: dict[str, Any], given: set[Key], preset: str | None, *, must: bool
) -> tuple[DataProfile | None, dict[Key, str], str | None]:
    """Looks at the data and puts what suits it into `values`: the profile, the reasons, or why it was not looked at."""
    place = config.table if config.root is None and config.table else config.resolved_root()
    if not must and not place.exists():
        mend = "give --root FOLDER to have the values chosen for your data"
        return None, {}, f"{place.as_posix()}: not there, so the values are general ones; {mend}"
    reasons: dict[Key, str] = {}
    if _is_free(("dataset", "title"), given):
        title = place.resolve().stem if place.is_file() else place.resolve().name
        values["dataset"] = {"name": config.name, "title": title, **values["dataset"]}
        reasons["dataset", "title"] = "what tables, pictures, pages and model cards call the data"
    section = values["dataset"]

    def put(chosen: Mapping[Key, Choice]) -> None:
        for key, choice in chosen.items():
            if _is_free(key, given) and _put(values, key, choice.value):
                reasons[key] = choice.reason

    if config.name == "raven" and (lengths := event_seconds(config)):
        put(suited_windows(lengths))
        config = DatasetConfig.model_validate(section)
    seen = profile_data(config)
    if seen.source_pattern and _is_free(("dataset", "source_pattern"), given):
        section["source_pattern"] = seen.source_pattern
        reasons["dataset", "source_pattern"] = (
            "names look like cuts of recordings, which stay together so; else remove it"
        )
        seen = profile_data(DatasetConfig.model_validate(section))
    if seen.divided:
        section.pop("num_folds", None)
    batch_size = values.get("train", {}).get("batch_size") if ("train", "batch_size") in given else None
    hop_s = values.get("mel_spectrogram", {}).get("hop_length", 0.01)
    suited = suited_values(seen, batch_size, hop_s)
    put({key: choice for key, choice in suited.items() if not _of_preset(key, preset, values, choice.value)})
    if values.get("train", {}).get("crop_seconds", 0) >= section.get("clip_seconds", float("inf")):
        # Clips are no longer than the sections that the recipe trains on.
        del values["train"]["crop_seconds"]
    return seen, reasons, None


def _given(overrides: "Overrides") -> set[Key]:
    return {tuple(word.partition("=")[0].strip().split(".")) for word in overrides}


def _is_free(key: Key, given: set[Key]) -> bool:
    """Whether neither the key nor a section around it was given."""
    return not any(key[:depth] in given for depth in range(1, len(key) + 1))


def _put(values: dict[str, Any], key: Key, value: Any) -> bool:
    """Sets a key, if the section that it stands in is there."""
    node: Any = values
    for part in key[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict):
        return False
    node[key[-1]] = value
    return True


def _of_preset(key: Key, preset: str | None, values: dict[str, Any], value: Any) -> bool:
    """Whether a preset settles this key: by a section of its own, or by the front end of its weights."""
    if preset is None or key[0] == "dataset":
        return False
    given = preset_document(preset).data
    train = given.get("train", {})
    if key[-1] == "tmp":
        # Masks of a recipe for longer clips may not fit.
        return values.get("augmentation", {}).get("time_masking", {}).get("tmp", 0) <= value
    if key[0] == "sample_rate" and (given.get("model") or {}).get("init"):
        return True
    if key[-1] == "sampling":
        return bool(train.get("head_only")) or "sampling" in train
    return key[0] in given or (key[0] == "augmentation" and "sample_rate" in given)
