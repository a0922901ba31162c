"""The page of a survey: that of `compare`, and the classes of any two models, and links to the pages of runs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from audiosurvey.comparison.benchmark import Benchmark, ComparedModel
from audiosurvey.comparison.output.page import page_values
from audiosurvey.comparison.result import Comparison
from audiosurvey.pages.rendering import environment


@dataclass(frozen=True)
class RunLink:
    """A run of a model."""

    name: str
    seed: int | None
    link: str
    """To its page, relative to the page of the survey; empty if there is none."""


@dataclass(frozen=True)
class ModelClasses:
    """The scores of a model by class: recall, or average precision with several labels per clip."""

    name: str
    scores: tuple[float | None, ...]
    """None for a class without clips, or in all clips."""
    runs: tuple[RunLink, ...]


@dataclass(frozen=True)
class ComparedClasses:
    """The models of one data set."""

    title: str
    metric: str
    classes: tuple[str, ...]
    models: tuple[ModelClasses, ...]


def survey_page(title: str, comparison: Comparison, compared: Sequence[ComparedClasses]) -> str:
    """The page as HTML."""
    data = {
        "datasets": [
            {"classes": one.classes, "models": [{"name": each.name, "scores": each.scores} for each in one.models]}
            for one in compared
        ]
    }
    unwritten = any(not run.link for one in compared for model in one.models for run in model.runs)
    values = {"title": title, "compared": compared, "data": data, "unwritten": unwritten}
    template = environment("audiosurvey.reporting.page", others=["audiosurvey.comparison"]).get_template("survey.html")
    return template.render(page_values(comparison) | values)


def compared_classes(benchmark: Benchmark, page: Path) -> ComparedClasses:
    """Classes and runs of the models of a data set. `page`: where the page of the survey will be."""
    metric = "Average precision" if benchmark.multi_label else "Recall"
    models = tuple(
        ModelClasses(model.name, _scores(benchmark, model), tuple(_links(model, page))) for model in benchmark.models
    )
    return ComparedClasses(benchmark.title, metric, benchmark.classes, models)


def _scores(benchmark: Benchmark, model: ComparedModel) -> tuple[float | None, ...]:
    truth_NK = benchmark.truth_NK.astype(bool)
    found: list[float | None] = []
    for k, true_N in enumerate(truth_NK.T):
        if model.correct_SN is not None:
            found.append(round(float(model.correct_SN[:, true_N].mean()), 4) if true_N.any() else None)
        elif true_N.any() and not true_N.all():
            from sklearn.metrics import average_precision_score

            values = [average_precision_score(true_N, scores_NK[:, k]) for scores_NK in model.scores_SNK]
            found.append(round(float(np.mean(values)), 4))
        else:
            found.append(None)
    return tuple(found)


def _links(model: ComparedModel, page: Path) -> list[RunLink]:
    links = []
    for seed in model.source.seeds:
        own = seed.path / "report.html"
        link = quote(Path(os.path.relpath(own, page.parent)).as_posix()) if own.is_file() else ""
        links.append(RunLink(seed.path.name, seed.seed, link))
    return links
