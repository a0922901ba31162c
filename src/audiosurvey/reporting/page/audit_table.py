"""Findings of the data audit as text and as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from audiosurvey.diagnosis.finding import CHECKS, OF_CLASSES
from audiosurvey.errors import some_of

_FINDINGS, _CLIPS = 5, 3


def audit_table(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Findings beyond notes: of each check the first ones, and how many are left."""
    by_check: dict[str, list[Mapping[str, Any]]] = {}
    for one in findings:
        if one["severity"] != "note":
            by_check.setdefault(one["check"], []).append(one)
    rows: list[dict[str, Any]] = []
    for found in by_check.values():
        rows += [{**one, "more": 0, "message": finding_text(one)} for one in found[:_FINDINGS]]
        rows[-1]["more"] = len(found) - len(found[:_FINDINGS])
    return rows


def findings_of_clip(findings: Sequence[Mapping[str, Any]], clip: str) -> list[str]:
    """What was found about this clip beyond notes. Findings about its whole class are in the table only."""
    return [
        finding_text(one)
        for one in findings
        if clip in one["clips"] and one["severity"] != "note" and one["check"] not in OF_CLASSES
    ]


def finding_text(one: Mapping[str, Any]) -> str:
    """`the same recording twice: a.wav, b.wav: agreement 0.95`."""
    clips = some_of(one["clips"], _CLIPS)
    return ": ".join(part for part in (CHECKS[one["check"]][0], clips, one["message"]) if part)
