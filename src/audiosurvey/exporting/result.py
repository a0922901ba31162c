"""The result of an export: the file, its differences to the model, and the text about them."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audiosurvey.exporting.parity import BatchDifference

NOT_RUN = "not verified: Core ML runs on macOS only; the same command on a Mac compares the scores with the model's"


@dataclass(frozen=True)
class ExportResult:
    """An exported file and its differences to the model."""

    path: Path
    format: str
    megabytes: float
    tolerance: float
    clip_seconds: float
    one_length: bool
    """Whether the file accepts only waves of one window."""
    golden: float | None = None
    """Largest difference of the scores of the golden clips; None for a model without any."""
    compared: list[BatchDifference] = field(default_factory=list)
    """Empty for a Core ML package written on another system than macOS, which cannot run it."""
    same_label: float | None = None
    """For 8 bits: share of the calibration windows with the same best label as in the model."""
    ms: float | None = None
    """Processor time of one clip of `clip_seconds` in a batch of one; None if the file was not run."""
    torch_ms: float | None = None

    @property
    def difference(self) -> float | None:
        """The difference that is compared with the tolerance: the largest; for 8 bits the mean over the windows.

        None if the file was not run."""
        if not self.compared:
            return None
        golden = [self.golden] if self.golden is not None and self.same_label is None else []
        return max(*golden, *(row.difference for row in self.compared if row.difference is not None), 0.0)

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"path": self.path.as_posix(), "difference": self.difference}

    def facts(self) -> list[str]:
        """A line for each fact, without the table of differences."""
        lines = [f"{self.format}, {self.megabytes:.2f} MB"]
        if self.ms is not None and self.torch_ms is not None:
            lines.append(
                f"{self.ms:.1f} ms for a clip of {self.clip_seconds:g} s; the model in torch: {self.torch_ms:.1f} ms "
                f"({self.torch_ms / self.ms:.2g} times as long)"
            )
        if self.one_length:
            lines.append(f"accepts only waves of {self.clip_seconds:g} s, as cut by `predict`")
        if self.difference is None:
            return [*lines, NOT_RUN]
        if self.golden is not None:
            lines.append(f"golden clips: largest difference of scores {self.golden:.1e}")
        if self.same_label is not None:
            clips = self.compared[0].batch
            return [
                *lines,
                f"scores differ by {self.difference:.1e} (largest of a clip, mean over {clips} clips; allowed: "
                f"{self.tolerance:g}); the best label is the same for {self.same_label:.1%} of them",
            ]
        return [*lines, f"largest difference of scores: {self.difference:.1e} (allowed: {self.tolerance:g})"]

    def differences(self) -> tuple[list[float], dict[int, list[float | None]]]:
        """The lengths of the sounds in seconds, and the difference for each of them, by batch size; none for 8 bits."""
        compared = self.compared if self.same_label is None else []
        lengths = list(dict.fromkeys(row.seconds for row in compared))
        found = {(row.batch, row.seconds): row.difference for row in compared}
        batches = dict.fromkeys(row.batch for row in compared)
        return lengths, {batch: [found[batch, seconds] for seconds in lengths] for batch in batches}

    def lines(self) -> list[str]:
        """The facts and the differences as Markdown, for the model card."""
        facts = [f"- {fact}" for fact in self.facts()]
        lengths, rows = self.differences()
        if not rows:
            return facts
        head = [f"| batch | {' | '.join(f'{seconds:g} s' for seconds in lengths)} |", "|---" * (len(lengths) + 1) + "|"]
        return [
            *facts,
            "",
            *head,
            *(f"| {batch} | {' | '.join(map(shown_difference, row))} |" for batch, row in rows.items()),
        ]


def shown_difference(difference: float | None) -> str:
    """A difference of scores as in tables."""
    return "not compared: too slow" if difference is None else f"{difference:.1e}"
