"""The `dataset` section of the config, and `load_table`, which turns it into a table."""

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationInfo, field_validator

from audiosurvey.data.annotations.windowing import WindowsConfig
from audiosurvey.data.audio.windows import Pad
from audiosurvey.data.names import composed
from audiosurvey.data.other.settings import OtherConfig, other_section
from audiosurvey.data.sets.classes import kept_classes, select_classes, unknown_classes
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.csv_table import read_csv
from audiosurvey.data.sets.folder import deeper_classes, read_folder
from audiosurvey.data.sets.ignore import without_ignored
from audiosurvey.data.sets.missing import look_for_files
from audiosurvey.data.sets.raven import read_raven
from audiosurvey.data.sets.registry import BUILT_IN, OWN, default_root, spec_of, specs
from audiosurvey.data.sets.set_facts import SetFacts, SetSpec
from audiosurvey.data.splits.folds import assign_folds, note_spread_recordings
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError
from audiosurvey.section import Section

if TYPE_CHECKING:
    Name = Subset = str
else:
    Name = Literal[(*BUILT_IN, *OWN)]
    Subset = Literal[tuple(dict.fromkeys(subset for spec in specs() for subset in spec.subsets))]

DEFAULT_CLIP_SECONDS = 5.0
_NUM_FOLDS = 5
_LONGEST_CLIP_SECONDS = 300.0
# Options that apply to some data sets only.
_APPLIES_TO: dict[str, tuple[str, ...]] = {
    "subset": tuple(spec.name for spec in specs() if spec.subsets),
    "num_folds": OWN,
    "source_pattern": ("folder",),
    "table": ("csv", "raven"),
    "columns": ("csv",),
    "label_separator": ("csv",),
    "multi_label": ("csv",),
    "windows": ("csv", "raven"),
    "spec": ("csv",),
    "licence": OWN,
    "title": OWN,
}


HEARD = ("clip_seconds", "pad", "mono")
"""Keys on how the clips are heard. All others say which clips, labels and folds there are, or where they are stored."""


