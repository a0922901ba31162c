"""Counts of events or segments that are right, missing or too many, and the F1 score made from them."""

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one label, or over all of them."""

    true: int = 0
    """Those in the annotations."""
    found: int = 0
    hits: int = 0
    """Those found that are right."""
    substitutions: int = 0
    """Those found at the right time under another label; counted over all labels together only."""

    @property
    def deletions(self) -> int:
        """Those that were missed."""
        return self.true - self.hits - self.substitutions

    @property
    def insertions(self) -> int:
        """Those found where there is none."""
        return self.found - self.hits - self.substitutions

    @property
    def precision(self) -> float | None:
        """None if nothing was found."""
        return self.hits / self.found if self.found else None

    @property
    def recall(self) -> float | None:
        """None if there is nothing to find."""
        return self.hits / self.true if self.true else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall; None if there is nothing to find, and nothing was found."""
        return 2 * self.hits / (self.true + self.found) if self.true + self.found else None

    @property
    def error_rate(self) -> float | None:
        """Substitutions, deletions and insertions for each that is true; may be above 1. None if there is none."""
        wrong = self.substitutions + self.deletions + self.insertions
        return wrong / self.true if self.true else None

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Counts)))

    def as_json(self) -> dict[str, float | int | None]:
        names = (
            *("true", "found", "hits", "substitutions", "deletions", "insertions"),
            *("precision", "recall", "f1", "error_rate"),
        )
        return {name: getattr(self, name) for name in names}
