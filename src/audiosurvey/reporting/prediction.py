"""What the command line shows of a prediction."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from audiosurvey.errors import number_of
from audiosurvey.pages.units import duration
from audiosurvey.prediction.clip_files import TABLE, WrittenClips
from audiosurvey.prediction.prediction import PredictionListener, PredictionSummary
from audiosurvey.reporting.console import share_bar

_SHORT_S = 20
"""Seconds."""


class TerminalPrediction(PredictionListener):
    """Shows progress on stderr."""

    def resumed(self, done: int, sounds: int) -> None:
        print(f"continuing: {done} of {sounds} sounds were scored before", file=sys.stderr)

    def windowed(self, how: str) -> None:
        print(how, file=sys.stderr)

    def bar(self) -> AbstractContextManager[Callable[[float], None]]:
        return share_bar("predicting")


def prediction_lines(result: PredictionSummary) -> list[str]:
    """Speed, sounds outside the range of the training clips, and failures."""
    lines = []
    if result.sounds > 1 or result.seconds > 60:
        hours = result.scored_seconds / 3600
        # The speed of a short job is that of starting up.
        pace = f", {60 * hours / result.elapsed_s:.3g} hours per minute" if result.elapsed_s > _SHORT_S else ""
        sounds = f"{number_of(result.sounds, 'sound')}, {duration(result.seconds)} of sound"
        lines.append(f"{sounds}, in {duration(result.elapsed_s)}{pace}")
    if result.noted:
        sounds = f"{len(result.noted)} of {result.sounds} sounds"
        answers = f" ({result.noted_answers} of {result.answers} predictions)" if result.answers > result.sounds else ""
        lines.append(f"{sounds}{answers} are outside the range of the training clips: see their notes")
    if result.clips is not None:
        lines.append(_clips_line(result.clips))
    if result.failures:
        lines.append(f"{len(result.failures)} of {result.sounds} failed:")
        lines += [f"  {failure.name}: {failure.reason}" for failure in result.failures]
    return lines


def _clips_line(clips: WrittenClips) -> str:
    if not clips.num_clips:
        return "no events, so no clips were written"
    many = f"{number_of(clips.num_clips, 'clip')} of {number_of(clips.num_labels, 'label')}"
    return f"{many}: {(clips.folder / TABLE).as_posix()}"
