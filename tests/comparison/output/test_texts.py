"""Rows as text, by hand, and that terminal, Markdown and page show the same texts."""

import io
from dataclasses import asdict, replace
from html.parser import HTMLParser

from rich.console import Console

from audiosurvey.comparison.costs import Costs
from audiosurvey.comparison.effects import MainEffect
from audiosurvey.comparison.output.page import comparison_page
from audiosurvey.comparison.output.records import markdown
from audiosurvey.comparison.output.terminal import print_comparison
from audiosurvey.comparison.output.texts import effect_text, model_texts, pair_text
from audiosurvey.comparison.output.wording import interval_line
from audiosurvey.comparison.result import Comparison, DatasetResult, Interval, ModelResult, PairResult, Protocol
from audiosurvey.comparison.stats.significance import FoldEstimate

KNOWN = ModelResult(
    name="known",
    score=FoldEstimate(0.8125, None, 0.7, 0.925, None),
    bootstrap=Interval(0.755, 0.861),
    rank=(1, 2),
    fold_scores=((0.8, 0.825), (0.8, 0.825)),
    seeds=(0, 1),
    seed_std=0.0125,
    balanced_accuracy=0.803,
    log_loss=0.61234,
    calibration_error=0.0456,
    corrupted_score=0.5,
    protocol=Protocol(True, "last", (1, 3), "AudioSet", ("optimistic", "own folds; there is no official protocol")),
    costs=Costs(1_234_567, 2_000_000_000, 61.7, "here, 2 cores", 0.27777, True, 1234.5, 12.345, "vm", "now", 4.567),
    pareto=True,
)
UNKNOWN = ModelResult(
    name="unknown",
    score=FoldEstimate(0.5, None, None, None, None),
    bootstrap=Interval(0.4, 0.6),
    rank=(2, 2),
    fold_scores=((0.5, 0.5),),
    seeds=(None,),
    seed_std=None,
    balanced_accuracy=None,
    log_loss=1.0,
    calibration_error=0.1,
    corrupted_score=None,
    protocol=Protocol(),
    costs=Costs(),
    pareto=False,
)
PAIR = PairResult(
    "unknown",
    "known",
    "worse",
    FoldEstimate(-0.3125, None, -0.4, -0.225, 0.0004),
    0.0004,
    None,
    0.0312,
    Interval(-0.4, -0.2),
    None,
    None,
)
EFFECT = MainEffect("train.lr", 0.003, 0.001, 4, FoldEstimate(0.021, None, -0.011, 0.053, 0.1))
DATASET = DatasetResult(
    title="data",
    clips=80,
    recordings=40,
    recordings_known=True,
    classes=4,
    folds=(1, 2),
    metric="accuracy",
    margin=0.01,
    cost="macs",
    baseline="known",
    chosen_by_score=False,
    models=(KNOWN, UNKNOWN),
    against_baseline=(PAIR,),
    pairs=(),
    effects=(EFFECT,),
    notes=(),
)


def test_models_by_hand():
    known, unknown = model_texts(DATASET)
    assert (known.rank, known.score, known.interval, known.bootstrap) == ("1-2", "81.2", "70.0 to 92.5", "75.5 to 86.1")
    assert (known.verdict, known.difference) == ("baseline", "-")
    assert (known.seeds, known.seed_std, known.balanced, known.corrupted) == ("2", "1.2", "80.3", "50.0")
    assert (known.log_loss, known.calibration) == ("0.612", "0.046")
    assert (known.selection, known.official, known.tuned_on, known.pretrained) == (
        "last",
        "yes",
        "folds 1, 3",
        "AudioSet",
    )
    assert known.marks == ("optimistic",)
    assert (known.parameters, known.macs, known.seconds, known.energy) == ("1.23 M", "2 G", "62", "~0.278")
    assert (known.ms, known.mb, known.peak) == ("12.3", "4.57", "1234")
    assert (known.machine, known.front) == ("here, 2 cores", "yes")
    assert (unknown.rank, unknown.score, unknown.verdict, unknown.difference) == ("2", "50.0", "worse", "-31.2")
    empty = {name for name, text in asdict(unknown).items() if text == "-"}
    assert empty == {
        *("interval", "seed_std", "balanced", "corrupted", "selection", "official", "tuned_on", "pretrained"),
        *("parameters", "macs", "seconds", "energy", "ms", "mb", "peak", "machine"),
    }
    assert (unknown.marks, unknown.front) == ((), "")


