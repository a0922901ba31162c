"""Active learning: the clips whose label would teach a model most, as a table to fill in.

The clips are those of `gradients.py` (BADGE): uncertain, and different from each other. Probabilities are calibrated as
in `predict`. A sound of up to 30 s is one clip, the mean of its windows; of longer ones, each window is a clip.
"""

import csv
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact.folder import Model
from audiosurvey.atomic import write_text
from audiosurvey.data.names import as_text
from audiosurvey.data.sets.csv_table import label_cell
from audiosurvey.embeddings.gradients import GradientEmbeddings, residuals, spread_out
from audiosurvey.embeddings.kept import Collection
from audiosurvey.embeddings.labelled import LabelledStretches
from audiosurvey.embeddings.stretches import StretchSource, offset_s
from audiosurvey.embeddings.windows import EmbeddedSound
from audiosurvey.prediction.postprocessing import FailedSound
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.prediction.window_scoring import SHORT_S
from audiosurvey.randomness import stream


@dataclass(frozen=True)
class Suggestion:
    """A clip to label.

    Attributes:
        name: the path of its file.
        start_s: where it begins in its file, in seconds; None for a whole file.
        end_s: where it ends; None for the end of the file.
        labels: what the model takes it for: its best class, or with several labels those with a score of at least 0.5.
        score: the score of the best class.
    """

    name: str
    start_s: float | None
    end_s: float | None
    labels: tuple[str, ...]
    score: float

    @property
    def text(self) -> str:
        """Its labels as a cell of a table."""
        return label_cell(self.labels) if self.labels else ""


@dataclass(frozen=True)
class Suggestions:
    """Clips to label, in the order in which they were chosen: any number of the first is a good choice too.

    Attributes:
        clips: the chosen clips.
        candidates: how many clips they were chosen from.
        labelled: how many were left out because they are labelled already.
        copies: names of sounds that are left out because their content is that of another.
        silent: names of sounds without anything to hear, which are left out.
        failures: sounds that could not be read, or not to their end, each with its `name` and the `reason`.
    """

    clips: tuple[Suggestion, ...]
    candidates: int
    labelled: int = 0
    copies: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    failures: tuple[FailedSound, ...] = ()

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Suggestion]:
        return iter(self.clips)

    def columns(self) -> Mapping[str, Sequence[Any]]:
        """The columns of a data frame: `pandas.DataFrame(found.columns())`.

        Returns:
            path, start_s, end_s, suggested and score.
        """
        return {
            "path": [one.name for one in self.clips],
            "start_s": [None if one.start_s is None else round(one.start_s, 3) for one in self.clips],
            "end_s": [None if one.end_s is None else round(one.end_s, 3) for one in self.clips],
            "suggested": [one.text for one in self.clips],
            "score": [round(one.score, 6) for one in self.clips],
        }

    def as_json(self) -> dict[str, Any]:
        """The clips and what was left out, as plain data.

        Returns:
            What `audiosurvey suggest --json` prints.
        """
        columns = self.columns()
        return {
            "schema": 1,
            "results": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)],
            "candidates": self.candidates,
            "labelled": self.labelled,
            "copies": list(self.copies),
            "silent": list(self.silent),
            "failed": [{"path": one.name, "reason": one.reason} for one in self.failures],
        }

    def write(self, path: Path | str) -> None:
        """Writes a CSV with an empty column `label`, which is a data set once that is filled in (`name: csv`).

        Paths are relative to its folder.

        Args:
            path: the file.

        Raises:
            OSError: if it cannot be written.
        """
        timed = any(one.start_s is not None for one in self.clips)
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["path", *(("start", "end") if timed else ()), "label", "suggested", "score"])
        for one in self.clips:
            times = ["" if at_s is None else f"{at_s:.3f}" for at_s in (one.start_s, one.end_s)]
            place = _relative(Path(one.name), Path(path).absolute().parent)
            table.writerow([place, *(times if timed else ()), "", one.text, f"{one.score:.6f}"])
        write_text(Path(path), text.getvalue())


@dataclass
class _Candidates:
    """Clips that may be suggested, and what was left out."""

    places: list[tuple[SoundSource, float | None, float | None]] = field(default_factory=list)
    probabilities: list[np.ndarray] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)
    labelled: int = 0
    copies: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    failures: list[FailedSound] = field(default_factory=list)


