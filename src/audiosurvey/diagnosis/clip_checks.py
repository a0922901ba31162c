"""Checks of single clips, and of the lengths and formats of all clips."""

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from audiosurvey.diagnosis.clip_profile import ClipProfile, UnreadableClip
from audiosurvey.diagnosis.finding import Finding, Severity

CLIPPED_SHARE, CLIPPED_NOTE_SHARE = 0.02, 0.002
OVERLOAD_PEAK = 2.0
DC_LEAST, DC_NOTE = 0.05, 0.01
MOSTLY_SILENT_SHARE = 0.8
SHORTEST_S = 0.1
UNIFORM_RATIO, UNIFORM_SHARE = 1.1, 0.8
"""Lengths are uniform if four fifths of the clips are within a tenth of the median."""
FAR_RATIO_UNIFORM, FAR_RATIO = 1.25, 8.0


def unreadable_finding(clip_id: str, clip: UnreadableClip) -> Finding:
    return Finding(clip.check, "spoils a result", (clip_id,), clip.reason, quarantine={clip_id: clip.reason})


def check_clip(clip_id: str, profile: ClipProfile) -> Iterator[Finding]:
    """Faults of one readable clip."""

    def finding(check: str, severity: Severity, message: str, weight: float = 0.0, **numbers: float) -> Finding:
        return Finding(check, severity, (clip_id,), message, numbers, weight)

    if profile.silent:
        message = f"{profile.seconds:.2f} s of silence, peak {abs(profile.peak):.1g}"
        quarantine = {clip_id: f"silent: {message}"}
        yield Finding("silent", "spoils a result", (clip_id,), message, quarantine=quarantine)
        return
    if profile.cancels:
        message = f"{profile.channels} channels of opposite polarity: their mean is silent"
        yield finding("cancels", "spoils a result", message)
    if profile.dead_channel:
        yield finding("dead-channel", "worth a look", f"one of {profile.channels} channels is silent")
    elif profile.same_channels:
        yield finding("same-channels", "note", f"{profile.channels} identical channels")
    share = profile.clipped_share
    if share >= CLIPPED_NOTE_SHARE:
        severity: Severity = "worth a look" if share >= CLIPPED_SHARE else "note"
        yield finding("clipped", severity, f"{share:.1%} of the samples clipped", share, clipped_share=round(share, 5))
    if profile.peak > OVERLOAD_PEAK:
        message = f"peak {profile.peak:.4g}, full scale is 1"
        yield finding("overload", "worth a look", message, profile.peak, peak=round(profile.peak, 4))
    if abs(profile.dc) >= DC_NOTE:
        severity = "worth a look" if abs(profile.dc) >= DC_LEAST else "note"
        message = f"mean {profile.dc:+.3f} of full scale"
        yield finding("dc-offset", severity, message, abs(profile.dc), dc=round(profile.dc, 4))
    if profile.silent_share >= MOSTLY_SILENT_SHARE:
        share = profile.silent_share
        message = f"{share:.0%} of {profile.seconds:.2f} s"
        yield finding("mostly-silent", "note", message, share, silent_share=round(share, 4))
    if profile.seconds < SHORTEST_S:
        message = f"only {profile.seconds:.3f} s"
        yield finding("duration", "worth a look", message, 1 / profile.seconds, seconds=profile.seconds)


def check_durations(profiles: Mapping[str, ClipProfile]) -> Iterator[Finding]:
    """Clips far from the median length: by a quarter if lengths are uniform, else by a factor of eight."""
    seconds = {clip_id: profile.seconds for clip_id, profile in profiles.items()}
    if len(seconds) < 5:
        return
    median = float(np.median(list(seconds.values())))
    ratio = {clip_id: max(length / median, median / length) for clip_id, length in seconds.items()}
    uniform = sum(value <= UNIFORM_RATIO for value in ratio.values()) >= UNIFORM_SHARE * len(ratio)
    limit = FAR_RATIO_UNIFORM if uniform else FAR_RATIO
    for clip_id, value in ratio.items():
        if value > limit and seconds[clip_id] >= SHORTEST_S:
            message = f"{seconds[clip_id]:.2f} s, the median is {median:.2f} s"
            numbers = {"seconds": round(seconds[clip_id], 4), "median_s": round(median, 4)}
            yield Finding("duration", "note", (clip_id,), message, numbers, value)


def check_mixed_formats(profiles: Mapping[str, ClipProfile]) -> Iterator[Finding]:
    """Several sample rates or formats in one data set, with the clips of the rarer ones."""
    for check, unit, name in (("rates", " Hz", "sample_rate"), ("formats", "", "form")):
        value_of = {clip_id: str(getattr(profile, name)) for clip_id, profile in profiles.items()}
        counts = Counter(value_of.values())
        if len(counts) < 2:
            continue
        usual = counts.most_common(1)[0][0]
        message = "; ".join(f"{count} x {value}{unit}" for value, count in counts.most_common())
        rarer = tuple(clip_id for clip_id, value in value_of.items() if value != usual)
        yield Finding(check, "note", rarer, message, dict(counts))
