"""A picture of recordings: the true events of each label above those that were found."""

from collections.abc import Sequence
from typing import Any

from audiosurvey.detection.evaluation import EventEvaluation
from audiosurvey.detection.scoring import DetectedRecording
from audiosurvey.pages.fonts import drawable
from audiosurvey.pages.plain_figure import BLUE, GREY, GRID, ORANGE, PlainFigure, figure_png

MOST_RECORDINGS = 6
_ROW, _HEAD = 0.26, 0.75
"""Heights in inches, of a label and of what is around the labels of a recording."""


def timelines_png(found: EventEvaluation) -> bytes:
    """The recordings with the lowest segment F1, worst first, as the bytes of a PNG file."""
    worst = _worst(found)
    labels = [_labels(one) for one in worst]
    heights = [_HEAD + _ROW * max(1, len(names)) for names in labels]
    figure = PlainFigure(figsize=(9, sum(heights) + 0.35), layout="constrained")
    axes = figure.subplots(len(worst), 1, squeeze=False, height_ratios=heights)[:, 0]
    for one, names, ax in zip(worst, labels, axes, strict=True):
        _draw(one, names, ax)
    axes[-1].set_xlabel("seconds", fontsize=8)
    figure.suptitle(
        "true events (blue) above those found (orange; grey: a label that the recording does not have)", fontsize=9
    )
    return figure_png(figure)


def _worst(found: EventEvaluation) -> list[DetectedRecording]:
    scores = {one.name: one.segments.f1 for one in found.scores.recordings}
    # Without events, and with nothing found, there is nothing to show.
    shown = [one for one in found.recordings if scores[one.name] is not None]
    return sorted(shown or found.recordings, key=lambda one: scores[one.name] or 0.0)[:MOST_RECORDINGS]


def _labels(one: DetectedRecording) -> list[str]:
    """Those that are in the recording or were found, in the order of their first event."""
    return list(
        dict.fromkeys(event.label for event in sorted((*one.true, *one.found), key=lambda event: event.start_s))
    )


def _draw(one: DetectedRecording, labels: Sequence[str], ax: Any) -> None:
    for row, label in enumerate(labels):
        true = [(event.start_s, event.seconds) for event in one.true if event.label == label]
        found = [(event.start_s, event.seconds) for event in one.found if event.label == label]
        ax.broken_barh(true, (row + 0.08, 0.36), facecolors=BLUE)
        ax.broken_barh(found, (row + 0.52, 0.36), facecolors=ORANGE if true else GREY)
    ax.set_yticks([row + 0.5 for row in range(len(labels))], [drawable(label) for label in labels], fontsize=8)
    ax.set_ylim(max(1, len(labels)), 0)
    ax.set_xlim(0, one.scored.seconds)
    ax.set_title(one.name, fontsize=8, loc="left")
    ax.grid(axis="x", color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(length=0, labelsize=8)
