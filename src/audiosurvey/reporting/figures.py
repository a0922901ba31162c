"""The pictures of a run folder, confusion.png and curves.png, and of an augmented batch."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from audiosurvey.atomic import replacing
from audiosurvey.pages.fonts import drawable_names
from audiosurvey.pages.plain_figure import BLUE, INK, ORANGE, PlainFigure


def confusion_figure(
    confusion_KK: Sequence[Sequence[int]],
    classes: Sequence[str],
    title: str,
    axis_titles: tuple[str, str] = ("predicted", "true"),
) -> PlainFigure:
    """Rows are true classes, columns predictions; the shade is the share of the row, the number the count.

    `axis_titles`: those of the columns and of the rows.
    """
    counts = np.asarray(confusion_KK)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = max(5.0, 0.34 * len(classes) + 2.6)
    figure = PlainFigure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    small = 10 if len(classes) <= 15 else 6.5
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if share[row, column] > 0.55 else INK
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink, fontsize=small)
    ticks = range(len(classes))
    names = drawable_names([name.replace("_", " ") for name in classes])
    upright = len(classes) * max(map(len, names)) <= 40
    turned: dict[str, Any] = {} if upright else {"rotation": 60, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(ticks, names, fontsize=small, **turned)
    axes.set_yticks(ticks, names, fontsize=small)
    axes.set_xlabel(axis_titles[0])
    axes.set_ylabel(axis_titles[1])
    axes.spines[:].set_visible(False)
    _head(figure, title)
    return figure


def curves_figure(histories: Mapping[int, Sequence[Mapping[str, Any]]], title: str) -> PlainFigure:
    """Loss and score over the epochs: a thin line for each fold, their mean on top."""
    figure = PlainFigure(figsize=(9.5, 3.8), layout="constrained")
    loss, score = figure.subplots(1, 2)
    keys = {key for history in histories.values() for record in history for key in record}
    held = "val" if "val_loss" in keys else "test"
    main = "map" if f"{held}_map" in keys else "accuracy"
    for axes, train, other in ((loss, "train_loss", f"{held}_loss"), (score, "train_accuracy", f"{held}_{main}")):
        _lines(axes, histories, train, BLUE, "train (augmented clips)")
        _lines(axes, histories, other, ORANGE, "validation fold" if held == "val" else "test fold")
        axes.set_xlabel("epoch")
        # Without min_n_ticks a single epoch would get fractions around it.
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(axis="y", color="#e4e7eb", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    loss.set_ylabel("loss")
    score.set_ylabel("mAP" if main == "map" else "accuracy")
    score.set_ylim(0, 1.02)
    if loss.get_legend_handles_labels()[0]:
        loss.legend(frameon=False, fontsize=9)
    _head(figure, title)
    return figure


def draw_batch(mel_BCTF: np.ndarray, titles: Sequence[str]) -> np.ndarray:
    """The first spectrograms of a batch as a picture (H, W, 3), uint8."""
    shown = mel_BCTF[:8, 0]
    columns = min(4, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = PlainFigure(figsize=(3 * columns, 2.5 * rows), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    for index, (mel_TF, title) in enumerate(zip(shown, titles, strict=False)):
        axes = figure.add_subplot(rows, columns, index + 1)
        axes.imshow(mel_TF.T, origin="lower", aspect="auto", cmap="magma", interpolation="nearest")
        axes.set_title(title if len(title) <= 40 else "…" + title[-39:], fontsize=8)
        axes.set_axis_off()
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _lines(axes: Any, histories: Mapping[int, Sequence[Mapping[str, Any]]], key: str, colour: str, label: str) -> None:
    curves = [
        [(record["epoch"], record[key]) for record in history if record.get(key) is not None]
        for history in histories.values()
    ]
    curves = [curve for curve in curves if curve]
    for curve in curves:
        axes.plot(*zip(*curve, strict=True), color=colour, linewidth=0.8, alpha=0.35 if len(curves) > 1 else 0)
    by_epoch: dict[int, list[float]] = {}
    for curve in curves:
        for epoch, value in curve:
            by_epoch.setdefault(epoch, []).append(value)
    if by_epoch:
        epochs = sorted(by_epoch)
        means = [np.mean(by_epoch[e]) for e in epochs]
        # A line of a single epoch would be invisible.
        axes.plot(epochs, means, color=colour, linewidth=2, marker="o" if len(epochs) == 1 else "", label=label)


def _head(figure: Figure, title: str) -> None:
    """The title at the left edge, wrapped to the width."""
    lines = textwrap.wrap(title, round(11 * figure.get_figwidth()))
    figure.suptitle("\n".join(lines), fontsize=11, x=0.01, ha="left")


def save_figure(figure: Figure, path: Path) -> None:
    """Writes a figure as PNG, whole or not at all."""
    FigureCanvasAgg(figure)
    with replacing(path) as beside:
        figure.savefig(beside, dpi=130, format="png")
