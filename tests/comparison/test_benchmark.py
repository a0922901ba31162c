"""What is put into one table, and what is refused because it is not the same."""

import json

import numpy as np
import pytest

from audiosurvey.comparison.benchmark import make_benchmarks
from audiosurvey.comparison.sources import find_rows
from audiosurvey.errors import UserError


def made(*paths, folds=(), left_out=None):
    return make_benchmarks(find_rows(paths), folds, (left_out if left_out is not None else []).append)


def refused(*paths, folds=()) -> str:
    with pytest.raises(UserError) as caught:
        made(*paths, folds=folds)
    assert len(caught.value.lines) == 1
    return caught.value.lines[0]


def test_runs_and_files_of_others_are_aligned(make_run, make_foreign):
    (found,) = made(make_run("run", 0.9), make_foreign("theirs", 0.6))
    assert found.title == "folder"
    assert [model.name for model in found.models] == ["run", "theirs"]
    assert found.clips == 200
    assert found.recording_N.max() + 1 == 100
    assert found.folds == (1, 2, 3, 4, 5)
    run, theirs = found.models
    assert run.ratio == 40 / 160
    assert theirs.ratio == 40 / 160
    assert run.score == pytest.approx(0.9, abs=0.08)
    assert theirs.score == pytest.approx(0.6, abs=0.08)
    assert run.fold_scores_SJ.shape == (1, 5)


def test_training_sizes_come_from_the_results(make_run):
    run = make_run("run")
    text = (run / "results.json").read_text(encoding="utf-8").replace('"train_clips": 160', '"train_clips": 120')
    (run / "results.json").write_text(text, encoding="utf-8")
    assert made(run)[0].models[0].ratio == 40 / 120


def test_the_order_of_rows_and_columns_in_a_file_does_not_matter(make_foreign):
    one, two = make_foreign("one"), make_foreign("two", drop=())
    text = (two / "predictions.csv").read_text(encoding="utf-8").splitlines()
    (two / "predictions.csv").write_text("\n".join([text[0], *sorted(text[1:])]) + "\n", encoding="utf-8")
    (found,) = made(one, two)
    assert np.array_equal(found.models[0].scores_SNK, found.models[1].scores_SNK)
    assert found.recordings_known


def test_without_sources_each_clip_is_its_own_recording(make_foreign):
    (found,) = made(make_foreign("one"))
    assert not found.recordings_known
    assert found.recording_N.tolist() == list(range(200))
    assert "no source recordings" in found.notes[0]


def test_sources_that_differ_are_noted(make_run, make_foreign):
    (found,) = made(make_run("run"), make_foreign("theirs", drop=(), **{"1-0.wav": {"source": "r5-3"}}))
    assert "differ from those in" in found.notes[0]
    (found,) = made(
        make_run("run2"), make_foreign("other", drop=(), **{f"1-{n}.wav": {"source": "new"} for n in (0, 1)})
    )
    assert found.notes == ()


def test_other_data_are_refused(make_run, make_foreign):
    run = make_run("run")
    clip = make_foreign("clip", **{"1-0.wav": {"clip": "new.wav"}})
    assert "other clips: 1 only here (new.wav), 1 only there (1-0.wav)" in refused(run, clip)
    fold = make_foreign("fold", **{"1-0.wav": {"fold": 2}})
    assert "other folds: 1-0.wav is in fold 2 and not in fold 1" in refused(run, fold)
    label = make_foreign("label", **{"1-0.wav": {"label": "rain"}, "1-1.wav": {"label": "rain"}})
    assert "other labels: 1-0.wav is rain and not bark, and 1 more" in refused(run, label)
    classes = make_foreign("classes")
    text = (classes / "predictions.csv").read_text(encoding="utf-8").replace("wind", "storm")
    (classes / "predictions.csv").write_text(text, encoding="utf-8")
    assert "other classes: 1 only here (storm), 1 only there (wind)" in refused(run, classes)
    elsewhere = make_foreign("elsewhere")
    text = (elsewhere / "predictions.csv").read_text(encoding="utf-8").replace(".wav", ".flac")
    (elsewhere / "predictions.csv").write_text(text, encoding="utf-8")
    assert "has no clips in common with" in refused(run, elsewhere)


def test_missing_folds_are_refused_for_named_runs(make_run):
    whole, part = make_run("whole", 0.8), make_run("part", 0.7, folds=[1, 2, 3])
    assert refused(whole, part).endswith("no fold 4, 5, which others have; add them, or compare folds='1,2,3'")
    (found,) = made(whole, part, folds=[1, 3])
    assert found.folds == (1, 3)
    assert found.clips == 80
    assert refused(whole, part, folds=[7]) == "folds: no model has fold 7; there are 1, 2, 3, 4, 5"


