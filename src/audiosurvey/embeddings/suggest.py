"""Active learning: the clips whose label would teach a model most, as a table to fill in.

The clips are those of `gradients.py` (BADGE): uncertain, and different from each other. Probabilities are calibrated as
in `predict`. A sound of up to 30 s is one clip, the mean of its windows; of longer ones, each window is a clip.
"""

import math
from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact.folder import Model
from audiosurvey.data.names import as_text
from audiosurvey.data.sets.csv_table import label_cell
from audiosurvey.embeddings.gradients import GradientEmbeddings, residuals, spread_out
from audiosurvey.embeddings.kept import Collection
from audiosurvey.embeddings.labelled import LabelledStretches
from audiosurvey.embeddings.result_files import write_result_file
from audiosurvey.embeddings.stretches import StretchSource, offset_s
from audiosurvey.embeddings.windows import EmbeddedSound
from audiosurvey.prediction.postprocessing import FailedSound
from audiosurvey.prediction.sources import SoundSource
from audiosurvey.randomness import stream

_ROUNDING_S = 0.001
"""As times in tables are rounded."""


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
        silent: names of silent sounds, which are left out.
        failures: sounds that could not be read, or not to their end, each with its `name` and the `reason`.
        overlapping: how many were left out because an earlier one contains more than half of them.
        notes: what else is worth knowing, such as labelled files that could not be opened.
    """

    clips: tuple[Suggestion, ...]
    candidates: int
    labelled: int = 0
    copies: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    failures: tuple[FailedSound, ...] = ()
    overlapping: int = 0
    notes: tuple[str, ...] = ()

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
            "overlapping": self.overlapping,
            "notes": list(self.notes),
            "silent": list(self.silent),
            "failed": [{"path": one.name, "reason": one.reason} for one in self.failures],
        }

    def write(self, path: Path | str, *, force: bool = False) -> None:
        """Writes a .csv with an empty column `label`, which is a data set once that is filled in (`name: csv`), or a
        .json with what was left out, whole or not at all. Paths in the CSV are relative to its folder.

        Args:
            path: the file.
            force: replace an existing file, with the labels in it.

        Raises:
            UserError: for other endings, for a file that exists, and for one of the sounds.
            OSError: if it cannot be written.
        """
        timed = any(one.start_s is not None for one in self.clips)
        header = ["path", *(("start", "end") if timed else ()), "label", "suggested", "score"]
        rows: list[list[str]] = []
        for one in self.clips:
            times = ["" if at_s is None else f"{at_s:.3f}" for at_s in (one.start_s, one.end_s)]
            rows.append([one.name, *(times if timed else ()), "", one.text, f"{one.score:.6f}"])
        write_result_file(Path(path), header, rows, self.as_json(), force=force)


@dataclass
class _Candidates:
    """Clips that may be suggested, and what was left out."""

    places: list[tuple[SoundSource, float | None, float | None]] = field(default_factory=list)
    probabilities: list[np.ndarray] = field(default_factory=list)
    embeddings: list[np.ndarray] = field(default_factory=list)
    labelled: int = 0
    overlapping: int = 0
    copies: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    failures: list[FailedSound] = field(default_factory=list)


def suggest_clips(
    model: Model,
    collection: Collection,
    labelled: LabelledStretches,
    number: int,
    *,
    hop_s: float | None = None,
    seed: int = 0,
) -> Suggestions:
    """`number` clips of a collection to label, or fewer if there are not so many.

    `hop_s`: from window to window; then each window is a clip, of short sounds too. `seed`: of the choice, which is
    the same for the same sounds in the same order.
    """
    found = _candidates(model, collection, labelled, hop_s)
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
        found.overlapping,
        labelled.notes,
    )


class _Taken:
    """The parts of files that are candidates: another of the same content is none if one of them contains more than
    half of it. With a hop, windows may overlap as the hop says."""

    def __init__(self, hop_s: float | None) -> None:
        self.hop_s = hop_s
        self._found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self._longest_s = 0.0

    def take(self, file: str, start_s: float, end_s: float) -> bool:
        """Whether this part is taken now."""
        parts, seconds = self._found[file], end_s - start_s
        most_s = max(seconds / 2, seconds - (math.inf if self.hop_s is None else self.hop_s)) + _ROUNDING_S
        for begin_s, stop_s in parts[bisect_left(parts, (start_s - self._longest_s,)) :]:
            if begin_s >= end_s:
                break
            if min(stop_s, end_s) - max(begin_s, start_s) > most_s:
                return False
        insort(parts, (start_s, end_s))
        self._longest_s = max(self._longest_s, seconds)
        return True


def _candidates(model: Model, collection: Collection, labelled: LabelledStretches, hop_s: float | None) -> _Candidates:
    found, known, taken = _Candidates(), set(), _Taken(hop_s)
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
            _add(found, model, source, stretch.file, sound, labelled, taken)
    return found


def _add(
    found: _Candidates,
    model: Model,
    source: SoundSource,
    file: str,
    sound: EmbeddedSound,
    labelled: LabelledStretches,
    taken: "_Taken",
) -> None:
    """Adds the clips of one sound."""
    offset = offset_s(source)
    scores_WK = uncalibrated_scores(model, sound.features_WN)
    # Of a sound that cannot be read to its end, the parts that can be are clips.
    apart = taken.hop_s is not None or not sound.short or sound.fault is not None
    sounding = np.flatnonzero(~sound.silent_W)
    for row in sounding[:, None] if apart else [np.arange(len(sound.silent_W))]:
        start_s, end_s = offset + sound.times_W2[row[0], 0], offset + sound.times_W2[row[-1], 1]
        if labelled.overlaps(file, start_s, end_s):
            found.labelled += 1
            continue
        if not taken.take(file, start_s, end_s):
            found.overlapping += 1
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
