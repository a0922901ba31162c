"""A prediction from beginning to end: score sounds, write predictions, collect failures.

With a log of an interrupted run, recorded sounds are not scored again; new scores are appended to it first.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.predict.postprocessing import FailedSound, Postprocessing, make_predictions
from audiosurvey.predict.prediction_log import PredictionLog
from audiosurvey.predict.sources import FileSource, SoundSource
from audiosurvey.predict.window_scoring import WindowGroup, Windowing, score_sources
from audiosurvey.predict.writers import PredictionWriter


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


def predict_sounds(
    model: Classifier,
    sources: Sequence[SoundSource],
    how: Windowing,
    postprocessing: Postprocessing,
    writer: PredictionWriter,
    log: PredictionLog | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> PredictionSummary:
    """Score the sources and write each prediction as soon as it is known.

    `progress` receives the share of work done, by file size. Raises UserError for a window or hop below one sample.
    """
    summary = PredictionSummary(len(sources))
    writer.begin()
    with closing(_groups(model, sources, how, log, summary, _ProgressMeter(sources, progress))) as groups:
        names = [source.name for source in sources]
        for result in make_predictions(groups, names, model.labels, postprocessing, model.training_range):
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