def test_incomplete_seeds_of_a_survey_are_left_out(make_survey):
    rows = {("a", 0): {}, ("a", 1): {"folds": [1, 2]}, ("b", 0): {"folds": [1]}}
    left_out: list[str] = []
    (found,) = made(make_survey(rows), left_out=left_out)
    assert [(model.name, model.seeds) for model in found.models] == [("a", (0,))]
    assert len(left_out) == 2
    assert left_out[0].endswith("no fold 3, 4, 5")


def test_folds_to_compare_are_suggested(make_survey):
    some = make_survey({("a", 0): {"folds": [1, 2, 4]}, ("b", 0): {"folds": [1, 2, 3]}})
    assert refused(some).endswith("no model has all of the folds 1, 2, 3, 4; compare fewer with folds='1,2'")
    assert refused(some, folds=[1, 3, 4]).endswith("all of the folds 1, 3, 4; compare fewer with folds='1'")
    # No fold that all have: those of the row with most.
    none = make_survey({("a", 0): {"folds": [2]}, ("b", 0): {"folds": [1, 3]}}, name="none")
    assert refused(none).endswith("no model has all of the folds 1, 2, 3; compare fewer with folds='1,3'")


def test_a_data_set_without_a_model_on_all_folds_is_left_out(make_survey):
    """The folds that are suggested for one data set need not be there for another."""
    folds = {"a": ("one", [2]), "b": ("one", [1, 3]), "c": ("two", [4, 5]), "d": ("two", [2])}
    some = make_survey({(row, 0): {"dataset": data, "folds": own} for row, (data, own) in folds.items()})
    assert refused(some).endswith("one: no model has all of the folds 1, 2, 3; compare fewer with folds='1,3'")
    left_out: list[str] = []
    (found,) = made(some, folds=[1, 3], left_out=left_out)
    assert [model.name for model in found.models] == ["b"]
    assert left_out[-1] == "two: no model has fold 1, 3"
    (found,) = made(some, folds=[4, 5], left_out=left_out)
    assert [model.name for model in found.models] == ["c"]
    assert [[model.name for model in one.models] for one in made(some, folds=[2])] == [["a"], ["d"]]


def test_a_data_set_that_is_not_finished_does_not_hide_the_others(make_survey):
    folds = {"a": ("one", [1, 2]), "b": ("two", [1]), "c": ("two", [2])}
    some = make_survey({(row, 0): {"dataset": data, "folds": own} for row, (data, own) in folds.items()})
    left_out: list[str] = []
    assert [[model.name for model in one.models] for one in made(some, left_out=left_out)] == [["a"]]
    assert left_out[-1] == "two: no model has all of the folds 1, 2"


def test_damaged_runs_are_refused(make_run):
    run = make_run("run")
    file = run / "fold-1" / "predictions.csv"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(lines[:-1]), encoding="utf-8")
    assert refused(run).startswith(f"{file.as_posix()}: damaged, not the 40 clips of fold 1; remove {run.as_posix()}/")
    file.write_text((run / "fold-2" / "predictions.csv").read_text(encoding="utf-8"), encoding="utf-8")
    assert "damaged, not the 40 clips of fold 1; remove" in refused(run)
    file.unlink()
    assert refused(run).startswith(f"{file.as_posix()}: is missing; remove {run.as_posix()}/")


def test_a_clip_is_tested_once(make_foreign):
    theirs = make_foreign("theirs")
    for fold in (1, 2):
        (theirs / f"fold-{fold}").mkdir()
        (theirs / f"fold-{fold}" / "predictions.csv").write_bytes((theirs / "predictions.csv").read_bytes())
    (theirs / "predictions.csv").unlink()
    assert "and 197 more in" in refused(theirs)


def test_several_labels_are_scored_by_map(make_foreign):
    changed = {f"{fold}-0.wav": {"label": "bark|rain"} for fold in range(1, 6)} | {"1-3.wav": {"label": ""}}
    (found,) = made(make_foreign("one", 0.9, **changed), make_foreign("two", 0.6, **changed))
    assert found.multi_label
    assert found.metric == "mAP"
    assert [model.name for model in found.models] == ["one", "two"]
    assert found.models[0].correct_SN is None


def test_the_share_of_test_clips_is_that_of_the_compared_folds(make_run):
    five, two = make_run("five"), make_run("two", folds=[1, 2])
    for run in (five, two):
        results = json.loads((run / "results.json").read_text(encoding="utf-8"))
        for row in results["folds"]:
            row["train_clips"] = 100 * row["fold"]
        (run / "results.json").write_text(json.dumps(results), encoding="utf-8")
    (found,) = make_benchmarks(find_rows([five, two]), (1, 2), [].append)
    assert [model.ratio for model in found.models] == pytest.approx([(0.4 + 0.2) / 2] * 2)
