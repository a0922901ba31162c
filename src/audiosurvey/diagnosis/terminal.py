"""The audit of a data set on the terminal: a row for each check, with its most important findings."""

from collections import Counter
from itertools import groupby

from rich.console import Console

from audiosurvey.data.other.reading import is_other
from audiosurvey.diagnosis.audit import Diagnosis
from audiosurvey.diagnosis.finding import SEVERITIES, Finding, Severity
from audiosurvey.errors import number_of, some_of
from audiosurvey.pages.columns import Column
from audiosurvey.pages.terminal_table import FittedTable
from audiosurvey.pages.units import duration

SHOWN = {"spoils a result": 5, "worth a look": 3, "note": 1}
"""Findings shown for each check, by severity."""
_SHOWN_CLIPS = 3
_STYLE = {"spoils a result": "bold red", "worth a look": "yellow", "note": "dim"}
COUNTED = {"spoils a result": "would spoil a result", "worth a look": "worth a look", "note": "for the record"}


def print_diagnosis(diagnosis: Diagnosis, console: Console, *, everything: bool = False) -> None:
    """Print what was audited, a row for each check with findings, and the counts. `everything`: print all findings."""
    for line in describe_data(diagnosis):
        console.print(line, soft_wrap=True, markup=False)
    if diagnosis.findings:
        console.print(_table(diagnosis, everything=everything))
    console.print(summary(diagnosis), soft_wrap=True)


def _table(diagnosis: Diagnosis, *, everything: bool) -> FittedTable:
    checks, counts, cells = list[str](), list[str](), list[str]()
    styles: dict[str, str] = dict(_STYLE)
    for severity, check, findings in by_check(diagnosis):
        shown = findings if everything else findings[: SHOWN[severity]]
        lines = [findings[0].title, *map(finding_text, shown)]
        styles[findings[0].title] = "bold"
        if len(findings) > len(shown):
            lines.append(f"... and {len(findings) - len(shown)} more")
            styles[lines[-1]] = "dim"
        lines.append(f"what to do: {findings[0].remedy}")
        styles[lines[-1]] = "cyan"
        checks.append(f"{severity}\n{check}")
        counts.append(str(len(findings)))
        cells.append("\n".join(lines))
    columns = [
        Column("check", tuple(checks), "text"),
        Column("found", tuple(counts)),
        Column("what", tuple(cells), "text"),
    ]
    return FittedTable(columns, styles, spaced=True)


def describe_data(diagnosis: Diagnosis) -> list[str]:
    """One line about the data set, then the notes on its table."""
    table = diagnosis.table
    profiles = [profile for name, profile in diagnosis.profiles.items() if not is_other(name)]
    seconds = sum(profile.seconds for profile in profiles)
    size = f"{number_of(len(table.clips), 'clip')}, {duration(seconds)}"
    parts = [f"{table.title} in {table.root.as_posix()}: {size}"]
    if diagnosis.others:
        parts.append(f"{number_of(len(diagnosis.others), 'sound')} of no class")
    if table.classes:
        parts.append(number_of(len(table.classes), "class", "classes"))
    if table.folds:
        parts.append(f"{len(table.folds)} folds" if len(table.folds) > 1 else "one split")
    for counts in (Counter(f"{one.sample_rate} Hz" for one in profiles), Counter(one.form for one in profiles)):
        if counts:
            first, *others = counts.most_common()
            parts.append(first[0] + (f" and {len(others)} more" if others else ""))
    return [", ".join(parts), *(f"note: {note}" for note in table.notes)]


def by_check(diagnosis: Diagnosis) -> list[tuple[Severity, str, list[Finding]]]:
    """Findings grouped by severity and check, the most severe first."""
    grouped = groupby(diagnosis.findings, key=lambda finding: (finding.severity, finding.check))
    return [(severity, check, list(findings)) for (severity, check), findings in grouped]


def finding_text(finding: Finding) -> str:
    """`dog/1.wav, dog/2.wav: identical samples; ...`. Messages about a class already name it."""
    if finding.class_name is not None:
        return finding.message
    clips = some_of(finding.clips, _SHOWN_CLIPS)
    return f"{clips}: {finding.message}" if clips else finding.message


def summary(diagnosis: Diagnosis) -> str:
    """`found: 2 would spoil a result, 5 worth a look, 30 for the record`."""
    if not diagnosis.findings:
        return "no findings"
    return "found: " + ", ".join(f"{diagnosis.counts[severity]} {COUNTED[severity]}" for severity in SEVERITIES)
