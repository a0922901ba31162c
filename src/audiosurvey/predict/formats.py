"""Answers as text: a table for people, CSV and JSON for programs, label tracks for Audacity.

A writer is told of each answer as it is known, and of the failures at the end.
"""

import csv
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from audiosurvey.atomic import replacing
from audiosurvey.predict.answers import Answer, Failure, Wording


class Writer:
    """Writes answers to an open text file."""

    def __init__(
        self,
        file: TextIO,
        wording: Wording,
        labels: Sequence[str],
        all_scores: bool = False,
        notes: bool = False,
    ) -> None:
        """`all_scores`: the score of every label too, where there is room for it and it is known; `notes`: the model
        knows its training clips, so that answers may have notes."""
        self.file, self.wording, self.labels = file, wording, labels
        self.all_scores, self.notes = all_scores, notes

    def begin(self) -> None:
        """Writes what stands before the first answer."""

    def answer(self, answer: Answer) -> None:
        """Writes one answer."""
        raise NotImplementedError

    def end(self, failures: Sequence[Failure]) -> None:
        """Writes what stands behind the last answer."""


class Table(Writer):
    """A line a sound; for a sound in windows or events its name, then a line for each."""

    _last: str | None = None

    def answer(self, answer: Answer) -> None:
        if answer.whole:
            said = "  ".join(f"{label} {score:.2f}" for label, score in answer.labels)
            print(f"{answer.name}: {said}{_marked(answer)}", file=self.file)
            return
        if answer.name != self._last:
            print(f"{answer.name}:", file=self.file)
            self._last = answer.name
        width = max(map(len, self.labels))
        if answer.mean is None:
            said = "  ".join(f"{label:{width}} {score:.2f}" for label, score in answer.labels)
        else:
            label, peak = answer.labels[0]
            said = f"{label:{width}}  peak {peak:.2f}  mean {answer.mean:.2f}"
        print(f"  {clock(answer.start_s)}  {clock(answer.end_s)}  {said}{_marked(answer)}", file=self.file)


class Csv(Writer):
    """A row an answer: path, start_s, end_s, label, score; mean for events; label_2, score_2, ... for more labels; note
    last, where the model knows its training clips."""

    def begin(self) -> None:
        self._csv = csv.writer(self.file, lineterminator="\n")
        columns = ["path", "start_s", "end_s", "label", "score"]
        if self.wording.events is not None:
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
        return 1 if self.wording.events is not None else min(self.wording.top, len(self.labels))

    def answer(self, answer: Answer) -> None:
        (label, score), *more = answer.labels[: self._num_labels]
        row: list[str] = [answer.name, f"{answer.start_s:.3f}", f"{answer.end_s:.3f}", label, f"{score:.6f}"]
        if self.wording.events is not None:
            row.append(f"{score if answer.mean is None else answer.mean:.6f}")
        for other, value in more:
            row += [other, f"{value:.6f}"]
        row += [""] * 2 * (self._num_labels - 1 - len(more))
        if self.all_scores:
            known = answer.score_K
            row += [""] * len(self.labels) if known is None else [f"{value:.6f}" for value in known]
        if self.notes:
            row.append("; ".join(answer.notes))
        self._csv.writerow(row)


class Json(Writer):
    """One object: `results`, an object a line, and `failed`. Whole as soon as the last line is written.

    A result has the key `note` only where there is something to note.
    """

    _any = False

    def begin(self) -> None:
        self.file.write('{"schema": 1, "results": [')

    def answer(self, answer: Answer) -> None:
        (label, score), *_ = answer.labels
        row: dict[str, Any] = {
            "path": answer.name,
            "start_s": round(answer.start_s, 3),
            "end_s": round(answer.end_s, 3),
            "label": label,
            "score": round(score, 6),
        }
        if answer.mean is not None:
            row["mean"] = round(answer.mean, 6)
        elif len(answer.labels) > 1:
            row["labels"] = {label: round(score, 6) for label, score in answer.labels}
        if self.all_scores and answer.score_K is not None:
            row["scores"] = {
                label: round(float(score), 6) for label, score in zip(self.labels, answer.score_K, strict=True)
            }
        if answer.notes:
            row["note"] = "; ".join(answer.notes)
        self.file.write((",\n" if self._any else "\n") + json.dumps(row, ensure_ascii=False, allow_nan=False))
        self._any = True

    def end(self, failures: Sequence[Failure]) -> None:
        failed = [{"path": failure.name, "reason": failure.reason} for failure in failures]
        self.file.write(f'\n], "failed": {json.dumps(failed, ensure_ascii=False)}}}\n')


class Audacity(Writer):
    """A label track: start, end and label between tabs, to be opened with File > Import > Labels."""

    def answer(self, answer: Answer) -> None:
        said = ", ".join(f"{label} {score:.2f}" for label, score in answer.labels)
        print(f"{answer.start_s:.6f}\t{answer.end_s:.6f}\t{said}", file=self.file)


@contextmanager
def opened_output(path: Path | None) -> Iterator[TextIO]:
    """A text file that takes its place when all is written, or (None) stdout, line by line."""
    if path is None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # Names that are not valid UTF-8 come out as the bytes that they are.
            errors = "surrogateescape" if sys.stdout.errors == "strict" else sys.stdout.errors
            sys.stdout.reconfigure(errors=errors, line_buffering=True)
        yield sys.stdout
        sys.stdout.flush()
        return
    with replacing(path) as beside, beside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield file


WRITERS: dict[str, type[Writer]] = {"table": Table, "csv": Csv, "json": Json, "audacity": Audacity}


def _marked(answer: Answer) -> str:
    """The notes in brackets, behind the rest of the line."""
    return f"  [{'; '.join(answer.notes)}]" if answer.notes else ""


def clock(seconds: float) -> str:
    """`1:02:03.4`."""
    tenths = round(seconds * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"
