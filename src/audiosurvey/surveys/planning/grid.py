"""The recipes of a survey: every config on every data set with every combination of swept values."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audiosurvey.config.loader import LoadedConfig, load_document, open_document
from audiosurvey.config.reading.document import Document, get
from audiosurvey.config.resolved import plain
from audiosurvey.config.root import Config
from audiosurvey.data.dataset import HEARD, DatasetConfig
from audiosurvey.data.sets.registry import OWN
from audiosurvey.errors import UserError
from audiosurvey.surveys.planning.reading import LoadedSurvey
from audiosurvey.surveys.planning.spec import ConfigEntry

Point = dict[str, Any]
"""Swept keys and their values."""
_MOST_BYTES = 200
"""Of the name of a row. File systems allow 255; the folders of runs and what is set aside have longer names."""
_MOST_PART_BYTES = 120
"""Of the name of a config, a data set or a value."""


@dataclass(frozen=True)
class Recipe:
    """One row of a survey: a resolved config, to be trained with every seed and fold."""

    name: str
    """Its name in tables and folders: config, swept values, data set."""
    config_name: str
    """The config it comes from."""
    dataset: str | None
    """The data set, if the survey names them."""
    sweep: Point
    loaded: LoadedConfig
    entry: ConfigEntry
    section: DatasetConfig | None
    """The data set of the survey that replaces the config's own."""
    words: tuple[str, ...]
    """All overrides, as `KEY=VALUE`."""
    overrides: tuple[str, ...]
    """Those of them that were given for every config, on the command line."""
    index: int
    """Of its entry in `configs`."""

    @property
    def model_name(self) -> str:
        """The name without that of the data set: the same on all data sets."""
        return self.name.removesuffix(f"@{self.dataset}") if self.dataset else self.name

    @property
    def config(self) -> Config:
        return self.loaded.config


def expand(survey: LoadedSurvey, overrides: Sequence[str] = ()) -> list[Recipe]:
    """All recipes of a survey; `overrides` (`KEY=VALUE`) apply to every config.

    Raises UserError for the faults of all configs, located at the key of the survey file that asked for them, and for
    two recipes that are the same.
    """
    spec = survey.spec
    points = list(_points(spec.sweep))
    datasets: Sequence[DatasetConfig | None] = spec.datasets or [None]
    titles = _dataset_titles(spec.datasets)
    names = _config_names(survey)
    recipes: list[Recipe] = []
    taken: set[str] = set()
    faults: list[str] = []
    for index, (entry, name) in enumerate(zip(spec.configs, names, strict=True)):
        for number, dataset in enumerate(datasets):
            own = [_word(key, value) for key, value in entry.set.items()]
            try:
                _load(survey, ("configs", index), entry, dataset, [*own, *overrides], overrides)
            except UserError as error:
                faults += error.lines
                continue
            for point in points:
                words = [*own, *(_word(key, value) for key, value in point.items()), *overrides]
                path = ("sweep",) if point else ("configs", index)
                try:
                    loaded = _load(survey, path, entry, dataset, words, overrides)
                except UserError as error:
                    faults += error.lines
                    continue
                title = _title_in(loaded.config, dataset, titles[number]) if dataset else None
                ending = f"@{title}" if title and len(datasets) > 1 else ""
                row = _free(name + _suffix(point, points), ending, taken)
                recipes.append(
                    Recipe(row, name, title, point, loaded, entry, dataset, tuple(words), tuple(overrides), index)
                )
    if faults:
        raise UserError(*dict.fromkeys(faults))
    _refuse_equal(survey, recipes)
    return recipes


def load_with(survey: LoadedSurvey, recipe: Recipe, values: Point) -> LoadedConfig:
    """The config of a recipe with further keys set, as a search does. Raises UserError, located at the search."""
    words = [*recipe.words, *(_word(key, value) for key, value in values.items())]
    return _load(survey, ("search", "space"), recipe.entry, recipe.section, words, recipe.overrides)


def _points(sweep: dict[str, Any]) -> Iterator[Point]:
    if "list" in sweep:
        yield from sweep["list"]
        return
    for values in itertools.product(*sweep.values()):
        yield dict(zip(sweep, values, strict=True))


def _word(key: str, value: Any) -> str:
    return f"{key}={json.dumps(value, ensure_ascii=False)}"


def _load(
    survey: LoadedSurvey,
    path: tuple[str | int, ...],
    entry: ConfigEntry,
    dataset: DatasetConfig | None,
    words: Sequence[str],
    overrides: Sequence[str],
) -> LoadedConfig:
    """`overrides`: those of the words that were given on the command line, whose faults are not in the survey file."""
    try:
        document: Document = open_document(entry.config)
        if dataset is not None:
            _put_dataset(document, dataset)
        return load_document(document, words)
    except UserError as error:
        given = tuple(f"--set {word.partition('=')[0].strip() or word}:" for word in overrides)
        ours = [line for line in error.lines if line.startswith(given)]
        # The faults of a config file have a place of their own.
        lines = [line.removeprefix("--set ") for line in error.lines if line not in ours]
        try:
            survey.refuse(path, lines)
        except UserError as located:
            raise UserError(*located.lines, *ours) from None
        raise UserError(*ours) from None


