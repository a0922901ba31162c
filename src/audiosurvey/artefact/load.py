"""Models from paths: `load`, behind `audiosurvey.load` and every command with a MODEL; folders of several models."""

import os
import re
import threading
from pathlib import Path

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.exported import SUFFIXES, is_exported, load_exported, runs_here
from audiosurvey.artefact.folder import load_artefact
from audiosurvey.artefact.hub import fetch, is_repo
from audiosurvey.config.reading.faults import nearest
from audiosurvey.errors import UserError
from audiosurvey.model.encoders.file_encoder import FileEncoder

FINAL = "final model"
_DEEPEST = 4
"""Levels of folders that are searched: `runs/NAME/fold-1/model` has three."""
_AT_ONCE = 4
"""Models kept in memory; the least recently used one is dropped."""


def load(path: str | Path, *, trust: bool = False, threads: int | None = None) -> Classifier:
    """Loads a model folder or an exported file (.onnx, .pt2, .pte, .tflite, .mlpackage) on the CPU, ready to predict.

    Args:
        path: a model folder, a run with a final model, an exported file, or, if there is no such path, `user/name` or
            `user/name@revision` of a repository on the Hugging Face Hub.
        trust: also open .pt2 files, which can run code of their author. Nothing else that is opened here runs code.
        threads: processor threads of an .onnx or .tflite file; None: as many as its runtime chooses. Those of other
            models are torch's.

    Returns:
        The model.

    Raises:
        UserError: for a model that is incomplete, was changed, or cannot be downloaded, for a missing runtime of the
            model, and for anything else.
    """
    path = Path(path) if Path(path).exists() else path
    if is_exported(Path(path)):
        return load_exported(Path(path), threads=threads, trust=trust)
    if is_repo(str(path)) and not Path(path).exists():
        if isinstance(path, Path) or Path(path).parent.is_dir():
            raise UserError(f"{path}: no such model{_near(Path(path))}")
        path = fetch(str(path))
    model = load_artefact(path)
    for block in model.network.blocks:
        if isinstance(block, FileEncoder):
            try:
                block.require_runtime()
            except UserError as error:
                raise error.at(str(path)) from None
    return model


def model_name(target: str | Path) -> str:
    """What to call a model: its run, else its folder or file. `target`: as in `load`."""
    place = Path(target)
    if not place.exists():
        return place.name
    place = place.resolve()
    if place.suffix in SUFFIXES and place.name.startswith("model."):
        place = place.parent
    while place.name == "model" or re.fullmatch(r"fold-\d+", place.name):
        place = place.parent
    return place.name or Path(target).name


def _near(path: Path) -> str:
    """What a mistyped path may have meant, or where models are listed."""
    if not path.parent.is_dir():
        return "; expected a model folder, a run, an exported file, or user/name of the Hugging Face Hub"
    beside = [entry.name for entry in sorted(path.parent.iterdir()) if entry.is_dir() or is_exported(entry)]
    if near := nearest(path.name, beside):
        return f"; did you mean {(path.parent / near).as_posix()}?"
    return f"; 'audiosurvey runs {path.parent.as_posix()}' lists the runs there"


class ModelLibrary:
    """The models in a folder by name, loaded on demand. Thread-safe."""

    def __init__(self, target: str | Path, *, trust: bool = False) -> None:
        """`target`: a model, an exported file, or a folder of them, such as a run; `trust`: see `load`.

        Raises UserError if there is no model. Models are checked when they are loaded."""
        self._trust = trust
        path = Path(target)
        # A path that is not a folder may be the name of a model on the Hub; `load` knows.
        self.places: dict[str, str | Path] = {path.name: target}
        if path.is_dir() and not is_exported(path):
            self.places = dict(find_models(path))
            if not self.places:
                endings = ", ".join(SUFFIXES)
                raise UserError(f"{path}: no model in it; expected a model.json or an exported file ({endings})")
        self._loaded: dict[str, Classifier] = {}
        self._lock = threading.Lock()
        self._loading = {name: threading.Lock() for name in self.places}

    @property
    def names(self) -> list[str]:
        return list(self.places)

    def first_usable(self) -> str:
        """The name of the first model that loads. If none does, raises the UserError of the first."""
        faults: list[UserError] = []
        for name in self.names:
            try:
                self[name]
                return name
            except UserError as fault:
                faults.append(fault)
        raise faults[0]

    def __getitem__(self, name: str) -> Classifier:
        """Raises UserError for an unknown name, and for a model that is incomplete or was changed."""
        if name not in self.places:
            raise UserError(f"{name}: no such model here; there are {', '.join(self.places)}")
        # Loading may take long and must not block other models.
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
    """The models in a folder in natural order of their names. A name is the shortest distinct part of the path."""
    found: list[Path] = []
    for folder, inside, files in os.walk(path):
        here = Path(folder)
        depth = len(here.relative_to(path).parts)
        found += [here] if "model.json" in files else []
        # A Core ML package is a folder; here, only Macs can run it.
        found += [here / name for name in (*files, *inside) if is_exported(here / name) and runs_here(here / name)]
        inside[:] = [
            name for name in inside if not (name.startswith(".") or is_exported(here / name)) and depth < _DEEPEST
        ]
    return {_name(place, path): place for place in sorted(found, key=lambda place: _natural(place, path))}


def _name(place: Path, path: Path) -> str:
    """The relative path without folders called `model`, except the final model of a run, which is called so."""
    names = []
    for folder in [*reversed(place.relative_to(path).parents), place.relative_to(path)][1:]:
        run = (path / folder).parent
        if folder.name != "model":
            names.append(folder.name)
        elif (run / "config.yaml").is_file() and (run / "environment.json").is_file():
            names.append(FINAL)
    return "/".join(names) or path.resolve().name


def _natural(place: Path, path: Path) -> list[tuple[bool, int, str]]:
    """Sort key: `fold-2` before `fold-10`, a folder before its contents, the final model of a run before its folds."""
    own = "/".join(part for part in place.relative_to(path).parts if part != "model")
    parts = re.split(r"(\d+)", own)
    return [(bool(part.isdigit()), int(part) if part.isdigit() else 0, part) for part in parts]
