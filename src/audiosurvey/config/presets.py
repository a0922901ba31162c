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


def preset_summary(name: str) -> str:
    """The comment that a preset's file begins with, as one line, for listings."""
    words = []
    for line in preset_text(name).splitlines():
        if not line.startswith("#"):
            break
        words.append(line.lstrip("# ").rstrip())
    return " ".join(filter(None, words))


@cache
def _found() -> dict[str, Traversable]:
    folder = files("audiosurvey.presets")
    return {**dict(_in(folder)), **dict(_in(folder / "recipes"))}


def _in(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    if folder.is_dir():
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
            if entry.name.endswith(".yaml"):
                yield entry.name.removesuffix(".yaml"), entry
