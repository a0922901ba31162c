"""Figures for the audit page: size, level, bandwidth, length and silence of each class, as PNG bytes."""

from collections.abc import Callable
from typing import Any

import numpy as np

from audiosurvey.diagnosis.audit import Diagnosis
from audiosurvey.diagnosis.clip_profile import ClipProfile
from audiosurvey.pages.fonts import drawable
from audiosurvey.pages.plain_figure import BLUE, GREY, INK, ORANGE, PlainFigure, figure_png, single_axes

_MOST_CLASSES = 60


def overview(diagnosis: Diagnosis) -> list[tuple[str, bytes]]:
    """Title and figure of each property. Without classes, one row shows all clips."""
    table, profiles = diagnosis.table, diagnosis.profiles
    if not profiles or len(table.classes) > _MOST_CLASSES:
        return []
    flagged = {one.class_name for one in diagnosis.findings if one.class_name and one.severity != "note"}
    rows = {
        name: [
            profiles[clip.id]
            for clip in table.clips
            if clip.id in profiles and (not table.classes or label in clip.labels)
        ]
        for label, name in enumerate(table.classes or ["all clips"])
    }
    values: list[tuple[str, str, Callable[[ClipProfile], float]]] = [
        ("Level without silence", "dBFS", lambda one: one.level_db),
        ("Bandwidth", "kHz", lambda one: one.bandwidth_hz / 1000),
        ("Length", "seconds", lambda one: one.seconds),
        ("Silence", "share of the clip", lambda one: one.silent_share),
    ]
    figures = [("Clips of each class", _bars(rows, flagged))] if table.classes else []
    return figures + [(title, _dots(rows, flagged, axis, value)) for title, axis, value in values]


def spectra(diagnosis: Diagnosis, name: str) -> bytes:
    """The median spectrum of a class and that of the others, in bands of 250 Hz."""
    table, profiles = diagnosis.table, diagnosis.profiles
    label = table.classes.index(name)
    figure, axes = single_axes(6.4, 2.8)
    top_hz = max(profile.sample_rate for profile in profiles.values()) / 2
    grid_hz = np.arange(125.0, top_hz, 250.0)
    for inside, colour, legend in ((False, GREY, "the others"), (True, ORANGE, name.replace("_", " "))):
        some = [profiles[clip.id] for clip in table.clips if clip.id in profiles and (label in clip.labels) == inside]
        if some:
            levels = np.median([_levels_at(one, grid_hz) for one in some], axis=0)
            axes.plot(grid_hz / 1000, levels, color=colour, label=legend)
    axes.set_xlabel("kHz")
    axes.set_ylabel("dB")
    axes.legend(frameon=False, fontsize=8)
    return figure_png(figure)


def _levels_at(profile: ClipProfile, grid_hz: np.ndarray) -> np.ndarray:
    """Levels at these frequencies; above half the rate of the clip they are -120 dB."""
    centres_hz = (np.arange(len(profile.bands_db)) + 0.5) * profile.band_hz
    return np.maximum(np.interp(grid_hz, centres_hz, profile.bands_db, right=-120.0), -120.0)


def _bars(rows: dict[str, list[ClipProfile]], flagged: set[str]) -> bytes:
    figure, axes, colours = _class_rows(rows, flagged)
    axes.barh(range(len(rows)), [len(some) for some in rows.values()], color=colours, height=0.7)
    axes.set_xlabel("clips")
    return figure_png(figure)


def _dots(
    rows: dict[str, list[ClipProfile]], flagged: set[str], axis: str, value: Callable[[ClipProfile], float]
) -> bytes:
    """A dot for each clip, spread within its row, and a line at the median of each class."""
    figure, axes, colours = _class_rows(rows, flagged)
    for row, (colour, some) in enumerate(zip(colours, rows.values(), strict=True)):
        x = np.array([value(one) for one in some], float)
        x = x[np.isfinite(x)]
        if len(x):
            spread = 0.3 * np.sin(np.arange(len(x)) * 2.4)
            axes.scatter(x, row + spread, s=7 if len(x) > 12 else 20, color=colour, alpha=0.45, linewidths=0)
            axes.plot([np.median(x)] * 2, [row - 0.4, row + 0.4], color=INK, linewidth=1.5)
    left, right = axes.get_xlim()
    if left < 0 and all(value(one) >= 0 for some in rows.values() for one in some):
        axes.set_xlim(-0.01 * right, right)
    axes.set_xlabel(axis)
    return figure_png(figure)


def _class_rows(rows: dict[str, list[ClipProfile]], flagged: set[str]) -> tuple[PlainFigure, Any, list[str]]:
    """A figure with a row for each class, and the colours of the rows: flagged classes are orange."""
    figure, axes = single_axes(6.4, 0.2 * len(rows) + 1.2)
    axes.set_yticks(range(len(rows)), [drawable(name.replace("_", " ")) for name in rows], fontsize=8)
    for text, name in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_color(ORANGE if name in flagged else INK)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    return figure, axes, [ORANGE if name in flagged else BLUE for name in rows]
