"""Example sounds of the demo: from a folder, or the golden clips of a model."""

from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import soundfile

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.data.sets.folder import is_hidden
from audiosurvey.errors import ArgumentError

MOST = 12


@dataclass(frozen=True)
class ExampleSounds:
    """Sound files by their name on the page."""

    title: str = "Examples"
    paths: dict[str, Path] = field(default_factory=dict)


def find_examples(folder: Path) -> ExampleSounds:
    """Up to a dozen sound files below a folder, from its subfolders in turn. Raises UserError if there are none."""
    if not folder.is_dir():
        raise ArgumentError("{examples}: no such folder", examples=folder)
    groups: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        hidden = any(is_hidden(part) for part in path.relative_to(folder).parts)
        if path.suffix.lower() in AUDIO_EXTENSIONS and not hidden and path.is_file():
            groups.setdefault(path.parent, []).append(path)
    in_turn = [path for row in zip_longest(*groups.values()) for path in row if path is not None]
    if not in_turn:
        raise ArgumentError("{examples}: no sound files in it", examples=folder)
    return ExampleSounds(paths={path.relative_to(folder).as_posix(): path for path in in_turn[:MOST]})


def golden_examples(model: Classifier, folder: Path) -> ExampleSounds:
    """The golden clips of a model as files in `folder`, named by their labels; empty if it has none, or made sounds."""
    golden = model.golden if isinstance(model, Model) else None
    if golden is None or golden.made:
        return ExampleSounds()
    paths: dict[str, Path] = {}
    for number, (wave_S, labels) in enumerate(zip(golden.wave_BS, golden.labels, strict=True), 1):
        place = folder / f"example-{number}"
        place.mkdir()
        name = ", ".join(labels) or "no class"
        # Numbered, since class names may repeat and contain characters that file names must not.
        path = place / f"example-{number}.wav"
        soundfile.write(path, wave_S, model.sample_rate, subtype="FLOAT")
        paths[name if name not in paths else f"{name} ({number})"] = path
    return ExampleSounds("Examples: training clips of the model", paths)
