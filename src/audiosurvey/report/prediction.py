"""What a prediction came to, in lines."""

from audiosurvey.predict.prediction import PredictionSummary
from audiosurvey.predict.prediction_log import PredictionLog
from audiosurvey.report.units import duration


def resumed_lines(journal: PredictionLog | None, sounds: int) -> list[str]:
    if journal is None or not journal.num_done:
        return []
    return [f"going on: {journal.num_done} of {sounds} sounds were scored before"]


def prediction_lines(outcome: PredictionSummary, seconds: float) -> list[str]:
    """Speed, sounds outside the range of the training clips, and failures; `seconds`: time it took."""
    lines = []
    if outcome.sounds > 1 or outcome.seconds > 60:
        hours = outcome.scored_seconds / 3600
        pace = f", {60 * hours / seconds:.3g} h a minute" if hours > 0 else ""
        number = f"{outcome.sounds} sounds" if outcome.sounds > 1 else "1 sound"
        lines.append(f"{number}, {duration(outcome.seconds)} of sound, in {duration(seconds)}{pace}")
    if outcome.noted:
        sounds = f"{len(outcome.noted)} of {outcome.sounds} sounds"
        answers = f" ({outcome.noted_answers} of {outcome.answers} answers)" if outcome.answers > outcome.sounds else ""
        lines.append(f"{sounds}{answers} lie outside what the model was trained on: see their notes")
    if outcome.failures:
        lines.append(f"{len(outcome.failures)} of {outcome.sounds} failed:")
        lines += [f"  {failure.name}: {failure.reason}" for failure in outcome.failures]
    return lines
