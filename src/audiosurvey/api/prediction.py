"""Predictions of sounds of any length, one sound after another."""

import itertools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from audiosurvey.api.arguments import PathLike, need_at_least
from audiosurvey.api.progress import ShowProgress
from audiosurvey.api.state import keeps_state, stepwise

if TYPE_CHECKING:
    from audiosurvey.artefact.classifier import Classifier
    from audiosurvey.prediction.options import PredictOptions
    from audiosurvey.prediction.postprocessing import Prediction
    from audiosurvey.prediction.sources import SoundSource


@dataclass(frozen=True)
class SoundPrediction:
    """What was predicted of one sound.

    Attributes:
        name: the path of the sound; for an array `array 1`, `array 2`, ...
        predictions: one for a short sound; for a long one its events, or its windows, in order. None of them for a
            sound without events, and for a sound that could not be read.
        fault: why the sound could not be read, or not to its end; else None.
    """

    name: str
    predictions: "tuple[Prediction, ...]"
    fault: str | None = None

    @property
    def label(self) -> str | None:
        """The best label of a sound that got a single prediction; None for others."""
        return self.predictions[0].labels[0][0] if self._whole else None

    @property
    def score(self) -> float | None:
        """The score of `label`."""
        return self.predictions[0].labels[0][1] if self._whole else None

    @property
    def _whole(self) -> bool:
        return len(self.predictions) == 1 and self.predictions[0].whole


@keeps_state
def predict(
    model: "Classifier | PathLike",
    sounds: Any,
    *,
    sample_rate: int | None = None,
    whole: bool = False,
    window_s: float | None = None,
    hop_s: float | None = None,
    top: int | None = None,
    threshold: float | str | None = None,
    smooth: int | str | None = None,
    remove_background: bool | None = None,
    events: bool | None = None,
    on: float | None = None,
    off: float | None = None,
    min_duration_s: float | None = None,
    min_gap_s: float | None = None,
    batch_size: int = 8,
    device: str = "auto",
    threads: int | None = None,
    trust: bool = False,
    progress: ShowProgress = False,
) -> Iterator[SoundPrediction]:
    """Predicts the classes of sounds of any kind and length, in bounded memory.

    A sound of up to 30 s (or of one window of the model, if that is longer) gets one prediction. Longer sounds are
    predicted window by window, and the windows are joined into events.

    Args:
        model: a loaded model, a model folder, a run with one, or an exported file.
        sounds: a sound or a list of them: paths, folders (with subfolders), patterns, or arrays as in
            `Classifier.predict`.
        sample_rate: of arrays, in Hz; None: that of the model.
        whole: one prediction for each sound, whatever its length.
        window_s: predict all sounds in windows of this many seconds.
        hop_s: seconds from window to window; None: half a window for events, else a whole one.
        top: most labels of a prediction; None: one, and for events any number at the same time.
        threshold: score that the best label must reach, else it is `unknown`; `"model"`: the model's own thresholds.
        smooth: moving average over so many windows; `"median:5"` for the median.
        remove_background: subtract what each label scores steadily in a long recording; None: as the model says.
        events: join windows into events; None: unless `whole` is given.
        on: an event begins at this score; None: the model's, or 0.5.
        off: an event ends below this score.
        min_duration_s: drop events of fewer seconds.
        min_gap_s: join events up to so many seconds apart.
        batch_size: windows scored at once.
        device: as in `train`.
        threads: processor threads; None: as many as torch uses now.
        trust: also open .pt2 files, which can run code of their author.
        progress: see `audiosurvey.Progress`; counts sounds.

    Returns:
        An iterator over the sounds in their order; each is scored when it is asked for.

    Raises:
        UserError: at once, for arguments that do not fit, and if there is no such model or sound.
    """
    from audiosurvey.prediction.options import PredictOptions
    from audiosurvey.training.devices import check_device

    need_at_least(1, top=top, batch_size=batch_size, threads=threads)
    options = PredictOptions(
        whole=whole,
        window_s=window_s,
        hop_s=hop_s,
        top=top,
        threshold=None if threshold is None else str(threshold),
        smooth=None if smooth is None else str(smooth),
        remove_background=remove_background,
        events=None if whole and events is None else events is not False,
        on=on,
        off=off,
        min_duration_s=min_duration_s,
        min_gap_s=min_gap_s,
        format="json",
        batch_size=batch_size,
        device=device,
        threads=threads,
        trust=trust,
    )
    options.check()
    check_device(device)
    loaded = opened_model(model, trust=trust)
    sources = sources_of(sounds, loaded, sample_rate)
    # Arguments that do not fit the model are refused before the first sound.
    options.windowing(loaded)
    options.postprocessing(loaded)
    return stepwise(_predictions(loaded, sources, options, progress))