class DatasetConfig(Section):
    """The data set: its clips, folds and labels."""

    name: Name = "esc50"
    """`esc50` or `urbansound8k`; `folder`: one folder per class; `csv`: a table of clips; `raven`: recordings with
    selection tables of Raven beside them, cut into `windows`; `toy`: synthetic sounds, generated when missing."""
    root: Path | None = None
    """Folder of the data set, relative to the working directory. null: data/ESC-50, data/UrbanSound8K or data/toy."""
    subset: Subset | None = None
    """`esc10`: the 400 clips of ESC-50 that form ESC-10."""
    clip_seconds: float | None = None
    """Window length in seconds, at most 300: shorter clips are padded, longer ones are cut into windows. null: 4 for
    urbansound8k, 1 for toy, `windows.seconds` if given, otherwise 5."""
    pad: Pad = "repeat"
    """Padding of clips shorter than the window: `repeat` repeats the clip, `zeros` appends silence."""
    mono: Literal["mean", "left", "loudest"] = "mean"
    """Downmix to mono: the mean of all channels, the first channel, or the one with the most energy."""
    store: Path | None = None
    """Folder for decoded audio. null: the user's cache folder."""
    classes: list[str] | None = None
    """Classes to keep, in any order; null for all. Clips without any of them are dropped, except with `multi_label`."""
    exclude_classes: list[str] | None = None
    """Classes to drop. Their clips are dropped too, except with `multi_label`."""
    ignore: Path | None = None
    """List of clips to exclude, as written by `audiosurvey doctor --quarantine`: one line per clip with its id, a tab
    and the reason. Relative to the working directory or to `root`."""
    num_folds: int = _NUM_FOLDS
    """Number of folds to create if the data has none: stratified by class and grouped by recording."""
    source_pattern: str | None = None
    """Regular expression whose first group (or whole match) in the file name is the source recording, such as `^(.+?)_`
    for `rec07_0012.wav`. Clips of the same recording are never split."""
    table: Path | None = None
    """The CSV file, relative to the working directory or to `root`. null: the only CSV file in `root`. With `raven`, a
    table that names its recordings; null: the tables beside the recordings."""
    columns: ColumnsConfig = ColumnsConfig()
    label_separator: str = "|"
    """Separator of several labels in one cell. A list in brackets, such as `['a', 'b']`, is also accepted."""
    multi_label: bool | None = None
    """true: clips can have any number of labels, even none, and clips without any of `dataset.classes` are kept as
    negatives; false: one label per clip. null: true if any row has several labels."""
    windows: WindowsConfig | None = None
    """Windows of annotated recordings: required for `raven`, optional for `csv`, where rows with start and end are
    then events instead of clips."""
    other: Path | OtherConfig | None = None
    """Sounds that belong to none of the classes, so that the model can say `unknown`. A path alone is a folder or a
    table of them."""
    title: str | None = None
    """Name of your own data, which tables, pictures, pages and model cards show. null: `folder`, `csv` or `raven`."""
    licence: str | None = None
    """Licence of the audio, such as `CC BY 4.0`: shown with every result, and applied to the model. null: unknown.
    Public data sets have a known licence."""
    spec: SetSpec = None
    """A file that describes a published data set with a table, `spec: commands.yaml`. It gives `name`, `table` and
    `columns`, and `root`, its folder, where that is not set. Its contents become part of the stored config, here its
    facts: `name`, `title`, `citation`, `url`, `official`, `classes`, `clips` and `table_sha256`."""

    @field_validator(*_APPLIES_TO)
    @classmethod
    def _applies(cls, value: Any, info: ValidationInfo) -> Any:
        field, name = str(info.field_name), info.data.get("name")
        if name is None or name in _APPLIES_TO[field] or value == cls.model_fields[field].default:
            return value
        raise ValueError(f"applies to name: {' or '.join(_APPLIES_TO[field])}, not to {name}")

    @field_validator("subset")
    @classmethod
    def _of_this_set(cls, value: str | None, info: ValidationInfo) -> str | None:
        spec = spec_of(info.data.get("name") or "")
        if value is not None and spec and value not in spec.subsets:
            raise ValueError(f"{spec.name} has no subset {value}; it has {', '.join(spec.subsets)}")
        return value

    @field_validator("root")
    @classmethod
    def _folder_needs_root(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        name = info.data.get("name")
        holds = {"folder": "one folder per class", "raven": "the recordings and their tables"}
        if value is None and name in holds:
            raise ValueError(f"needed for name: {name}; the folder that holds {holds[name]}")
        return value

    @field_validator("windows")
    @classmethod
    def _raven_needs_windows(cls, value: WindowsConfig | None, info: ValidationInfo) -> WindowsConfig | None:
        if value is None and info.data.get("name") == "raven":
            raise ValueError("needed for name: raven; such as windows: {seconds: 5}")
        if value is not None and info.data.get("multi_label") is False:
            raise ValueError("a window can have several labels; leave dataset.multi_label out")
        return value

    @field_validator("table")
    @classmethod
    def _csv_needs_place(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("name") == "csv" and info.data.get("root", Path()) is None:
            raise ValueError("needed for name: csv; the CSV file, or set root to its folder")
        return value

    @field_validator("clip_seconds")
    @classmethod
    def _some_length(cls, value: float | None) -> float | None:
        if value is not None and value <= 0:
            raise ValueError(f"{value:g} is not a length; expected more than 0 seconds")
        if value is not None and value > _LONGEST_CLIP_SECONDS:
            raise ValueError(
                f"{value:g} seconds are too long; the unit is seconds ({value:g} ms are {value / 1000:g}), at most "
                f"{_LONGEST_CLIP_SECONDS:g}; longer sounds are cut into windows"
            )
        return value

    @field_validator("other")
    @classmethod
    def _as_section(cls, value: Path | OtherConfig | None) -> OtherConfig | None:
        return other_section(value)

    @field_validator("num_folds")
    @classmethod
    def _two_folds(cls, value: int) -> int:
        if value < 2:
            raise ValueError("at least 2 folds are needed, one to train on and one to test")
        return value

    @field_validator("label_separator")
    @classmethod
    def _some_separator(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("spaces occur inside labels; use a separator such as | or ;")
        return value

    @field_validator("source_pattern")
    @classmethod
    def _valid_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value

    @field_validator("classes", "exclude_classes", mode="before")
    @classmethod
    def _as_names(cls, value: Any) -> Any:
        # In YAML, class folders called 0, 1, 2 are written as numbers.
        if not isinstance(value, list):
            return value
        names = [str(item) if isinstance(item, int) and not isinstance(item, bool) else item for item in value]
        return [composed(name) if isinstance(name, str) else name for name in names]

    @field_validator("classes", "exclude_classes")
    @classmethod
    def _known_classes(cls, value: list[str] | None, info: ValidationInfo) -> list[str] | None:
        if value is None:
            return value
        if info.field_name == "classes" and not value:
            raise ValueError("no class is left; leave the key out for all classes")
        if twice := sorted({name for name in value if value.count(name) > 1}):
            raise ValueError(f"'{twice[0]}' is listed twice")
        known = _all_classes(info.data.get("name"), info.data.get("subset"))
        if known is not None and (unknown := unknown_classes(value, known)):
            raise ValueError("; ".join(unknown))
        if both := sorted(set(value) & set(info.data.get("classes") or ())) if info.field_name != "classes" else []:
            raise ValueError(f"'{both[0]}' is in dataset.classes too")
        return value

    def resolved_root(self) -> Path:
        """The folder of the data set; for a csv without one, the folder of its table."""
        if self.root is not None:
            return self.root.expanduser()
        return default_root(self.name) or self.resolved_table().parent

    def resolved_table(self) -> Path:
        """The table of `name: csv` or `raven`. Raises UserError if it is missing, or not the only one in root."""
        if self.table is not None:
            return self._found(self.table, self.root, "set dataset.table")
        root = None if self.root is None else self.root.expanduser()
        if root is None or not root.is_dir():
            raise UserError(f"{'.' if root is None else root.as_posix()}: no such folder; set dataset.root")
        tables = sorted(path for path in root.iterdir() if path.suffix.lower() in (".csv", ".tsv"))
        if len(tables) != 1:
            there = ", ".join(path.name for path in tables) or "none"
            raise UserError(f"{root.as_posix()}: expected one CSV file, found: {there}; set dataset.table")
        return tables[0]

    def resolved_ignore(self) -> Path | None:
        """The list of clips to leave out. Raises UserError if it does not exist."""
        if self.ignore is None:
            return None
        return self._found(self.ignore, self.resolved_root(), "set dataset.ignore, or leave it out")

    def resolved_clip_seconds(self) -> float:
        """Length of the network's input in seconds."""
        spec = spec_of(self.name)
        own = self.windows.seconds if self.windows else DEFAULT_CLIP_SECONDS
        return self.clip_seconds or (float(spec.clip_seconds) if spec else own)

    @staticmethod
    def _found(file: Path, root: Path | None, mend: str) -> Path:
        file = file.expanduser()
        places = [file] if root is None else [file, root.expanduser() / file]
        if found := next((place for place in places if place.is_file()), None):
            return found
        raise UserError(f"{' and '.join(dict.fromkeys(place.as_posix() for place in places))}: not found; {mend}")


def load_table(config: DatasetConfig, *, divide: bool = True, make_folds: bool = True) -> Table:
    """The table of the data set, with folds or sides, and the selected classes.

    Rows whose files are missing stay: building the store reports them. Without `divide`, no folds are made where the
    data has none, and a single class is enough: for scoring a trained model. Without `make_folds`, making them is left
    to `data/division.py`, which knows the contents of the files.
    Raises UserError for missing data, a faulty table, unknown classes, too few clips.
    """
    table = _read(config)
    if ignore := config.resolved_ignore():
        used = kept_classes(table.classes, config.classes, config.exclude_classes)
        table = without_ignored(table, ignore, used)
    table = select_classes(table, config.classes, config.exclude_classes)
    if divide and len(table.classes) < (1 if table.multi_label else 2):
        only = f"'{table.classes[0]}' is the only class" if table.classes else "no class is left"
        deeper = deeper_classes(table) if config.name == "folder" else None
        mend = f"; its folders look like classes, set dataset.root: {deeper.as_posix()}" if deeper else ""
        raise UserError(f"{table.root.as_posix()}: {only}; classification needs at least two{mend}")
    if config.name in OWN and table.folds:
        table = _note_division(table, config)
    if divide and len(table.folds) == 1 and not any(clip.side for clip in table.clips):
        mend = "; set dataset.columns.fold to null to have folds made" if config.name == "csv" else ""
        raise UserError(f"{table.root.as_posix()}: all clips are in one fold, but testing needs a second one{mend}")
    if divide and make_folds and not table.folds:
        clips, notes = assign_folds(table.clips, config.num_folds, table.classes)
        table = replace(table, clips=clips, notes=(*table.notes, *notes))
    table = replace(table, licence=table.licence or config.licence, given_title=config.title)
    spec = spec_of(config.name)
    table = look_for_files(table, spec.how_to_get if spec else None)
    return note_spread_recordings(table) if make_folds else table


def builtin_classes(config: DatasetConfig) -> tuple[str, ...] | None:
    """The selected classes, where they are known without data on disk; None for your own data."""
    known = _all_classes(config.name, config.subset)
    return None if known is None else kept_classes(known, config.classes, config.exclude_classes)


def _read(config: DatasetConfig) -> Table:
    root, spec = config.resolved_root(), spec_of(config.name)
    if spec is None:
        if config.name == "folder":
            return read_folder(root, config.source_pattern)
        if config.name == "raven":
            assert config.windows is not None, "the config says so"
            return read_raven(root, config.resolved_table() if config.table else None, config.windows)
        path = config.resolved_table()
        table = read_csv(
            root,
            path,
            config.columns,
            config.label_separator,
            multi_label=config.multi_label,
            named={*(config.classes or ()), *(config.exclude_classes or ())},
            windows=config.windows,
        )
        return config.spec.of(table, path) if isinstance(config.spec, SetFacts) else table
    if not spec.generated and not root.is_dir():
        raise UserError(f"{root.as_posix()}: not found; {spec.how_to_get} or set dataset.root")
    return replace(
        spec.read(root, config.subset),
        published=spec.published,
        spread_sources=spec.spread_sources,
        twin_sources=spec.twin_sources,
    )


def _all_classes(name: str | None, subset: str | None) -> tuple[str, ...] | None:
    spec = spec_of(name or "")
    return None if spec is None else spec.subsets.get(subset or "", spec.classes)


def _note_division(table: Table, config: DatasetConfig) -> Table:
    """Adds a note that the table's own folds or sides are used.

    Raises UserError where `dataset.num_folds` asks for another number of folds.
    """
    key = "split" if any(clip.side for clip in table.clips) else "fold"
    column = getattr(config.columns, key)
    if config.num_folds not in (_NUM_FOLDS, len(table.folds)):
        mend = f"leave it out, or set dataset.columns.{key} to null to have folds made"
        raise UserError(
            f"dataset.num_folds: {config.num_folds}, but the table defines folds in column {column}; {mend}"
        )
    what = "train, val and test" if key == "split" else f"{len(table.folds)} folds"
    note = f"column {column} divides the clips ({what}); dataset.num_folds is not used"
    return replace(table, notes=(*table.notes, note))
