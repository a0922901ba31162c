"""Pictures of a data set for the page of the doctor: how many, how long, how loud, how high, class by class.

Enters: a `Diagnosis`. Leaves: PNG files as bytes, each with a title. Drawn with figures of their own, no global state.
"""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from audiosurvey.doctor.examination import Diagnosis
from audiosurvey.doctor.facts import Facts
from audiosurvey.pages.plain_figure import BLUE, INK, ORANGE, PlainFigure, drawable

_GREY = "#b8c1cc"
_MOST_CLASSES = 60


def overview(diagnosis: Diagnosis) -> list[tuple[str, bytes]]:
    """Title and picture of what every data set is looked at for; without classes, one row stands for all clips."""
    table, facts = diagnosis.table, diagnosis.facts
    if not facts or len(table.classes) > _MOST_CLASSES:
        return []
    flagged = {finding.plot for finding in diagnosis.findings if finding.plot and finding.severity != "note"}
    rows = list(table.classes) or ["all clips"]
    clips = {
        name: [
            facts[clip.id] for clip in table.clips if clip.id in facts and (not table.classes or label in clip.labels)
        ]
        for label, name in enumerate(rows)
    }
    pictures = [("Clips of each class", _bars(clips, flagged))] if table.classes else []
    values: list[tuple[str, str, Callable[[Facts], float]]] = [
        ("Level without silence", "dBFS", lambda one: one.level_db),
        ("Where the spectrum ends", "kHz", lambda one: one.bandwidth_hz / 1000),
        ("Length", "seconds", lambda one: one.seconds),
        ("Silence", "share of the clip", lambda one: one.silent_share),
    ]
    return pictures + [(title, _dots(clips, flagged, axis, value)) for title, axis, value in values]


def spectra(diagnosis: Diagnosis, name: str) -> bytes:
    """The middle spectrum of a class against that of the others, in bands of 250 Hz."""
    table, facts = diagnosis.table, diagnosis.facts
    label = table.classes.index(name)
    figure, axes = _figure(6.4, 2.8)
    top_hz = max(found.sample_rate for found in facts.values()) / 2
    grid_hz = np.arange(125.0, top_hz, 250.0)
    for inside, colour, words in ((False, _GREY, "the others"), (True, ORANGE, name.replace("_", " "))):
        some = [facts[clip.id] for clip in table.clips if clip.id in facts and (label in clip.labels) == inside]
        if some:
            axes.plot(grid_hz / 1000, np.median([_on(one, grid_hz) for one in some], axis=0), color=colour, label=words)
    axes.set_xlabel("kHz")
    axes.set_ylabel("dB")
    axes.legend(frameon=False, fontsize=8)
    return _png(figure)


def _on(facts: Facts, grid_hz: np.ndarray) -> np.ndarray:
    """A spectrum at the frequencies of the grid; what is above half its rate has the level of 16-bit silence."""
    centres_hz = (np.arange(len(facts.bands_db)) + 0.5) * facts.band_hz
    return np.maximum(np.interp(grid_hz, centres_hz, facts.bands_db, right=-120.0), -120.0)


def _bars(clips: dict[str, list[Facts]], flagged: set[str]) -> bytes:
    figure, axes = _rows(list(clips), flagged)
    axes.barh(range(len(clips)), [len(some) for some in clips.values()], color=_colours(clips, flagged), height=0.7)
    axes.set_xlabel("clips")
    return _png(figure)


def _dots(clips: dict[str, list[Facts]], flagged: set[str], axis: str, value: Callable[[Facts], float]) -> bytes:
    """A dot a clip, spread within its row; a line at the middle of each class."""
    figure, axes = _rows(list(clips), flagged)
    for row, (colour, some) in enumerate(zip(_colours(clips, flagged), clips.values(), strict=True)):
        x = np.array([value(one) for one in some], float)
        x = x[np.isfinite(x)]
        if len(x) == 0:
            continue
        spread = 0.3 * np.sin(np.arange(len(x)) * 2.4)
        axes.scatter(x, row + spread, s=7 if len(x) > 12 else 20, color=colour, alpha=0.45, linewidths=0)
        axes.plot([np.median(x)] * 2, [row - 0.4, row + 0.4], color=INK, linewidth=1.5)
    axes.set_xlabel(axis)
    return _png(figure)


def _rows(names: list[str], flagged: set[str]) -> tuple[Figure, Any]:
    figure, axes = _figure(6.4, 0.2 * len(names) + 1.2)
    axes.set_yticks(range(len(names)), [drawable(name.replace("_", " ")) for name in names], fontsize=8)
    for text, name in zip(axes.get_yticklabels(), names, strict=True):
        text.set_color(ORANGE if name in flagged else INK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    return figure, axes


def _colours(clips: dict[str, list[Facts]], flagged: set[str]) -> list[str]:
    return [ORANGE if name in flagged else BLUE for name in clips]


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = PlainFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(axis="x", color="#e4e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(length=0, labelsize=8)
    return figure, axes


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, dpi=140, format="png")
    return file.getvalue()