def suggest_clips(
    model: Model,
    collection: Collection,
    labelled: LabelledStretches,
    number: int,
    *,
    windows: bool = False,
    seed: int = 0,
) -> Suggestions:
    """`number` clips of a collection to label, or fewer if there are not so many.

    `windows`: each window is a clip, of short sounds too; `seed`: of the choice, which is the same for the same sounds
    in the same order.
    """
    found = _candidates(model, collection, labelled, windows)
    chosen: list[int] = []
    if found.places:
        residual_NK = residuals(np.stack(found.probabilities), multi_label=model.multi_label)
        gradients = GradientEmbeddings(residual_NK, np.stack(found.embeddings))
        chosen = spread_out(gradients, number, stream(seed, "suggest"))
    return Suggestions(
        tuple(_suggestion(model, *found.places[one], found.probabilities[one]) for one in chosen),
        len(found.places),
        found.labelled,
        tuple(found.copies),
        tuple(found.silent),
        tuple(found.failures),
    )


def _candidates(model: Model, collection: Collection, labelled: LabelledStretches, windows: bool) -> _Candidates:
    found, known = _Candidates(), set()
    for source, stretch, sound in zip(collection.sources, collection.stretches, collection.sounds, strict=True):
        if sound.fault:
            found.failures.append(FailedSound(source.name, sound.fault))
        if as_text(source.name) != source.name:
            found.failures.append(FailedSound(as_text(source.name), "its name is not UTF-8 text, as a table needs it"))
        elif stretch is None or not len(sound.silent_W):
            continue
        elif stretch in known:
            found.copies.append(source.name)
        elif sound.silent:
            found.silent.append(source.name)
        else:
            known.add(stretch)
            _add(found, model, source, stretch.file, sound, labelled, windows)
    return found


def _add(
    found: _Candidates,
    model: Model,
    source: SoundSource,
    file: str,
    sound: EmbeddedSound,
    labelled: LabelledStretches,
    windows: bool,
) -> None:
    """Adds the clips of one sound."""
    offset = offset_s(source)
    scores_WK = uncalibrated_scores(model, sound.features_WN)
    longest_s = max(SHORT_S, model.clip_samples / model.sample_rate)
    apart = windows or sound.seconds > longest_s
    sounding = np.flatnonzero(~sound.silent_W)
    for row in sounding[:, None] if apart else [np.arange(len(sound.silent_W))]:
        start_s, end_s = offset + sound.times_W2[row[0], 0], offset + sound.times_W2[row[-1], 1]
        if labelled.overlaps(file, start_s, end_s):
            found.labelled += 1
            continue
        whole = not apart and not isinstance(source, StretchSource)
        found.places.append((source, None, None) if whole else (source, float(start_s), float(end_s)))
        found.probabilities.append(model.temperatures.apply(scores_WK[row].mean(axis=0), len(row)))
        found.embeddings.append(sound.features_WN[row].mean(axis=0))


@torch.inference_mode()
def uncalibrated_scores(model: Model, features_WN: np.ndarray) -> np.ndarray:
    """Uncalibrated probabilities (W, K) from the features before the classifier."""
    classifier = model.network.classifier
    features = torch.from_numpy(np.array(features_WN, np.float32)).to(classifier.weight.device)
    return model.to_scores(classifier(features).float()).cpu().numpy()


def _suggestion(
    model: Model, source: SoundSource, start_s: float | None, end_s: float | None, probability_K: np.ndarray
) -> Suggestion:
    best = int(probability_K.argmax())
    chosen = np.flatnonzero(probability_K >= 0.5) if model.multi_label else [best]
    labels = tuple(model.labels[k] for k in sorted(chosen, key=lambda k: -probability_K[k]))
    return Suggestion(source.name, start_s, end_s, labels, float(probability_K[best]))


def _relative(path: Path, folder: Path) -> str:
    """A path as the table in this folder names it."""
    try:
        return Path(os.path.relpath(path.absolute(), folder)).as_posix()
    except ValueError:  # another drive on Windows
        return path.absolute().as_posix()
