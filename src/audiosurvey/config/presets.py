"""The configs that come with the package, each usable by name wherever a config file is."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from audiosurvey.config.reading.document import Document, read


def preset_names() -> list[str]:
    """All presets: networks first, then whole recipes, each in alphabetical order."""
    return list(_found())


def preset_text(name: str) -> str:
    """The YAML of a preset; KeyError where there is none of that name."""
    return _found()[name].read_text(encoding="utf-8")


def preset_document(name: str) -> Document:
    return read(preset_text(name), name)


def preset_titles() -> dict[str, str]:
    """Every preset with the first line of its comment."""
    lines = {name: preset_text(name).partition("\n")[0] for name in preset_names()}
    return {name: line.removeprefix("#").strip() if line.startswith("#") else "" for name, line in lines.items()}


@cache
def _found() -> dict[str, Traversable]:
    folder = files("audiosurvey.presets")
    return {**dict(_in(folder)), **dict(_in(folder / "recipes"))}


def _in(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    if folder.is_dir():
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".yaml"):
                yield entry.name.removesuffix(".yaml"), entry
