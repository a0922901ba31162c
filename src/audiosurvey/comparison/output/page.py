"""A comparison as one HTML file: tables, intervals and a Pareto plot as inline SVG; it needs no network.

The plots are computed here as numbers and drawn by the templates, without scripts.
"""

import math
from collections.abc import Sequence
from typing import Any

from audiosurvey.comparison.costs import COSTS
from audiosurvey.comparison.labels import shortened
from audiosurvey.comparison.output.columns import (
    cost_columns,
    effect_columns,
    leaderboard_columns,
    machine_line,
    pair_columns,
    protocol_columns,
    score_columns,
)
from audiosurvey.comparison.output.texts import ModelText, PairText, effect_text, model_texts, pair_text
from audiosurvey.comparison.output.wording import (
    baseline_line,
    energy_line,
    headline,
    interval_line,
    more_lines,
    p_text,
    ratio_text,
)
from audiosurvey.comparison.result import Comparison, DatasetResult
from audiosurvey.pages.columns import Column, same_line, shown_columns
from audiosurvey.pages.rendering import environment
from audiosurvey.version import __version__

_WIDTH, _ROW = 640, 46
_LEFT, _RIGHT, _TOP, _BOTTOM = 16, 16, 8, 34
_HEIGHT = 340
_LABEL, _LETTER = 20, 11
"""Height of a label in the Pareto plot, and the width of a letter, as they are on a phone."""


def comparison_page(comparison: Comparison) -> str:
    """The page as HTML."""
    return environment("audiosurvey.comparison").get_template("compare.html").render(page_values(comparison))


def page_values(comparison: Comparison) -> dict[str, Any]:
    """The values that the template shows."""
    return {
        "comparison": comparison,
        "datasets": [_dataset(dataset) for dataset in comparison.datasets],
        "ranks": _rank_plot(comparison),
        "version": __version__,
    }


def _dataset(dataset: DatasetResult) -> dict[str, Any]:
    models = model_texts(dataset)
    verdicts, pairs = ([pair_text(pair) for pair in found] for found in (dataset.against_baseline, dataset.pairs))
    return {
        "result": dataset,
        "headline": headline(dataset),
        "baseline_line": _sentence(baseline_line(dataset)),
        "leaderboard": _table(leaderboard_columns(dataset, models)),
        "marks": [model.marks for model in models],
        "verdicts": _verdict_table(dataset, verdicts),
        "pairs": _verdict_table(dataset, pairs, both=True),
        "more": more_lines(dataset.against_baseline),
        "effects": _table(effect_columns([effect_text(effect) for effect in dataset.effects])),
        "scores": _table([*score_columns(dataset, models), *protocol_columns(models)[1:]]),
        "costs": _table(cost_columns(models)),
        "machine_line": _sentence(machine_line(models) or ""),
        "intervals": _interval_plot(dataset, models),
        "pareto": _pareto_plot(dataset, models),
        "cost": COSTS[dataset.cost],
        "energy_line": energy_line(dataset),
    }


def _verdict_table(dataset: DatasetResult, pairs: Sequence[PairText], *, both: bool = False) -> dict[str, Any]:
    table = _table(pair_columns(dataset, pairs, both=both))
    return table | {"line": interval_line(dataset, len(pairs)) or ""}


def _table(columns: Sequence[Column]) -> dict[str, Any]:
    return {"columns": shown_columns(columns), "same": _sentence(same_line(columns) or "")}