def _put_dataset(document: Document, dataset: DatasetConfig) -> None:
    """Replaces the section `dataset` of a config, except `clip_seconds`, `pad` and `mono` if `dataset` lacks them."""
    own = document.data.get("dataset")
    paths = [("dataset", key) for key in HEARD if isinstance(own, dict) and key in own]
    kept = [(path, get(document.data, path), document.place(path)) for path in paths]
    given = {key: plain(value) for key, value in dataset if key in dataset.model_fields_set}
    document.put(("dataset",), given, "dataset")
    document.overrides.append("dataset")
    for path, value, place in kept:
        if path[-1] not in given:
            document.put(path, value, place)


def _config_names(survey: LoadedSurvey) -> list[str]:
    """A name for each entry; those without one that have the same file are numbered."""
    found: list[str] = []
    for index, entry in enumerate(survey.spec.configs):
        name = safe_name(entry.name or Path(entry.config).stem)
        if name in found and entry.name:
            survey.refuse(("configs", index, "name"), [f"{entry.name}: two configs have this name"])
        while name in found:
            base, _, number = name.rpartition("-")
            name = f"{base}-{int(number) + 1}" if base and number.isdecimal() else f"{name}-2"
        found.append(name)
    return found


def _dataset_titles(datasets: Sequence[DatasetConfig]) -> list[str]:
    found: list[str] = []
    for dataset in datasets:
        title = _dataset_title(dataset)
        number = sum(re.fullmatch(re.escape(title) + r"(-\d+)?", one) is not None for one in found)
        found.append(f"{title}-{number + 1}" if number else title)
    return found


def _dataset_title(dataset: DatasetConfig) -> str:
    folder = dataset.root.name if dataset.root and dataset.name in OWN else None
    return safe_name(dataset.subset or folder or dataset.name)


def _title_in(config: Config, dataset: DatasetConfig, title: str) -> str:
    """The title of a config's data set: that of the survey's `dataset`, unless it was overridden by other data."""
    own = _dataset_title(config.dataset)
    return title if own == _dataset_title(dataset) else own


def _suffix(point: Point, points: Sequence[Point]) -> str:
    """`_lr=0.003_loss.name=bce`: the shortest form of each swept key that is clear."""
    keys = list(dict.fromkeys(key for one in points for key in one))
    return "".join(f"_{_short(key, keys)}={_safe_value(value)}" for key, value in point.items())


def _short(key: str, keys: Sequence[str]) -> str:
    parts = key.split(".")
    for length in range(1, len(parts)):
        tail = ".".join(parts[-length:])
        clear = not any(other != key and other.endswith("." + tail) for other in keys)
        if clear and not (length == 1 and tail in ("name", "p", "preset")):
            return tail
    return key


def _safe_value(value: Any) -> str:
    text = str(value) if isinstance(value, str | int | float) else json.dumps(value, separators=(",", ":"))
    # Numbers keep their sign.
    return text if isinstance(value, int | float) else safe_name(text)


def _free(name: str, ending: str, taken: set[str]) -> str:
    """The name with this ending, cut to the length of a folder's name, and numbered if another row has it, also in
    other case; it is then taken."""
    number, mark = 1, ""
    while (found := _cut(name, _MOST_BYTES - len((mark + ending).encode())) + mark + ending).casefold() in taken:
        number += 1
        mark = f"-{number}"
    taken.add(found.casefold())
    return found


def safe_name(text: str) -> str:
    """`text` as part of a folder's name on any system."""
    found = re.sub(r"[^\w.+=-]+", "-", text).strip("-.")[:80]
    return _cut(found, _MOST_PART_BYTES) or "unnamed"


def _cut(text: str, most: int) -> str:
    """As many characters as fit into this many bytes."""
    return text.encode()[:most].decode(errors="ignore")


def refuse_same(survey: LoadedSurvey, one: Recipe, other: Recipe, same: str) -> None:
    """Raises UserError for two recipes that are the same, located at the later one. `same`: in what respect."""
    rows = f"{one.name} and {other.name}"
    if one.index != other.index:
        line = f"{same} as configs.{one.index} (rows {rows}); leave one of them out"
        survey.refuse(("configs", other.index), [line])
    path = ("sweep",) if one.sweep != other.sweep else ("datasets",)
    survey.refuse(path, [f"rows {rows}: {same}; leave one of them out"])


def _refuse_equal(survey: LoadedSurvey, recipes: Sequence[Recipe]) -> None:
    seen: dict[str, Recipe] = {}
    for recipe in recipes:
        other = seen.setdefault(recipe.config.model_dump_json(), recipe)
        if other is not recipe:
            refuse_same(survey, other, recipe, "the same config")
