"""Explanations of the mistakes of a run: what each fold model attended to, and the nearest training clip of the class
it chose.

Stored in `RUN/analysis`: `nearest.json`, and spectrograms, masks and masked sounds in `saliency/fold-N.safetensors`.
Both are reused while models and mistakes are the same.
"""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosurvey.analysis.mistakes import Mistake
from audiosurvey.analysis.nearest import Neighbour, embeddings, nearest
from audiosurvey.analysis.saliency import masked_sound, saliency
from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.config.root import Config
from audiosurvey.data.audio.windows import window_at, window_starts
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError, of_the_system
from audiosurvey.runs.evaluation.heldout import fold_split
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.results.stored import read_json, write_json
from audiosurvey.tensorfile import load_tensors, save_tensors

FOLDER = "analysis"
"""Of a run: everything that is computed after it has ended."""
_SCHEMA = 1


@dataclass(frozen=True)
class Explanation:
    """Why a model chose a class for a clip, in the window in which its score was highest."""

    start: int
    """First sample of the window in the clip, at the model's sample rate."""
    mel_TF: np.ndarray
    """Spectrogram of the window, without padding."""
    mask_TF: np.ndarray
    """What the model attended to, from 0 to 1."""
    masked_S: np.ndarray
    """The sound of the window under this mask, as loud at its peak as the window."""
    neighbour: Neighbour | None
    """The nearest training clip of the chosen class; None if there is none."""


@dataclass(frozen=True)
class Explanations:
    """Explanations by clip id, and why they are missing for some folds."""

    of: dict[str, Explanation]
    missing: tuple[str, ...] = ()


def explain_mistakes(
    run: RunFolder, config: Config, sounds: Sounds, mistakes: Sequence[Mistake], bar: OpenBar = no_bar
) -> Explanations:
    """Explains mistakes by the models of their folds. `config`: that of the run.

    Folds whose models cannot be loaded are left out and named in `missing`. In a read-only run folder nothing is
    stored.
    """
    found: dict[str, Explanation] = {}
    folds = sorted({one.fold for one in mistakes})
    kept = {fold for fold in folds if (run.fold(fold) / "model").is_dir()}
    missing = [_not_kept(run, [fold for fold in folds if fold not in kept])] if len(kept) < len(folds) else []
    with bar("explaining mistakes") as advance:
        for done, fold in enumerate(folds, 1):
            asked = [one for one in mistakes if one.fold == fold]
            try:
                if fold in kept:
                    found |= _of_fold(run, config, sounds, fold, asked)
            except UserError as error:
                missing.append(error.lines[0])
            except OSError as error:
                missing.append(of_the_system(error).lines[0])
            if advance:
                advance(done, len(folds))
    return Explanations(found, tuple(missing))


def _not_kept(run: RunFolder, folds: Sequence[int]) -> str:
    of = f"fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
    without = "what models attended to and the nearest training clips are unknown for these folds"
    return f"{run.path.as_posix()}: the run keeps no model of {of}: {without}"


def _of_fold(
    run: RunFolder, config: Config, sounds: Sounds, fold: int, mistakes: Sequence[Mistake]
) -> dict[str, Explanation]:
    key = _key(run.fold(fold) / "model", mistakes)
    path = run.path / FOLDER / "saliency" / f"fold-{fold}.safetensors"
    stored = _read(path, key)
    if stored is not None:
        return stored
    model = load_artefact(run.fold(fold) / "model")
    clips = {clip.id: clip for clip in sounds.table.clips}
    train = fold_split(config, sounds.table, fold).train
    neighbours = _neighbours(model, sounds, train, mistakes, clips)
    made = {one.clip: _explain(model, sounds, one, neighbours[one.clip]) for one in mistakes}
    with suppress(OSError):
        _write(path, key, made)
        _write_neighbours(run.path / FOLDER / "nearest.json", fold, mistakes, neighbours)
    return made


