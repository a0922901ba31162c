"""The comparison from paths to records: verdicts, intervals, both p, and what is written."""

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

import audiosurvey
from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.output.page import comparison_page
from audiosurvey.comparison.output.records import csv_text, long_records, markdown, records
from audiosurvey.comparison.output.terminal import print_comparison
from audiosurvey.errors import UserError
from audiosurvey.runs.results.predictions import read_prediction_table


@pytest.fixture
def paths(make_run, make_foreign):
    return [make_run("strong", 0.95), make_run("weak", 0.5), make_foreign("theirs", 0.94)]


def correct_and_folds(run):
    tables = [read_prediction_table(path) for path in sorted(run.glob("**/predictions.csv"))]
    correct = np.concatenate([table.scores_NK.argmax(1) == table.truth_NK.argmax(1) for table in tables])
    return correct, np.concatenate([table.folds_N for table in tables])


def test_a_strong_and_a_weak_model(paths):
    (found,) = compare_paths(paths, CompareOptions()).datasets
    assert found.chosen_by_score
    assert found.models[-1].name == "weak"
    assert found.models[-1].rank == (3, 3)
    assert found.models[0].rank == (1, 2)
    worst: Any = found.verdict_on("weak")
    assert worst.verdict == "worse"
    assert found.verdict_on(found.baseline) is None
    close = next(pair for pair in found.against_baseline if pair.first != "weak")
    assert close.verdict in ("undecided", "the same")


def test_the_numbers_are_those_of_scipy_and_statsmodels(paths):
    (found,) = compare_paths(paths[:2], CompareOptions(baseline="weak")).datasets
    (pair,) = found.against_baseline
    (strong, folds), (weak, _) = (correct_and_folds(path) for path in paths[:2])
    means = [np.array([right[folds == fold].mean() for fold in range(1, 6)]) for right in (strong, weak)]
    for model, mean in zip(found.models, means, strict=True):
        assert model.score.mean == pytest.approx(mean.mean())
        half = stats.t.ppf(0.975, 4) * mean.std(ddof=1) * math.sqrt(1 / 5 + 1 / 4)
        assert (model.score.low, model.score.high) == pytest.approx((mean.mean() - half, mean.mean() + half))
    difference = means[0] - means[1]
    t = difference.mean() / (difference.std(ddof=1) * math.sqrt(1 / 5 + 1 / 4))
    assert pair.retrained.p == pair.p_holm == pytest.approx(2 * stats.t.sf(t, 4))
    table = [[(strong & weak).sum(), (strong & ~weak).sum()], [(~strong & weak).sum(), (~strong & ~weak).sum()]]
    assert pair.p_mcnemar == pytest.approx(mcnemar(table, exact=True).pvalue)
    by_recording = (strong * 1.0 - weak).reshape(-1, 2).sum(axis=1)
    expected = stats.permutation_test(
        (by_recording,),
        lambda x, axis: x.sum(axis=axis),
        permutation_type="samples",
        n_resamples=9999,
        vectorized=True,
        rng=np.random.default_rng(0),
    )
    assert pair.p_as_trained == pytest.approx(expected.pvalue, abs=0.01)
    assert pair.as_trained.low < difference.mean() < pair.as_trained.high


def test_two_seeds_of_one_config_do_not_differ(make_run):
    runs = [make_run("one", 0.8, 0), make_run("two", 0.8, 1, config={"other": 1})]
    (found,) = compare_paths(runs, CompareOptions()).datasets
    assert found.against_baseline[0].verdict in ("the same", "undecided")


