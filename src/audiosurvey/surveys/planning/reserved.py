"""Keys of configs that the survey controls: setting, sweeping or searching them would have no effect."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from audiosurvey.config.reading.document import read_value
from audiosurvey.config.root import Config
from audiosurvey.errors import ArgumentError, Fault, UserError
from audiosurvey.runs.results.recipes import flat
from audiosurvey.surveys.planning.spec import SurveySpec


def reserved(key: str, spec: SurveySpec, *, in_search: bool = False) -> str | None:
    """What to do instead of setting this key; None if it may be set. `in_search`: as a key of the search space."""
    if key == "seed":
        return "use the survey key seeds"
    if key == "train.epochs" and (spec.budget is not None or in_search):
        return "use the survey key budget"
    if key == "train.patience" and (spec.budget is not None or in_search):
        return "all trainings have the same length"
    if key == "protocol.selection" and in_search:
        return "trials are scored with their last weights"
    return None


def reserved_faults(spec: SurveySpec) -> Iterator[Fault]:
    """One for each reserved key in a survey file."""
    for index, entry in enumerate(spec.configs):
        for key in _keys(entry.set):
            if instead := reserved(key, spec):
                yield Fault(("configs", index, "set"), f"{key}: cannot be set in a survey; {instead}")
    for key in spec.sweep if "list" not in spec.sweep else ():
        yield from _swept(("sweep",), [key], spec)
    for index, point in enumerate(spec.sweep.get("list", ())):
        yield from _swept(("sweep", "list", index), _keys(point), spec)
    for key in spec.search.space if spec.search else ():
        if instead := reserved(key, spec, in_search=True):
            yield Fault(("search", "space"), f"{key}: cannot be searched; {instead}")


def refuse_reserved(spec: SurveySpec, overrides: Sequence[str]) -> None:
    """Raises UserError for an override, `KEY=VALUE`, of a reserved key, or of a key of the survey file."""
    for word in overrides:
        key, _, text = word.partition("=")
        section = key.strip().partition(".")[0]
        if section in SurveySpec.model_fields and section not in Config.model_fields:
            raise ArgumentError(
                f"{{overrides}}: {section} is a key of the survey file; only keys of the configs can be set here",
                overrides=word,
            )
        keys = [key.strip()]
        # What is no value is reported with the config.
        with suppress(UserError):
            keys = list(_keys({keys[0]: read_value(text)}))
        for one in keys:
            if instead := reserved(one, spec):
                raise ArgumentError(f"{{overrides}}: {one}: cannot be set in a survey; {instead}", overrides=word)


def _swept(path: tuple[str | int, ...], keys: Iterable[str], spec: SurveySpec) -> Iterator[Fault]:
    for key in keys:
        instead = "use the survey key datasets" if key.startswith("dataset.") else reserved(key, spec)
        if instead:
            yield Fault(path, f"{key}: cannot be swept; {instead}")


def _keys(values: dict[str, Any]) -> Iterator[str]:
    """Dotted keys, also of sections that are set as a whole."""
    for key, value in values.items():
        yield from flat(value, key) if value else [key]
