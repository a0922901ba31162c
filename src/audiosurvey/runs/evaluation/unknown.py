"""How well trained models tell sounds of their classes from sounds of no class: `evaluate --other`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.decision import UNKNOWN, decide
from audiosurvey.artefact.folder import Model
from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.other.reading import is_made, other_clips
from audiosurvey.data.other.settings import OtherConfig
from audiosurvey.data.sounds import Sounds
from audiosurvey.data.store.store import kept, prepare
from audiosurvey.data.table import Clip, Table
from audiosurvey.runs.evaluation.model_scores import score_with
from audiosurvey.runs.listener import OpenBar, no_bar
from audiosurvey.runs.results.other_scores import OtherScores, other_scores
from audiosurvey.training.sound_scores import ScoredWindows

OPTION = "{other}"


@dataclass(frozen=True)
class OtherData:
    """Sounds of no class with their samples."""

    sounds: Sounds
    """Its store has them; its table may be that of a data set."""
    clips: tuple[Clip, ...]

    def unheard_by(self, model: Model) -> "OtherData":
        """Without those of recordings that the model was trained on."""
        known = model.heard.known(self.clips, self.sounds.store)
        return replace(self, clips=tuple(clip for clip in self.clips if clip.id not in known))


def open_others(path: Path, dataset: DatasetConfig, sample_rate: int, bar: OpenBar = no_bar) -> OtherData:
    """The sounds of a folder or table, and made ones, heard as the clips of `dataset` are.

    Raises UserError as `other_clips` does, and if none can be read.
    """
    clips = other_clips(OtherConfig(path=path), dataset.columns, key=OPTION)
    table = Table("other", path, ("other",), clips)
    with bar("preparing sounds of no class") as advance:
        store = prepare(table, sample_rate=sample_rate, mono=dataset.mono, folder=dataset.store, progress=advance)
    readable = kept(table, store)
    return OtherData(Sounds(dataset, readable, store), readable.clips)


def measure_others(
    model: Model, clips: Sequence[Clip], scored: ScoredWindows, others: OtherData, device: str, *, reverse: bool = False
) -> OtherScores | None:
    """From the scores of test clips by the model, and from sounds of no class, which are scored here.

    None if there are none that the model was not trained on.
    """
    if not others.clips:
        return None
    rejected = score_with(model, others.sounds, others.clips, device, reverse=reverse)
    found = other_scores(clips, scored.sounds_NK, others.clips, rejected.sounds_NK)
    if found is None or model.own_threshold is None:
        return found
    made = np.array([is_made(clip.id) for clip in others.clips], dtype=bool)
    unknown = _unknown(model, rejected)
    shares = {"unknown": unknown[~made], "made_unknown": unknown[made], "clips_unknown": _unknown(model, scored)}
    return found.changed(**{name: float(part.mean()) for name, part in shares.items() if len(part)})


def _unknown(model: Classifier, scored: ScoredWindows) -> np.ndarray:
    """Which sounds the model answers with `unknown`, by its own thresholds; bool (N)."""
    least, several = model.own_threshold, model.multi_label
    answers = [
        decide(model.ranked(score_K, int(windows)), least, int(windows), multi_label=several)
        for score_K, windows in zip(scored.sounds_NK, scored.counts_N, strict=True)
    ]
    return np.array([answer == [UNKNOWN] for answer in answers], dtype=bool)