def test_energy_that_was_measured_has_no_mark():
    measured = replace(KNOWN, costs=replace(KNOWN.costs, energy_estimated=False))
    assert model_texts(replace(DATASET, models=(measured, UNKNOWN)))[0].energy == "0.278"


def test_pairs_and_effects_by_hand():
    pair = pair_text(PAIR)
    assert (pair.first, pair.second, pair.verdict) == ("unknown", "known", "worse")
    assert (pair.difference, pair.interval) == ("-31.2", "-40.0 to -22.5")
    assert (pair.p, pair.p_equivalence, pair.p_as_trained, pair.p_mcnemar) == ("<0.001", "-", "0.031", "-")
    effect = effect_text(EFFECT)
    assert (effect.key, effect.value, effect.reference, effect.pairs) == ("train.lr", "0.003", "0.001", "4")
    assert (effect.difference, effect.interval) == ("+2.1", "-1.1 to +5.3")


def test_intervals_are_cut_to_what_scores_can_be():
    wide = replace(KNOWN, score=FoldEstimate(0.6, 0.1, -0.253, 1.476, 0.1))
    assert model_texts(replace(DATASET, models=(wide,)))[0].interval == "0.0 to 100.0"
    assert pair_text(replace(PAIR, retrained=FoldEstimate(0.1, 0.1, -1.5, 1.7, 0.1))).interval == "-100.0 to +100.0"
    assert effect_text(replace(EFFECT, difference=FoldEstimate(0.1, 0.1, -1.5, 0.5, 0.1))).interval == "-100.0 to +50.0"


def test_what_p_is_corrected_for_is_said_where_an_interval_is_not():
    assert interval_line(DATASET, 1) is None
    assert interval_line(replace(DATASET, folds=(1,)), 3) is None
    assert str(interval_line(DATASET, 3)).startswith("p is corrected for 3 comparisons and the 95 % interval is not")
    both = replace(DATASET, against_baseline=(PAIR, PAIR))
    terminal = io.StringIO()
    print_comparison(Comparison((both,)), Console(file=terminal, width=200))
    for text in (terminal.getvalue(), comparison_page(Comparison((both,)))):
        assert "is corrected for 2 comparisons and the 95 % interval is not" in text


def test_every_title_of_the_verdicts_is_explained_on_the_page():
    shown = replace(PAIR, p_equivalence=0.2, p_mcnemar=0.3)
    page = comparison_page(Comparison((replace(DATASET, against_baseline=(shown,)),)))
    for title in ("p", "p within", "p as trained", "McNemar", "sd of seeds", "95 %"):
        assert f"<b>{title}</b>" in page
    for title in ("p", "p within 1.0", "p as trained", "McNemar", "sd of seeds"):
        assert f">{title}</th>" in page
    assert ">McNemar</th>" not in comparison_page(Comparison((DATASET,)))


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def test_terminal_page_and_markdown_show_these_texts():
    comparison, terminal = Comparison((DATASET,)), io.StringIO()
    print_comparison(comparison, Console(file=terminal, width=200))
    cells = Cells()
    cells.feed(comparison_page(comparison))
    for model in model_texts(DATASET):
        fields = asdict(model)
        marks, tuned_on, difference, verdict = (
            fields.pop(name) for name in ("marks", "tuned_on", "difference", "verdict")
        )
        for text in (*fields.values(), *marks):
            assert text in terminal.getvalue()
            assert not text or text in cells.found
        assert {tuned_on, verdict} <= set(cells.found)
        shown = verdict if verdict == "baseline" else f"{verdict} ({difference})"
        name = model.name + "".join(f" ({mark})" for mark in marks)
        row = [model.rank, name, model.score, model.interval, shown, model.parameters, model.macs]
        assert f"| {' | '.join(row)} |" in markdown(comparison)
    for row in (pair_text(PAIR), effect_text(EFFECT)):
        for text in asdict(row).values():
            assert text in terminal.getvalue()
            assert text in cells.found