def _explain(model: Model, sounds: Sounds, mistake: Mistake, neighbour: Neighbour | None) -> Explanation:
    label = model.labels.index(mistake.chosen)
    wave_S = sounds.store.read(mistake.clip)
    starts = window_starts(len(wave_S), model.clip_samples)
    windows = [window_at(wave_S, start, model.clip_samples, model.facts["pad"]) for start in starts]
    scores_W = [float(model.uncalibrated(window_S)[0, label]) for window_S in windows]
    place = int(np.argmax(scores_W))
    window_S, start = windows[place], starts[place]
    found = saliency(model, window_S, label)
    valid = min(len(wave_S) - start, model.clip_samples)
    frames = min(len(found.mel_TF), -(-valid // found.front_end.hop))
    masked_S = masked_sound(window_S, found.mask_TF, found.front_end)[:valid]
    peak = float(np.abs(masked_S).max(initial=0))
    louder = float(np.abs(window_S[:valid]).max(initial=0)) / peak if peak > 0 else 1.0
    return Explanation(start, found.mel_TF[:frames], found.mask_TF[:frames], masked_S * np.float32(louder), neighbour)


def _neighbours(
    model: Model, sounds: Sounds, train: Sequence[Clip], mistakes: Sequence[Mistake], clips: dict[str, Clip]
) -> dict[str, Neighbour | None]:
    """By clip id. The training clips of each class are embedded once."""
    found: dict[str, Neighbour | None] = {}
    for name in sorted({one.chosen for one in mistakes}):
        label = sounds.table.classes.index(name)
        known = [clip for clip in train if label in clip.labels]
        known_NE = embeddings(model, sounds.store, known)
        asked = [clips[one.clip] for one in mistakes if one.chosen == name]
        for clip, embedding_E in zip(asked, embeddings(model, sounds.store, asked), strict=True):
            found[clip.id] = nearest(embedding_E, known, known_NE)
    return found


def _key(model: Path, mistakes: Sequence[Mistake]) -> str:
    """A hash of what the explanations of a fold depend on: its model, and the mistakes."""
    facts = read_json(model / "model.json", "a survey keeps models with 'keep: model'")
    depends = [_SCHEMA, facts.get("sha256"), [(one.clip, one.chosen) for one in mistakes]]
    return hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()


def _write(path: Path, key: str, made: dict[str, Explanation]) -> None:
    tensors: dict[str, torch.Tensor] = {}
    facts: list[dict[str, Any]] = []
    for row, (clip, one) in enumerate(made.items()):
        tensors[f"{row}.mel_TF"] = torch.from_numpy(one.mel_TF).half()
        tensors[f"{row}.mask_TF"] = torch.from_numpy(one.mask_TF).half()
        tensors[f"{row}.masked_S"] = torch.from_numpy(one.masked_S).half()
        neighbour = None if one.neighbour is None else asdict(one.neighbour)
        facts.append({"clip": clip, "start": one.start, "neighbour": neighbour})
    save_tensors(path, tensors, {"key": key, "clips": json.dumps(facts)})


def _read(path: Path, key: str) -> dict[str, Explanation] | None:
    """None if the file is missing, damaged, or of other models or mistakes."""
    try:
        tensors, metadata = load_tensors(path)
        if metadata.get("key") != key:
            return None
        return {
            facts["clip"]: Explanation(
                facts["start"],
                tensors[f"{row}.mel_TF"].float().numpy(),
                tensors[f"{row}.mask_TF"].float().numpy(),
                tensors[f"{row}.masked_S"].float().numpy(),
                Neighbour(**facts["neighbour"]) if facts["neighbour"] else None,
            )
            for row, facts in enumerate(json.loads(metadata["clips"]))
        }
    except (UserError, OSError, ValueError, KeyError, TypeError):
        return None


def _write_neighbours(
    path: Path, fold: int, mistakes: Sequence[Mistake], neighbours: dict[str, Neighbour | None]
) -> None:
    """Adds the neighbours of a fold to nearest.json."""
    try:
        before = read_json(path)["clips"] if path.exists() else []
    except (UserError, OSError, KeyError):
        before = []
    rows = [row for row in before if row.get("fold") != fold]
    for one in mistakes:
        neighbour = neighbours[one.clip]
        said = {"nearest": None, "similarity": None}
        if neighbour is not None:
            said = {"nearest": neighbour.clip, "similarity": round(neighbour.similarity, 4)}
        rows.append({"clip": one.clip, "fold": fold, "chosen": one.chosen, **said})
    write_json(path, {"schema": _SCHEMA, "clips": sorted(rows, key=lambda row: (row["fold"], row["clip"]))})
