"""A prediction from beginning to end: score sounds, write predictions, collect failures.

With a log of an interrupted run, recorded sounds are not scored again; new scores are appended to it first.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.load import load
from audiosurvey.prediction.clip_choice import ClipChoice
from audiosurvey.prediction.clip_files import ChoosingWriter, WrittenClips, new_folder, write_clips
from audiosurvey.prediction.inputs import open_sources
from audiosurvey.prediction.options import PredictOptions
from audiosurvey.prediction.postprocessing import FailedSound, Postprocessing, make_predictions
from audiosurvey.prediction.prediction_log import PredictionLog, model_digest, open_prediction_log
from audiosurvey.prediction.sources import FileSource, SoundSource
from audiosurvey.prediction.window_scoring import WindowGroup, Windowing, score_sources
from audiosurvey.prediction.writers import PREDICTION_WRITERS, PredictionWriter, open_output
from audiosurvey.threads import threads
from audiosurvey.training.devices import check_device


@dataclass
class PredictionSummary:
    """Counts of a prediction."""

    sounds: int
    seconds: float = 0.0
    """Total length of the sounds, including those in the log."""
    scored_seconds: float = 0.0
    """Length scored in this run."""
    failures: list[FailedSound] = field(default_factory=list)
    answers: int = 0
    """Number of predictions."""
    noted_answers: int = 0
    """Number of predictions with notes."""
    noted: set[str] = field(default_factory=set)
    """Names of the sounds that have such a prediction."""
    clips: WrittenClips | None = None
    """Of `--clips`."""
    elapsed_s: float = 0.0
    """Time it took, without loading the model."""


class PredictionListener:
    """Listens to a prediction. This one stays silent; subclasses override what they are interested in."""

    def resumed(self, done: int, sounds: int) -> None:
        """An interrupted prediction continues, which has scored `done` of the sounds."""

    def windowed(self, how: str) -> None:
        """The first sound is processed window by window. `how`: windows, and what makes an event."""

    def bar(self) -> AbstractContextManager[Callable[[float], None]]:
        """Progress, as the share of the work done. Not opened for a microphone or a stream."""
        return nullcontext(lambda share: None)


def predict(
    path: str, words: Sequence[str], options: PredictOptions, listener: PredictionListener = PredictionListener()
) -> PredictionSummary:
    """Score sounds with the model at `path` and write the predictions to a file or to stdout.

    `words`: paths, `-`, or `--mic`. Raises UserError for options that do not fit the sounds or the model.
    """
    with threads(options.threads or torch.get_num_threads()):
        return _predict(path, words, options, listener)


def _predict(
    path: str, words: Sequence[str], options: PredictOptions, listener: PredictionListener
) -> PredictionSummary:
    check_device(options.device)
    options.check_clips(words)
    model = load(path, trust=options.trust, threads=options.threads)
    model.to(options.device)
    how, postprocessing, digest = (
        options.windowing(model),
        options.postprocessing(model),
        model_digest(model, Path(path)),
    )
    told = partial(listener.windowed, options.described(model))
    began = time.monotonic()
    with open_sources(words, options.pcm(), whole=options.whole) as sources:
        options.check_sources(sources)
        options.check_target(Path(path), sources)
        live = any(source.live for source in sources)
        postprocessing = replace(postprocessing, live=live)
        with open_prediction_log(options.output, digest, how, sources, options.restart) as log:
            if log is not None and log.num_done:
                listener.resumed(log.num_done, len(sources))
            shown = PredictionListener().bar() if live else listener.bar()
            # The folder of clips appears at last: until then, the same command goes on from its log.
            folder = nullcontext(Path()) if options.clips is None else new_folder(options.clips)
            with shown as advance, folder as beside, open_output(options.output) as file:
                make = PREDICTION_WRITERS[options.format]
                notes, top_hz = model.training_range is not None, model.sample_rate / 2
                writer = make(file, postprocessing, model.labels, options.all_scores(model), notes, top_hz)
                choice = ClipChoice(options.most_clips)
                if options.clips is not None:
                    writer = ChoosingWriter(writer, choice)
                summary = predict_sounds(model, sources, how, postprocessing, writer, log, advance, told)
                if options.clips is not None:
                    files = [source for source in sources if isinstance(source, FileSource)]
                    summary.clips = write_clips(beside, options.clips, choice, files)
                    summary.failures += summary.clips.failures
    summary.elapsed_s = time.monotonic() - began
    return summary


def predict_sounds(
    model: Classifier,
    sources: Sequence[SoundSource],
    how: Windowing,
    postprocessing: Postprocessing,
    writer: PredictionWriter,
    log: PredictionLog | None = None,
    progress: Callable[[float], None] = lambda share: None,
    windowed: Callable[[], None] = lambda: None,
) -> PredictionSummary:
    """Score the sources and write each prediction as soon as it is known.

    `progress` receives the share of work done, by file size; `windowed` is called before the first sound that is gone
    through window by window. Raises UserError for a window or hop below one sample.
    """
    summary = PredictionSummary(len(sources))
    writer.begin()
    with closing(_groups(model, sources, how, log, summary, _ProgressMeter(sources, progress))) as groups:
        names = [source.name for source in sources]
        for result in make_predictions(
            _told(groups, windowed), names, model.labels, postprocessing, model.training_range
        ):
            if isinstance(result, FailedSound):
                summary.failures.append(result)
                continue
            summary.answers += 1
            if result.notes:
                summary.noted_answers += 1
                summary.noted.add(result.name)
            writer.write(result)
    writer.end(summary.failures)
    return summary


def _told(groups: Iterable[WindowGroup], windowed: Callable[[], None]) -> Iterator[WindowGroup]:
    told = False
    for group in groups:
        if not (group.whole or told):
            windowed()
            told = True
        yield group


def _groups(
    model: Classifier,
    sources: Sequence[SoundSource],
    how: Windowing,
    log: PredictionLog | None,
    summary: PredictionSummary,
    meter: "_ProgressMeter",
) -> Generator[WindowGroup, None, None]:
    """All groups in the order of the sounds, from the log and newly scored."""
    done, skip = (log.done, log.num_windows) if log is not None else (set[int](), None)
    with closing(score_sources(model, sources, how, done=done, skip=skip)) as scored:
        new = _logged(scored, log)
        for sound in range(len(sources)):
            end_s = 0.0
            for group in log.groups(sound) if log is not None else ():
                end_s = group.windows[-1].end_s if group.windows else end_s
                meter.move(sound, end_s, done=group.done)
                yield group
            while sound not in done:
                group = next(new)
                if group.windows:
                    end_s = group.windows[-1].end_s
                    summary.scored_seconds += end_s - group.windows[0].start_s
                meter.move(sound, end_s, done=group.done)
                yield group
                if group.done:
                    break
            summary.seconds += end_s


def _logged(
    scored: Generator[list[WindowGroup], None, None], log: PredictionLog | None
) -> Generator[WindowGroup, None, None]:
    for groups in scored:
        if log is not None:
            log.write(groups)
        yield from groups


class _ProgressMeter:
    """The share of work done, by bytes, which are known before a file is opened."""

    def __init__(self, sources: Sequence[SoundSource], progress: Callable[[float], None]) -> None:
        self._sources, self._progress = sources, progress
        self._sizes = [max(1, source.size) if isinstance(source, FileSource) else 1 for source in sources]
        self._total, self._before = sum(self._sizes), 0
        self._current: tuple[int, float | None] = (-1, None)
        """Index and length of the current sound."""

    def move(self, sound: int, end_s: float, *, done: bool) -> None:
        if done:
            self._before += self._sizes[sound]
            self._progress(self._before / self._total)
            return
        source = self._sources[sound]
        if self._current[0] != sound:
            self._current = (sound, source.seconds() if isinstance(source, FileSource) else None)
        if seconds := self._current[1]:
            self._progress((self._before + self._sizes[sound] * min(1.0, end_s / seconds)) / self._total)