def _interval_plot(dataset: DatasetResult, texts: Sequence[ModelText]) -> dict[str, Any]:
    """Score, both intervals and the single folds of each model on one axis of percent."""
    values = [value for model in dataset.models for row in model.fold_scores for value in row]
    for model in dataset.models:
        values += [model.bootstrap.low, model.bootstrap.high]
        values += [bound for bound in (model.score.low, model.score.high) if bound is not None]
    low, high = max(0.0, min(values)), min(1.0, max(values))
    ticks = _ticks(100 * low, 100 * high)
    low, high = min(low, ticks[0] / 100), max(high, ticks[-1] / 100)

    def x(value: float) -> float:
        inside = min(max(value, low), high)
        return round(_LEFT + (inside - low) / ((high - low) or 1) * (_WIDTH - _LEFT - _RIGHT), 1)

    rows = []
    names = [model.name for model in dataset.models]
    labels = shortened(names, [(_WIDTH - _LEFT) // _LETTER] * len(names))
    for number, (model, text, label) in enumerate(zip(dataset.models, texts, labels, strict=True)):
        fold_means = [sum(column) / len(column) for column in zip(*model.fold_scores, strict=True)]
        score = model.score
        rows.append(
            {
                "name": model.name,
                "label": label,
                "y": _TOP + _ROW * number + _ROW - 12,
                "x": x(score.mean),
                "folds": [x(value) for value in fold_means],
                "t": None if score.low is None or score.high is None else (x(score.low), x(score.high)),
                "bootstrap": (x(model.bootstrap.low), x(model.bootstrap.high)),
                "text": f"{text.score} % ({text.interval})",
                "baseline": model.name == dataset.baseline,
            }
        )
    height = _TOP + _ROW * len(rows)
    return {
        "width": _WIDTH,
        "height": height + _BOTTOM,
        "bottom": height,
        "left": _LEFT,
        "rows": rows,
        "ticks": [(x(tick / 100), f"{tick:g}") for tick in ticks],
    }


def _pareto_plot(dataset: DatasetResult, texts: Sequence[ModelText]) -> dict[str, Any] | None:
    """Score against cost, which has a logarithmic axis; None with fewer than two models that have it."""
    found = [
        (model, text, float(cost))
        for model, text in zip(dataset.models, texts, strict=True)
        if (cost := getattr(model.costs, dataset.cost)) is not None and cost > 0
    ]
    if len(found) < 2:
        return None
    logs, scores = [math.log10(cost) for *_, cost in found], [100 * model.score.mean for model, *_ in found]
    spare = max(0.12, 0.3 - (max(logs) - min(logs)) / 2)
    left, right = min(logs) - spare, max(logs) + spare
    ticks = _ticks(min(scores), max(scores))
    low, high = min(ticks[0], min(scores)), max(ticks[-1], max(scores))
    bottom, margin = _HEIGHT - 44, 52

    def at(log: float, score: float) -> tuple[float, float]:
        x = margin + (log - left) / (right - left) * (_WIDTH - margin - _RIGHT)
        y = bottom - (score - low) / ((high - low) or 1) * (bottom - _TOP - 8)
        return round(x, 1), round(y, 1)

    dots = []
    taken: list[tuple[float, float, float]] = []
    places = [at(log, score) for log, score in zip(logs, scores, strict=True)]
    # The models are in the order of their scores: the best labels are placed first.
    labels = shortened([model.name for model, *_ in found], [_room(x) for x, _ in places])
    for (model, text, cost), (x, y), label in zip(found, places, labels, strict=True):
        dots.append(
            {"name": model.name, "x": x, "y": y, "front": model.pareto, "cost": ratio_text(cost)}
            | {"score": text.score, "label": {"text": label, **_place_label(x, y, label, taken)}}
        )
    front = sorted((dot["x"], dot["y"]) for dot in dots if dot["front"])
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "bottom": bottom,
        "left": margin,
        "dots": dots,
        "short": [(dot["label"]["text"], dot["name"]) for dot in dots if dot["label"]["text"] != dot["name"]],
        "front": " ".join(f"{x},{y}" for x, y in front),
        "y_ticks": [(at(left, tick)[1], f"{tick:g}") for tick in ticks],
        "x_ticks": [(at(math.log10(tick), low)[0], ratio_text(tick)) for tick in _log_ticks(left, right)],
    }


def _room(x: float) -> int:
    """Letters that fit beside a dot, on the side with more room."""
    return int((max(x, _WIDTH - x) - 10) / _LETTER)


def _place_label(x: float, y: float, name: str, taken: list[tuple[float, float, float]]) -> dict[str, Any]:
    """A place beside the dot at which no earlier label stands."""
    width = _LETTER * len(name)
    left = x + 10 + width > _WIDTH and x > _WIDTH - x
    begin = x - 10 - width if left else x + 10
    for shift in (0, -_LABEL, _LABEL, -2 * _LABEL, 2 * _LABEL, -3 * _LABEL, 3 * _LABEL):
        top = y + shift
        clear = all(abs(top - other) >= _LABEL or begin > end or begin + width < start for start, end, other in taken)
        if clear and 0 < top < _HEIGHT - 50:
            break
    else:
        top = y
    taken.append((begin, begin + width, top))
    return {"x": round(x - 10 if left else x + 10, 1), "y": round(top + 4, 1), "anchor": "end" if left else "start"}


def _rank_plot(comparison: Comparison) -> dict[str, Any] | None:
    """The critical-difference diagram: models at their mean ranks, bars over those that do not differ."""
    if not comparison.ranks or comparison.critical_difference is None:
        return None
    names, ranks = list(comparison.ranks), list(comparison.ranks.values())
    models, difference = len(names), comparison.critical_difference

    def x(rank: float) -> float:
        return round(40 + (rank - 1) / (models - 1) * (_WIDTH - 80), 1)

    bars = _cliques(ranks, difference)
    top = 60 + 12 * len(bars)
    half = (models + 1) // 2
    labels = [
        {
            "name": name,
            "rank": f"{rank:.2f}",
            "x": x(rank),
            "y": top + 18 * (index if index < half else models - 1 - index) + 14,
            "left": index < half,
        }
        for index, (name, rank) in enumerate(zip(names, ranks, strict=True))
    ]
    return {
        "width": _WIDTH,
        "height": top + 18 * half + 16,
        "axis": 40,
        "ticks": [(x(rank), str(rank)) for rank in range(1, models + 1)],
        "labels": labels,
        "bars": [(x(ranks[a]) - 4, x(ranks[b]) + 4, 52 + 12 * place) for place, (a, b) in enumerate(bars)],
        "difference": f"{difference:.2f}",
        "difference_x": (x(1), x(1 + difference)),
        "p": p_text(comparison.friedman_p),
    }


def _cliques(ranks: Sequence[float], difference: float) -> list[tuple[int, int]]:
    """The longest runs of models whose ranks differ by less than the critical difference, in the order of ranks."""
    ends = [max(b for b in range(len(ranks)) if ranks[b] - rank <= difference) for rank in ranks]
    runs = [(a, b) for a, b in enumerate(ends) if b > a]
    return [(a, b) for a, b in runs if not any(c < a and b <= d for c, d in runs)]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers that enclose a range, about five of them."""
    span = max(high - low, 0.5)
    size = 10 ** math.floor(math.log10(span / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 6)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    return [round(step * number, 10) for number in range(first, last + 1)]


def _log_ticks(left: float, right: float) -> list[float]:
    """1, 2 and 5 times powers of ten in a range; powers alone where these are many."""
    found = [f * 10.0**e for e in range(math.floor(left), math.ceil(right) + 1) for f in (1, 2, 5)]
    inside = [value for value in found if left <= math.log10(value) <= right]
    return inside if len(inside) <= 7 else [value for value in inside if math.log10(value).is_integer()]
