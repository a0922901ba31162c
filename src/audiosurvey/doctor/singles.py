"""Checks of clips one by one, and of the lengths and formats of all together.

Enters: the facts of each clip, by its id. Leaves: findings.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from audiosurvey.doctor.facts import Broken, Facts
from audiosurvey.doctor.finding import Finding, Severity

CLIPPED_SHARE, CLIPPED_NOTE_SHARE = 0.02, 0.002
OVERLOAD_PEAK = 2.0
DC_LEAST, DC_NOTE = 0.05, 0.01
MOSTLY_SILENT_SHARE = 0.8
SHORTEST_S = 0.1
UNIFORM_RATIO, UNIFORM_SHARE = 1.1, 0.8
"""Lengths are uniform where four fifths of the clips are within a tenth of the median."""
FAR_RATIO_UNIFORM, FAR_RATIO = 1.25, 8.0


def broken(clip_id: str, found: Broken) -> Finding:
    """A clip that gives no sound at all."""
    return Finding(found.check, "spoils a result", (clip_id,), found.reason, drop={clip_id: found.reason})


def single(clip_id: str, facts: Facts) -> Iterator[Finding]:
    """What is wrong with one readable clip."""

    def finding(
        check: str, severity: Severity, message: str, weight: float = 0.0, drop: bool = False, **numbers: float
    ) -> Finding:
        return Finding(
            check, severity, (clip_id,), message, numbers, weight, {clip_id: f"{check}: {message}"} if drop else {}
        )

    if facts.silent:
        yield finding(
            "silent", "spoils a result", f"{facts.seconds:.2f} s of silence, peak {abs(facts.peak):.1g}", drop=True
        )
        return
    if facts.cancels:
        message = f"{facts.channels} channels of opposite polarity: their mean is silence"
        yield finding("cancels", "spoils a result", message)
    if facts.dead_channel:
        yield finding("dead-channel", "worth a look", f"a silent one among {facts.channels} channels")
    elif facts.same_channels:
        yield finding("same-channels", "note", f"{facts.channels} channels hold the same")
    share = facts.clipped_share
    if share >= CLIPPED_NOTE_SHARE:
        severity: Severity = "worth a look" if share >= CLIPPED_SHARE else "note"
        yield finding("clipped", severity, f"{share:.1%} of the samples cut off", share, clipped_share=round(share, 5))
    if facts.peak > OVERLOAD_PEAK:
        message = f"peak {facts.peak:.4g}, where full scale is 1"
        yield finding("overload", "worth a look", message, facts.peak, peak=round(facts.peak, 4))
    if abs(facts.dc) >= DC_NOTE:
        severity = "worth a look" if abs(facts.dc) >= DC_LEAST else "note"
        message = f"mean {facts.dc:+.3f} of full scale"
        yield finding("dc-offset", severity, message, abs(facts.dc), dc=round(facts.dc, 4))
    if facts.silent_share >= MOSTLY_SILENT_SHARE:
        share = facts.silent_share
        message = f"{share:.0%} of {facts.seconds:.2f} s"
        yield finding("mostly-silent", "note", message, share, silent_share=round(share, 4))
    if facts.seconds < SHORTEST_S:
        yield finding(
            "duration", "worth a look", f"{facts.seconds:.3f} s only", 1 / facts.seconds, seconds=facts.seconds
        )


def far_lengths(facts: Mapping[str, Facts]) -> Iterator[Finding]:
    """Clips of a length far from that of the others: by a quarter where lengths are uniform, else eightfold."""
    seconds = {clip_id: found.seconds for clip_id, found in facts.items()}
    if len(seconds) < 5:
        return
    middle = float(np.median(list(seconds.values())))
    ratio = {clip_id: max(length / middle, middle / length) for clip_id, length in seconds.items()}
    uniform = sum(value <= UNIFORM_RATIO for value in ratio.values()) >= UNIFORM_SHARE * len(ratio)
    limit = FAR_RATIO_UNIFORM if uniform else FAR_RATIO
    for clip_id, value in ratio.items():
        if value > limit and seconds[clip_id] >= SHORTEST_S:
            message = f"{seconds[clip_id]:.2f} s, the middle of all is {middle:.2f} s"
            numbers = {"seconds": round(seconds[clip_id], 4), "median_s": round(middle, 4)}
            yield Finding("duration", "note", (clip_id,), message, numbers, value)


def mixtures(facts: Mapping[str, Facts]) -> Iterator[Finding]:
    """Several sample rates or formats in one data set, with the clips of the rarer ones."""
    for check, unit, of in (("rates", " Hz", "sample_rate"), ("formats", "", "form")):
        value_of = {clip_id: str(getattr(found, of)) for clip_id, found in facts.items()}
        counts = Counter(value_of.values())
        if len(counts) < 2:
            continue
        usual = counts.most_common(1)[0][0]
        message = "; ".join(f"{count} x {value}{unit}" for value, count in counts.most_common())
        rarer = tuple(clip_id for clip_id, value in value_of.items() if value != usual)
        yield Finding(check, "note", rarer, message, dict(counts))