def test_seeds_are_averaged_within_folds(make_run):
    runs = [make_run(f"a-seed{seed}", 0.8, seed) for seed in range(3)] + [make_run("b", 0.7, 0)]
    (found,) = compare_paths(runs, CompareOptions(baseline="b")).datasets
    row: Any = next(model for model in found.models if model.name == "a")
    assert row.seeds == (0, 1, 2)
    scores = np.array(row.fold_scores)
    assert scores.shape == (3, 5)
    assert row.seed_std == pytest.approx(scores.mean(axis=1).std(ddof=1))
    # 4 degrees of freedom, not 14
    half = stats.t.ppf(0.975, 4) * scores.mean(axis=0).std(ddof=1) * math.sqrt(0.45)
    assert row.score.high - row.score.mean == pytest.approx(half)
    pair: Any = found.verdict_on("a")
    assert pair.p_mcnemar is None
    assert pair.more is None or not pair.more.seeds_unknown


def test_several_labels(make_foreign):
    changed = {f"{fold}-{n}.wav": {"label": "bark|rain"} for fold in range(1, 6) for n in (0, 1)}
    runs = [make_foreign("one", 0.95, drop=(), **changed), make_foreign("two", 0.4, drop=(), **changed)]
    (found,) = compare_paths(runs, CompareOptions(pairs=True)).datasets
    assert found.metric == "mAP"
    best = found.models[0]
    assert best.balanced_accuracy is None
    assert best.bootstrap.low < best.score.mean < best.bootstrap.high
    (pair,) = found.pairs
    assert (pair.first, pair.verdict, pair.p_mcnemar) == ("one", "better", None)
    assert pair.p_as_trained < 0.01


def test_one_fold_has_no_interval_over_folds(make_run):
    runs = [make_run("a", 0.9, folds=[1]), make_run("b", 0.3, folds=[1])]
    (found,) = compare_paths(runs, CompareOptions()).datasets
    assert found.models[0].score.low is None
    assert found.against_baseline[0].verdict is None
    assert found.against_baseline[0].p_as_trained < 0.05
    assert "one fold: no interval" in found.notes[0]


def test_two_folds_have_a_note(make_run):
    runs = [make_run("a", 0.9, folds=[1, 2]), make_run("b", 0.3, folds=[1, 2])]
    (found,) = compare_paths(runs, CompareOptions()).datasets
    assert [note for note in found.notes if note.startswith("two folds give very wide intervals")]
    (five,) = compare_paths([make_run("c", 0.9)], CompareOptions()).datasets
    assert not any("two folds" in note for note in five.notes)


def test_one_fold_has_no_verdict_in_any_output(make_run):
    runs = [make_run("a", 0.9, folds=[1]), make_run("b", 0.3, folds=[1])]
    comparison = compare_paths(runs, CompareOptions())
    console = Console(file=(shown := io.StringIO()), width=80)
    print_comparison(comparison, console)
    for text in (shown.getvalue(), comparison_page(comparison), markdown(comparison)):
        assert "one fold: no verdicts" in text
        assert "undecided" not in text.replace("<b>Undecided</b>", "").replace(".undecided", "")
    assert [one["verdict"] for one in records(comparison)] == ["baseline", None]
    assert "corrected t" not in markdown(comparison)


def test_the_markdown_title_tells_folds_and_seeds(make_run):
    runs = [make_run(f"a-seed{seed}", 0.8, seed) for seed in range(3)]
    assert "accuracy in %, 5 folds, 3 seeds, 200 clips" in markdown(compare_paths(runs, CompareOptions()))
    runs.append(make_run("b", 0.7))
    assert "accuracy in %, 5 folds, 1 to 3 seeds, 200 clips" in markdown(compare_paths(runs, CompareOptions()))
    one = compare_paths(runs[-1:], CompareOptions(folds=(2,)))
    assert "accuracy in %, 1 fold, 1 seed, 40 clips" in markdown(one)


def test_one_model_alone(make_run):
    (found,) = compare_paths([make_run("a")], CompareOptions(pairs=True)).datasets
    assert found.against_baseline == found.pairs == ()
    assert found.models[0].rank == (1, 1)


