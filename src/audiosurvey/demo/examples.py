"""Sounds that the demo offers to begin with: of a folder, or the golden clips that a model carries."""

from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import soundfile

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.folder import Model
from audiosurvey.data.sets.folder import AUDIO_EXTENSIONS, is_hidden
from audiosurvey.errors import UserError

MOST = 12


@dataclass(frozen=True)
class Examples:
    """Sound files by the name that the page gives them."""

    title: str = "Examples"
    paths: dict[str, Path] = field(default_factory=dict)


def find_examples(folder: Path) -> Examples:
    """Up to a dozen sound files below a folder; where they lie in several, one from each in turn. Raises UserError."""
    if not folder.is_dir():
        raise UserError(f"--examples {folder}: no such folder")
    groups: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        hidden = any(is_hidden(part) for part in path.relative_to(folder).parts)
        if path.suffix.lower() in AUDIO_EXTENSIONS and not hidden and path.is_file():
            groups.setdefault(path.parent, []).append(path)
    in_turn = [path for row in zip_longest(*groups.values()) for path in row if path is not None]
    if not in_turn:
        raise UserError(f"--examples {folder}: no sound files in it")
    return Examples(paths={path.relative_to(folder).as_posix(): path for path in in_turn[:MOST]})


def golden_examples(model: Classifier, folder: Path) -> Examples:
    """The golden clips of a model as files in `folder`, named by their labels; none where it carries none."""
    golden = model.golden if isinstance(model, Model) else None
    if golden is None:
        return Examples()
    paths: dict[str, Path] = {}
    for number, (wave_S, labels) in enumerate(zip(golden.wave_BS, golden.labels, strict=True), 1):
        place = folder / f"example-{number}"
        place.mkdir()
        name = ", ".join(labels) or "no class"
        # Of one class there may be several; names of classes may hold what names of files must not.
        path = place / f"example-{number}.wav"
        soundfile.write(path, wave_S, model.sample_rate, subtype="FLOAT")
        paths[name if name not in paths else f"{name} ({number})"] = path
    return Examples("Examples: clips that the model was trained on", paths)
