"""Predictions as text: for people, as CSV and JSON, as label tracks of Audacity, and as selection tables of Raven."""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from audiosurvey.artefact.decision import UNKNOWN
from audiosurvey.atomic import replacing
from audiosurvey.prediction.postprocessing import FailedSound, Postprocessing, Prediction

RAVEN_COLUMNS = (
    *("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)"),
    *("Begin Path", "Begin File", "Species", "Score"),
)


class PredictionWriter:
    """Writes predictions to an open text file, each as soon as it is known."""

    def __init__(
        self,
        file: TextIO,
        how: Postprocessing,
        labels: Sequence[str],
        all_scores: bool = False,
        notes: bool = False,
        top_hz: float = 0.0,
    ) -> None:
        """`all_scores`: also write the scores of all labels, where the format has room; `notes`: predictions may have
        notes, because the model has a training range; `top_hz`: the highest frequency that the model receives."""
        self.file, self.how, self.labels = file, how, labels
        self.all_scores, self.notes, self.top_hz = all_scores, notes, top_hz

    def begin(self) -> None:
        """Write the beginning of the file."""

    def write(self, prediction: Prediction) -> None:
        """Write one prediction."""
        raise NotImplementedError

    def end(self, failures: Sequence[FailedSound]) -> None:
        """Write the end of the file."""


class TableWriter(PredictionWriter):
    """A line for each sound; for windows or events the name of the sound, then a line for each."""

    _last: str | None = None

    def write(self, prediction: Prediction) -> None:
        width = 0 if prediction.whole else max(map(len, self.labels))
        text = "  ".join(f"{label:{width}} {score:.2f}" for label, score in prediction.labels)
        if prediction.mean is not None:
            label, peak = prediction.labels[0]
            text = f"{label:{width}}  peak {peak:.2f}  mean {prediction.mean:.2f}"
        if prediction.notes:
            text += f"  [{'; '.join(prediction.notes)}]"
        if prediction.whole:
            print(f"{prediction.name}: {text}", file=self.file)
            return
        if prediction.name != self._last:
            print(f"{prediction.name}:", file=self.file)
            self._last = prediction.name
        print(f"  {clock(prediction.start_s)}  {clock(prediction.end_s)}  {text}", file=self.file)


class CsvWriter(PredictionWriter):
    """A row for each prediction: path, start_s, end_s, label, score; for events mean; for more labels label_2, score_2,
    ...; with a training range note."""

    def begin(self) -> None:
        self._csv = csv.writer(self.file, lineterminator="\n")
        columns = ["path", "start_s", "end_s", "label", "score"]
        if self.how.events is not None:
            columns.append("mean")
        for number in range(2, self._num_labels + 1):
            columns += [f"label_{number}", f"score_{number}"]
        if self.all_scores:
            columns += [f"p:{label}" for label in self.labels]
        if self.notes:
            columns.append("note")
        self._csv.writerow(columns)

    @property
    def _num_labels(self) -> int:
        return 1 if self.how.events is not None else min(self.how.top, len(self.labels))

    def write(self, prediction: Prediction) -> None:
        (label, score), *more = prediction.labels[: self._num_labels]
        times = [f"{prediction.start_s:.3f}", f"{prediction.end_s:.3f}"]
        row: list[str] = [prediction.name, *times, label, f"{score:.6f}"]
        if self.how.events is not None:
            row.append(f"{score if prediction.mean is None else prediction.mean:.6f}")
        for other, value in more:
            row += [other, f"{value:.6f}"]
        row += [""] * 2 * (self._num_labels - 1 - len(more))
        if self.all_scores:
            score_K = prediction.score_K
            row += [""] * len(self.labels) if score_K is None else [f"{value:.6f}" for value in score_K]
        if self.notes:
            row.append("; ".join(prediction.notes))
        self._csv.writerow(row)


class JsonWriter(PredictionWriter):
    """One object with `results`, an object on each line, and `failed`.

    A result has the key `note` only if there is something to note.
    """

    _any = False

    def begin(self) -> None:
        self.file.write('{"schema": 1, "results": [')

    def write(self, prediction: Prediction) -> None:
        (label, score), *_ = prediction.labels
        row: dict[str, Any] = {
            "path": prediction.name,
            "start_s": round(prediction.start_s, 3),
            "end_s": round(prediction.end_s, 3),
            "label": label,
            "score": round(score, 6),
        }
        if prediction.mean is not None:
            row["mean"] = round(prediction.mean, 6)
        elif len(prediction.labels) > 1:
            row["labels"] = {label: round(score, 6) for label, score in prediction.labels}
        if self.all_scores and prediction.score_K is not None:
            pairs = zip(self.labels, prediction.score_K, strict=True)
            row["scores"] = {label: round(float(score), 6) for label, score in pairs}
        if prediction.notes:
            row["note"] = "; ".join(prediction.notes)
        self.file.write((",\n" if self._any else "\n") + json.dumps(row, ensure_ascii=False, allow_nan=False))
        self._any = True

    def end(self, failures: Sequence[FailedSound]) -> None:
        failed = [{"path": failure.name, "reason": failure.reason} for failure in failures]
        self.file.write(f'\n], "failed": {json.dumps(failed, ensure_ascii=False)}}}\n')


class AudacityWriter(PredictionWriter):
    """A label track for File > Import > Labels: start, end and label, separated by tabs."""

    def write(self, prediction: Prediction) -> None:
        text = ", ".join(f"{label} {score:.2f}" for label, score in prediction.labels)
        print(f"{prediction.start_s:.6f}\t{prediction.end_s:.6f}\t{text}", file=self.file)


class RavenWriter(PredictionWriter):
    """A selection table for Raven: a row for each label, with times from the start of its recording.

    The frequencies are all that the model receives, since it tells nothing of the band of a label. Stretches without a
    label are left out.
    """

    _selection = 0

    def begin(self) -> None:
        self._table = csv.writer(self.file, delimiter="\t", lineterminator="\n")
        self._table.writerow(RAVEN_COLUMNS)

    def write(self, prediction: Prediction) -> None:
        path = Path(prediction.name)
        place = path.absolute() if path.is_file() else path
        times = [f"{prediction.start_s:.6f}", f"{prediction.end_s:.6f}"]
        for label, score in prediction.labels:
            if label != UNKNOWN:
                self._selection += 1
                where = [self._selection, "Spectrogram 1", 1, *times, "0.0", f"{self.top_hz:.1f}"]
                self._table.writerow([*where, place, path.name, label, f"{score:.6f}"])


PREDICTION_WRITERS: dict[str, type[PredictionWriter]] = {
    "table": TableWriter,
    "csv": CsvWriter,
    "json": JsonWriter,
    "audacity": AudacityWriter,
    "raven": RavenWriter,
}


@contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """A text file that replaces `path` once it is complete, or stdout (None), flushed after every line."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # File names that are not valid UTF-8 are written as their bytes.
            errors = "surrogateescape" if sys.stdout.errors == "strict" else sys.stdout.errors
            sys.stdout.reconfigure(errors=errors, line_buffering=True)
        yield sys.stdout
        sys.stdout.flush()
        return
    with replacing(path) as beside, beside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield file


def clock(seconds: float) -> str:
    """`1:02:03.4`."""
    tenths = round(seconds * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"
