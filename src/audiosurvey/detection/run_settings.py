"""The detection settings of the models of a run, chosen on soundscapes that are made of its clips.

No model scores clips that it was trained on: each soundscape is scored by the model of the fold that its clips test.
The settings of the final model are those that are best on all soundscapes, and those of a fold's model on the
soundscapes of the other folds.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from audiosurvey.artefact.detection import DetectionSettings
from audiosurvey.artefact.folder import Model, load_artefact, read_facts, store_detection
from audiosurvey.augment.wave.background import open_background
from audiosurvey.detection.made import MadeSoundscape, SoundscapeMaker
from audiosurvey.detection.scoring import Measure
from audiosurvey.detection.search import Length, SettingsSearch, window_lengths
from audiosurvey.pages.units import duration
from audiosurvey.prediction.stream import WindowScores, score_batches, window_samples
from audiosurvey.runs.evaluation.heldout import OpenRun, open_run
from audiosurvey.runs.listener import OpenBar, RunListener, no_bar
from audiosurvey.runs.results.row import ROW
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.threads import threads as threads_of

LENGTHS = 2
"""Shorter windows are not tried here: they would cost more than all others together."""
_BATCH = 16


@dataclass(frozen=True)
class _Scored:
    """A soundscape, and its windows by their length."""

    made: MadeSoundscape
    windows: dict[Length, list[WindowScores]]


def settle_run(
    folder: RunFolder,
    *,
    device: str = "auto",
    threads: int | None = None,
    listener: RunListener = RunListener(),
    anew: bool = False,
) -> dict[Path, DetectionSettings]:
    """Chooses settings for the models of a run that have none; `anew`: for all of them.

    Tells the listener what was chosen, or why nothing could be.
    """
    with threads_of(threads or torch.get_num_threads()), folder.lock():
        return _settle(folder, device, listener, anew=anew)


def _settle(folder: RunFolder, device: str, listener: RunListener, *, anew: bool) -> dict[Path, DetectionSettings]:
    started = time.perf_counter()
    run = open_run(folder, listener.bar)
    places = [place for place in _models(run) if anew or "detection" not in read_facts(place)]
    if not places:
        return {}
    if reason := why_not(run, places):
        listener.say(f"no detection settings: {reason}")
        return {}
    chosen = choose_settings(run, places, device=device, bar=listener.bar)
    shown = chosen.get(folder.model) or next(iter(chosen.values()), None)
    if shown is not None:
        took = time.perf_counter() - started
        listener.say(f"detection settings, chosen in {duration(took)}: {shown}{shown.worth}")
    return chosen


def why_not(run: OpenRun, places: Collection[Path]) -> str | None:
    """Why no settings can be chosen for the model folders `places` of a run; None if they can."""
    if run.config.dataset.windows is not None:
        return (
            "the clips are windows of recordings; 'audiosurvey evaluate MODEL --events TABLE --tune' chooses settings"
        )
    folds = _with_models(run)
    if not folds:
        return "the models of the folds were not kept"
    if len(folds) == 1 and set(places) == {_model_of(run, folds[0])}:
        return f"those of a fold's model come from other folds, and fold {folds[0]} is alone; train another fold"
    return None


def choose_settings(
    run: OpenRun, places: Collection[Path], *, device: str = "auto", bar: OpenBar = no_bar
) -> dict[Path, DetectionSettings]:
    """Chooses settings for the model folders `places` of a run and stores them; a fold's model has none if there is no
    other fold."""
    scored = _score(run, device, bar)
    chosen: dict[Path, DetectionSettings] = {}
    for place in places:
        own = next((fold for fold in run.results.done if _model_of(run, fold) == place), None)
        rest = [one for one in scored if one.made.fold != own]
        if rest:
            chosen[place] = _chosen(load_artefact(place), rest)
            store_detection(place, chosen[place])
    return chosen


def _chosen(model: Model, scored: Sequence[_Scored]) -> DetectionSettings:
    windows = {length: [one.windows[length] for one in scored] for length in scored[0].windows}
    search = SettingsSearch(model, [one.made.recording for one in scored], windows, Measure())
    folds = sorted({one.made.fold for one in scored})
    clips = f"clips of fold{'s' if len(folds) > 1 else ''} {', '.join(map(str, folds))}"
    return search.settled(f"{len(scored)} made soundscapes ({clips})")[0]


def _score(run: OpenRun, device: str, bar: OpenBar) -> list[_Scored]:
    """All soundscapes, each scored by the model of its fold."""
    tested = {one.row.fold: one.split for one in run.models(_with_models(run))}
    config = run.config
    recorded = open_background(config.augmentation.background, config.sample_rate, config.dataset.store)
    maker = SoundscapeMaker(run.sounds, tested, config.seed, recorded)
    scored: list[_Scored] = []
    with bar("soundscapes for detection settings") as advance:
        for fold in tested:
            model = load_artefact(_model_of(run, fold))
            model.to(device)
            for made in maker.of_fold(fold):
                scored.append(
                    _Scored(made, {length: _windows(model, made, length) for length in window_lengths(model, LENGTHS)})
                )
                if advance is not None:
                    advance(len(scored), maker.count)
    return scored


def _windows(model: Model, made: MadeSoundscape, length: Length) -> list[WindowScores]:
    window, hop = window_samples(model, *length)
    return [one for batch in score_batches(model, [made.wave_S], window, hop, batch_size=_BATCH) for one in batch]


def _with_models(run: OpenRun) -> list[int]:
    return [fold for fold in run.results.done if _model_of(run, fold).is_dir()]


def _models(run: OpenRun) -> list[Path]:
    """The final model, if there is one, and those of the folds that were kept.

    Those of a survey's folds belong to its cells and stay as they are.
    """
    final = [run.folder.model] if (run.folder.model / "model.json").is_file() else []
    if (run.folder.path / ROW).is_file():
        return final
    return [*final, *(_model_of(run, fold) for fold in _with_models(run))]


def _model_of(run: OpenRun, fold: int) -> Path:
    return run.folder.fold(fold) / "model"