def _predictions(
    model: "Classifier", sources: "Sequence[SoundSource]", options: "PredictOptions", progress: ShowProgress
) -> Generator[SoundPrediction, None, None]:
    import torch

    from audiosurvey.api.bars import bar_of
    from audiosurvey.prediction.postprocessing import FailedSound, predictions_by_sound
    from audiosurvey.prediction.window_scoring import score_sources

    model.to(options.device)
    how, postprocessing = options.windowing(model), options.postprocessing(model)
    names = [source.name for source in sources]
    with closing(score_sources(model, sources, how)) as scored, bar_of(progress)("predicting") as advance:
        groups = itertools.chain.from_iterable(scored)
        found = predictions_by_sound(groups, names, model.labels, postprocessing, model.training_range)
        for done in range(1, len(sources) + 1):
            # Set anew for each sound: between two of them, the caller's threads are used.
            if options.threads is not None:
                torch.set_num_threads(options.threads)
            name, results = next(found)
            listed = list(results)
            if advance:
                advance(done, len(sources))
            faults = [one.reason for one in listed if isinstance(one, FailedSound)]
            kept = tuple(one for one in listed if not isinstance(one, FailedSound))
            yield SoundPrediction(name, kept, faults[-1] if faults else None)


def opened_model(model: "Classifier | PathLike", *, trust: bool = False) -> "Classifier":
    """A loaded model as it is, or the one at a path. Raises UserError for anything else."""
    from audiosurvey.artefact.arrays import is_path
    from audiosurvey.artefact.classifier import Classifier
    from audiosurvey.artefact.load import load
    from audiosurvey.errors import UserError

    if isinstance(model, Classifier):
        return model
    if not is_path(model):
        own = "; of a fitted AudioClassifier, give its model_" if hasattr(model, "model_") else ""
        raise UserError(f"model: expected a path or a loaded model, not {type(model).__name__}{own}")
    return load(str(model), trust=trust)


def sources_of(
    sounds: Any,
    model: "Classifier",
    sample_rate: int | None,
    find: "Callable[[Sequence[str]], Sequence[SoundSource]] | None" = None,
) -> "list[SoundSource]":
    """Files in the order of the paths, each once, and arrays. `find`: the sounds that paths stand for; None: files,
    those in folders, and those that match patterns."""
    from audiosurvey.artefact.arrays import is_path, rate_of, several, wave_of
    from audiosurvey.errors import UserError
    from audiosurvey.prediction.array_source import ArraySource
    from audiosurvey.prediction.sources import find_sources

    find = find or find_sources
    rate = model.sample_rate if sample_rate is None else rate_of(sample_rate)
    given, _ = several(sounds)
    if not given:
        raise UserError("which sounds? give paths, folders, patterns or arrays")
    if all(map(is_path, given)):
        return list(find([str(one) for one in given]))
    found: list[SoundSource] = []
    for number, one in enumerate(given, 1):
        if is_path(one):
            found += find([str(one)])
        else:
            found.append(ArraySource(wave_of(one, model.facts["mono"]), rate, f"array {number}"))
    return found
