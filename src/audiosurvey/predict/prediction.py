"""One prediction from beginning to end: sounds through the model, answers to the writer, failures counted.

Where there is a journal, what it holds is not scored again, and what is scored is written to it first.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.predict.answers import Failure, Wording, answers
from audiosurvey.predict.formats import Writer
from audiosurvey.predict.journal import Journal
from audiosurvey.predict.scan import Portion, Windowing, scan
from audiosurvey.predict.sources import FileSource, Source

Progress = Callable[[float], None]


@dataclass
class Outcome:
    """What a prediction came to."""

    sounds: int
    seconds: float = 0.0
    """Of sound that was gone through, what the journal held included."""
    scored_seconds: float = 0.0
    """Of sound that was scored now."""
    failures: list[Failure] = field(default_factory=list)
    answers: int = 0
    noted_answers: int = 0
    """Of stretches that lie outside the model's training clips."""
    noted: set[str] = field(default_factory=set)
    """Names of the sounds that have such an answer."""


def predict_sounds(
    model: Classifier,
    sources: Sequence[Source],
    how: Windowing,
    wording: Wording,
    writer: Writer,
    journal: Journal | None = None,
    progress: Progress = lambda share: None,
) -> Outcome:
    """Scores the sources and writes the answers, each as soon as it is known.

    `progress` is told the share of the work that is done, by the size of the files. Raises UserError for windows that
    the model cannot take.
    """
    outcome = Outcome(len(sources))
    meter = _Meter(sources, progress)
    writer.begin()
    with closing(_portions(model, sources, how, journal, outcome)) as portions:
        watched = _watched(portions, outcome, meter)
        names = [source.name for source in sources]
        for said in answers(watched, names, model.labels, wording, model.training_range):
            if isinstance(said, Failure):
                outcome.failures.append(said)
                continue
            outcome.answers += 1
            if said.notes:
                outcome.noted_answers += 1
                outcome.noted.add(said.name)
            writer.answer(said)
    writer.end(outcome.failures)
    return outcome


def _portions(
    model: Classifier, sources: Sequence[Source], how: Windowing, journal: Journal | None, outcome: Outcome
) -> Generator[Portion, None, None]:
    """All portions in the order of the sounds: those of the journal, and the rest as it is scored."""
    with closing(scan(model, sources, how, journal)) as groups:
        fresh = _fresh(groups, journal)
        for sound in range(len(sources)):
            if journal is not None:
                yield from journal.portions(sound)
                if journal.is_done(sound):
                    continue
            for portion in fresh:
                if portion.windows:
                    outcome.scored_seconds += portion.windows[-1].end_s - portion.windows[0].start_s
                yield portion
                if portion.done:
                    break


def _fresh(groups: Iterator[list[Portion]], journal: Journal | None) -> Iterator[Portion]:
    for group in groups:
        if journal is not None:
            journal.write(group)
        yield from group


def _watched(portions: Iterator[Portion], outcome: Outcome, meter: "_Meter") -> Iterator[Portion]:
    end_s = 0.0
    for portion in portions:
        if portion.windows:
            end_s = portion.windows[-1].end_s
        meter.move(portion.sound, end_s, done=portion.done)
        yield portion
        if portion.done:
            outcome.seconds += end_s
            end_s = 0.0


class _Meter:
    """The share of the work that is done, by bytes: their number is known before a file is opened."""

    def __init__(self, sources: Sequence[Source], progress: Progress) -> None:
        self._sources, self._progress = sources, progress
        self._sizes = [max(1, source.size) if isinstance(source, FileSource) else 1 for source in sources]
        self._total, self._before = sum(self._sizes), 0
        self._within: tuple[int, float | None] = (-1, None)

    def move(self, sound: int, end_s: float, *, done: bool) -> None:
        if done:
            self._before += self._sizes[sound]
            self._progress(self._before / self._total)
            return
        source = self._sources[sound]
        if self._within[0] != sound:
            self._within = (sound, source.seconds() if isinstance(source, FileSource) else None)
        seconds = self._within[1]
        if seconds:
            self._progress((self._before + self._sizes[sound] * min(1.0, end_s / seconds)) / self._total)
