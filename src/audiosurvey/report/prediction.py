"""The result of a prediction, in lines."""

from audiosurvey.predict.prediction import PredictionSummary
from audiosurvey.predict.prediction_log import PredictionLog
from audiosurvey.report.units import duration


def resumed_lines(log: PredictionLog | None, sounds: int) -> list[str]:
    if log is None or not log.num_done:
        return []
    return [f"going on: {log.num_done} of {sounds} sounds were scored before"]


def prediction_lines(result: PredictionSummary, seconds: float) -> list[str]:
    """Speed, sounds outside the range of the training clips, and failures; `seconds`: time it took."""
    lines = []
    if result.sounds > 1 or result.seconds > 60:
        hours = result.scored_seconds / 3600
        pace = f", {60 * hours / seconds:.3g} h a minute" if hours > 0 else ""
        number = f"{result.sounds} sounds" if result.sounds > 1 else "1 sound"
        lines.append(f"{number}, {duration(result.seconds)} of sound, in {duration(seconds)}{pace}")
    if result.noted:
        sounds = f"{len(result.noted)} of {result.sounds} sounds"
        answers = f" ({result.noted_answers} of {result.answers} answers)" if result.answers > result.sounds else ""
        lines.append(f"{sounds}{answers} lie outside what the model was trained on: see their notes")
    if result.failures:
        lines.append(f"{len(result.failures)} of {result.sounds} failed:")
        lines += [f"  {failure.name}: {failure.reason}" for failure in result.failures]
    return lines
