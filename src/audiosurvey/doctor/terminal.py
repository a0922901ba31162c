"""The audit of a data set on the terminal: a row a check, with the worst of what it found."""

from collections import Counter
from itertools import groupby

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from audiosurvey.doctor.examination import Diagnosis
from audiosurvey.doctor.finding import CHECKS, SEVERITIES, Finding, Severity

SHOWN = {"spoils a result": 5, "worth a look": 3, "note": 1}
"""Findings of one check that are shown, by severity."""
_SHOWN_CLIPS = 3
_STYLE = {"spoils a result": "bold red", "worth a look": "yellow", "note": "dim"}


def print_diagnosis(diagnosis: Diagnosis, console: Console, *, everything: bool = False) -> None:
    """What was looked at, a row for each check that found something, and the sum of it."""
    for line in about(diagnosis):
        console.print(line, soft_wrap=True, markup=False)
    if diagnosis.findings:
        table = RichTable(title_justify="left", show_lines=True)
        table.add_column("check", no_wrap=True)
        table.add_column("found", justify="right")
        table.add_column("what", overflow="fold")
        for severity, check, findings in by_check(diagnosis):
            shown = findings if everything else findings[: SHOWN[severity]]
            # As plain texts: the name of a file may look like markup.
            lines = [Text(CHECKS[check].title, "bold"), *(Text(in_words(finding)) for finding in shown)]
            if len(findings) > len(shown):
                lines.append(Text(f"... and {len(findings) - len(shown)} more", "dim"))
            lines.append(Text.assemble(("to do:", "cyan"), f" {CHECKS[check].mend}"))
            name = Text.assemble((severity, _STYLE[severity]), f"\n{check}")
            table.add_row(name, str(len(findings)), Text("\n").join(lines))
        console.print(table)
    console.print(summary(diagnosis), soft_wrap=True)


def about(diagnosis: Diagnosis) -> list[str]:
    """What was looked at, in a line; then the notes on the table."""
    table, facts = diagnosis.table, diagnosis.facts
    seconds = sum(found.seconds for found in facts.values())
    length = f"{seconds / 3600:.1f} hours" if seconds >= 3600 else f"{seconds / 60:.1f} minutes"
    subset = f" ({table.subset})" if table.subset else ""
    parts = [f"{table.name}{subset} in {table.root.as_posix()}: {len(table.clips)} clips, {length}"]
    if table.classes:
        parts.append(f"{len(table.classes)} classes")
    if table.folds:
        parts.append(f"{len(table.folds)} folds" if len(table.folds) > 1 else "one split")
    parts += _commonest(Counter(f"{found.sample_rate} Hz" for found in facts.values()))
    parts += _commonest(Counter(found.form for found in facts.values()))
    return [", ".join(parts), *(f"note: {note}" for note in table.notes)]


def by_check(diagnosis: Diagnosis) -> list[tuple[Severity, str, list[Finding]]]:
    """Findings of one severity and check together, the gravest first."""
    grouped = groupby(diagnosis.findings, key=lambda finding: (finding.severity, finding.check))
    return [(severity, check, list(findings)) for (severity, check), findings in grouped]


def in_words(finding: Finding) -> str:
    """`dog/1.wav, dog/2.wav: the same samples; ...`; a finding about a class names the class, not its clips."""
    if finding.plot is not None:
        return finding.message
    clips = ", ".join(finding.clips[:_SHOWN_CLIPS])
    if len(finding.clips) > _SHOWN_CLIPS:
        clips += f" and {len(finding.clips) - _SHOWN_CLIPS} more"
    return f"{clips}: {finding.message}" if clips else finding.message


def summary(diagnosis: Diagnosis) -> str:
    """`2 findings would spoil a result, 5 are worth a look, 30 are notes`, or that nothing was found."""
    if not diagnosis.findings:
        return "nothing found"
    words = {"spoils a result": "would spoil a result", "worth a look": "worth a look", "note": "to note"}
    said = [f"{diagnosis.counts[severity]} {words[severity]}" for severity in SEVERITIES]
    return "found: " + ", ".join(said)


def _commonest(counts: Counter[str]) -> list[str]:
    if not counts:
        return []
    first, *others = counts.most_common()
    return [first[0] + (f" and {len(others)} more" if others else "")]
