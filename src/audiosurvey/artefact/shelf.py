"""The models that a path holds, each under a short name and loaded when it is first asked for.

A path is a model, an exported file, or a folder of either, such as a run with its folds.
"""

import os
import re
import threading
from pathlib import Path

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.load import load
from audiosurvey.errors import UserError

EXPORTED = (".onnx", ".pt2", ".pte")
_ENDINGS = ", ".join(EXPORTED)
FINAL = "final model"
_DEEPEST = 4
"""Folders are looked into this far down: `runs/NAME/fold-1/model` is three."""
_AT_ONCE = 4
"""Models kept in memory; the one unused for longest makes room."""


class Shelf:
    """Models by name. Safe to be asked from several threads."""

    def __init__(self, target: str | Path, *, trust: bool = False) -> None:
        """`trust`: .pt2 files may be opened, see `load`.

        Raises UserError where there is no model; what is wrong with one of several is said when it is asked for."""
        self._trust = trust
        path = Path(target)
        if path.is_dir():
            self.places: dict[str, str | Path] = dict(find_models(path))
            if not self.places:
                raise UserError(f"{path}: no model in it; expected a model.json or an exported file ({_ENDINGS})")
        else:
            # An exported file, or what the loader knows more of: the name of a published model, or a mistake.
            self.places = {path.name: target}
        self._loaded: dict[str, Classifier] = {}
        self._lock = threading.Lock()
        self._loading = {name: threading.Lock() for name in self.places}

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def first_usable(self) -> str:
        """The name of the first model that loads. Raises UserError where none does: what is wrong with the first."""
        faults: list[UserError] = []
        for name in self.names:
            try:
                self[name]
            except UserError as fault:
                faults.append(fault)
            else:
                return name
        raise faults[0]

    def __getitem__(self, name: str) -> Classifier:
        """Raises UserError for an unknown name, and for a model that is incomplete or was changed."""
        if name not in self.places:
            raise UserError(f"{name}: no such model here; there are {', '.join(self.places)}")
        # Loading may take long; whoever wants another model does not wait for it.
        with self._loading[name]:
            with self._lock:
                model = self._loaded.pop(name, None)
            model = model or load(self.places[name], trust=self._trust)
            with self._lock:
                self._loaded[name] = model
                while len(self._loaded) > _AT_ONCE:
                    del self._loaded[next(iter(self._loaded))]
        return model


def find_models(path: Path) -> dict[str, Path]:
    """The models in a folder, in natural order of their names: the part of the way that tells them apart."""
    found: list[Path] = []
    for folder, inside, files in os.walk(path):
        here = Path(folder)
        deep = len(here.relative_to(path).parts)
        inside[:] = [name for name in inside if not name.startswith(".") and deep < _DEEPEST]
        found += [here] if "model.json" in files else []
        found += [here / name for name in files if Path(name).suffix in EXPORTED]
    return {_name(place, path): place for place in sorted(found, key=lambda place: _natural(place, path))}


def _name(place: Path, path: Path) -> str:
    """The way to a model without the folders called `model`; the final model of a run is called so."""
    names = []
    for folder in [*reversed(place.relative_to(path).parents), place.relative_to(path)][1:]:
        if folder.name != "model":
            names.append(folder.name)
        elif _is_run((path / folder).parent):
            names.append(FINAL)
    return "/".join(names) or path.resolve().name


def _is_run(folder: Path) -> bool:
    return (folder / "config.yaml").is_file() and (folder / "environment.json").is_file()


def _natural(place: Path, path: Path) -> list[tuple[bool, int, str]]:
    """`fold-2` before `fold-10`; a folder before what is in it; the final model of a run before its folds."""
    own = "/".join(part for part in place.relative_to(path).parts if part != "model")
    parts = re.split(r"(\d+)", own)
    return [(bool(part.isdigit()), int(part) if part.isdigit() else 0, part) for part in parts]