def test_marks_of_the_protocol_are_kept(make_run):
    run = make_run("a", protocol={"tuned_on": [2, 1]}, optimistic=True, selection="test", init="some weights")
    (record,) = records(compare_paths([run], CompareOptions()))
    assert record["tuned_on"] == [1, 2]
    assert record["selection"] == "test"
    assert record["pretrained_on"] == "some weights"
    assert record["official"] is False
    assert "tuned on folds 1, 2" in record["caveats"]
    assert "tuned on folds 1, 2" in markdown(compare_paths([run], CompareOptions()))


def test_models_of_other_versions_are_marked(make_run):
    runs = [
        make_run("a", 0.8, version="0.1.0"),
        make_run("b", 0.7, version="0.2.0"),
        make_run("c", 0.6, version="0.1.0", versions=["0.1.0", "0.2.0"]),
    ]
    comparison = compare_paths(runs, CompareOptions())
    marked = {
        record["model"]: [line for line in record["caveats"] if "trained" in line] for record in records(comparison)
    }
    assert marked == {
        "a": ["trained by audiosurvey 0.1.0"],
        "b": ["trained by audiosurvey 0.2.0"],
        "c": ["folds trained by several versions of audiosurvey: 0.1.0, 0.2.0"],
    }
    assert "trained by audiosurvey 0.2.0" in markdown(comparison)
    (alone,) = records(compare_paths(runs[:1], CompareOptions()))
    assert not any("trained" in line for line in alone["caveats"])


def test_options_are_checked(paths):
    for options, message in (
        (CompareOptions(baseline="stronk"), "baseline='stronk': no such model; there are strong, theirs, weak"),
        (CompareOptions(cost="money"), "cost='money': no such cost"),
        (CompareOptions(margin=2), "margin: must be more than 0 and less than 100 points"),
    ):
        with pytest.raises(UserError, match=message):
            compare_paths(paths, options)


def test_the_python_api_gives_plain_records(paths):
    found = audiosurvey.compare([str(path) for path in paths], baseline="weak")
    assert [one["model"] for one in found][-1] == "weak"
    assert found[-1]["verdict"] == "baseline"
    assert found[0]["verdict"] == "better"
    assert json.loads(json.dumps(found.records)) == list(found)
    assert audiosurvey.compare(paths[0])[0]["model"] == "strong"


def test_csv_and_long_csv(paths):
    found = compare_paths(paths, CompareOptions())
    rows = list(csv.DictReader(io.StringIO(csv_text(records(found)))))
    assert [row["model"] for row in rows] == [model.name for model in found.datasets[0].models]
    assert float(rows[0]["score"]) == found.datasets[0].models[0].score.mean
    theirs = next(row for row in rows if row["model"] == "theirs")
    assert (theirs["parameters"], theirs["official"], theirs["folds"]) == ("", "", "1; 2; 3; 4; 5")
    long = list(csv.DictReader(io.StringIO(csv_text(long_records(found)))))
    assert len(long) == 15
    assert {row["fold"] for row in long} == {"1", "2", "3", "4", "5"}


def test_rankings_are_the_same_each_time(paths):
    assert compare_paths(paths, CompareOptions()) == compare_paths(paths, CompareOptions())


def test_names_are_text_in_markdown(make_run):
    text = markdown(compare_paths([make_run("a|b *c*")], CompareOptions()))
    assert "a\\|b \\*c\\*" in text


def test_a_baseline_of_another_data_set(make_survey):
    rows = {
        (name, 0): {"dataset": data, "accuracy": accuracy}
        for name, data, accuracy in (("a", "one", 0.9), ("b", "one", 0.5), ("c", "two", 0.8), ("d", "two", 0.7))
    }
    one, two = compare_paths([make_survey(rows)], CompareOptions(baseline="b")).datasets
    assert (one.baseline, one.chosen_by_score) == ("b", False)
    assert (two.baseline, two.chosen_by_score) == ("c", True)
    assert "no model b on this data set" in two.notes[-1]
