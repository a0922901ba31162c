"""Robustness of a run: the right clips and models, resumable, the same each time."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

import audiosurvey
from audiosurvey.analysis import robustness as module
from audiosurvey.analysis.corruptions import Corruption, Scene, corruptions
from audiosurvey.analysis.robustness import corrupting, measure_robustness, other_class
from audiosurvey.analysis.robustness_results import robustness_of
from audiosurvey.data.table import Clip
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream
from audiosurvey.runs.evaluation.conditions import Change
from audiosurvey.runs.evaluation.heldout import FoldModel, open_run
from audiosurvey.runs.results.run_folder import RunFolder

FEW = ("white_noise", "other_class", "muted")


def known(value: float | None) -> float:
    assert value is not None
    return value


@pytest.fixture
def few(monkeypatch) -> None:
    """Three corruptions that are quick to make, and one outside the means."""
    quick = [one for one in corruptions() if one.name in FEW]
    outside = replace(quick[0], name="outside", in_mean=False)
    monkeypatch.setattr(module, "corruptions", lambda: [*quick, outside])


@pytest.mark.usefixtures("few")
def test_scores_are_those_of_the_models_on_corrupted_test_clips(run: Path):
    found = measure_robustness(run, device="cpu")
    assert [fold.fold for fold in found.folds] == [1, 2, 3]
    for fold in open_run(RunFolder(run)).models():
        measured = next(one for one in found.folds if one.fold == fold.row.fold)
        assert measured.clean.score == fold.row.metrics(["accuracy"])["accuracy"]
        model = audiosurvey.load(run / f"fold-{fold.row.fold}" / "model")
        white = next(one for one in corruptions() if one.name == "white_noise")
        cell = measured.corruptions[0].cells[4]
        assert (cell.severity, cell.level) == (5, 5.0)
        said = []
        for clip in fold.clips:
            scene = Scene(8000, stream("robustness", "white_noise", clip.id), lambda: None)
            said.append(next(iter(model.predict(white.corrupt(fold.sounds.store.read(clip.id), 5.0, scene)))))
        names = [fold.sounds.table.classes[clip.labels[0]] for clip in fold.clips]
        assert cell.score == accuracy_score(names, said)


@pytest.mark.usefixtures("few")
def test_means_losses_and_errors_are_those_of_the_folds(run: Path):
    found = measure_robustness(run, device="cpu")
    cells = [[row.cells for row in fold.corruptions] for fold in found.folds]
    for r, row in enumerate(found.corruptions):
        for c, cell in enumerate(row.cells):
            scores = [known(fold[r][c].score) for fold in cells]
            assert cell.score == pytest.approx(np.mean(scores))
            assert cell.relative_loss == pytest.approx(1 - np.mean(scores) / known(found.clean.score))
            assert cell.standard_error == pytest.approx(np.sqrt(np.mean(scores) * (1 - np.mean(scores)) / 24))
            errors = [known(fold[r][c].calibration_error) for fold in cells]
            assert cell.calibration_error == pytest.approx(np.mean(errors))
    counted = [known(cell.score) for row in found.corruptions if row.name != "outside" for cell in row.cells]
    assert len(counted) == 15
    assert found.mean_score == pytest.approx(np.mean(counted))


def test_the_clip_that_is_mixed_in_is_a_training_clip_of_another_class(run: Path):
    fold = next(iter(open_run(RunFolder(run)).models()))
    store, training = fold.sounds.store, fold.split.train
    waves = {clip.id: store.read(clip.id) for clip in training}
    partners = set()
    for clip in fold.clips:
        other_S = other_class(clip, training, store, store.length(clip.id))
        assert other_S is not None
        (partner,) = [one for one in training if np.array_equal(waves[one.id], other_S)]
        assert partner.labels != clip.labels
        partners.add(partner.id)
    assert not partners & {clip.id for clip in fold.split.test}
    assert len(partners) > 3
    alone = [one for one in training if one.labels == fold.clips[0].labels]
    assert other_class(fold.clips[0], alone, store, 4000) is None


def test_a_clip_is_corrupted_alike_in_every_run(run: Path):
    fold = next(iter(open_run(RunFolder(run)).models()))
    clip = fold.clips[0]
    wave_S = fold.sounds.store.read(clip.id)
    for one in corruptions():
        first_S, again_S = (corrupting(one, one.levels[3], fold)(wave_S, clip) for _ in range(2))
        np.testing.assert_array_equal(first_S, again_S)


@pytest.mark.usefixtures("few")
def test_folds_are_written_as_they_end_and_not_measured_again(run: Path, monkeypatch):
    measured = []
    true = module._of_fold

    def of_fold(fold, *arguments):
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(fold.row.fold)
        return true(fold, *arguments)

    monkeypatch.setattr(module, "_of_fold", of_fold)
    with pytest.raises(KeyboardInterrupt):
        measure_robustness(run, device="cpu")
    stored = json.loads((run / "analysis/robustness.json").read_text(encoding="utf-8"))
    assert [fold["fold"] for fold in stored["folds"]] == [1, 2]
    measured[:] = [0]
    found = measure_robustness(run, device="cpu")
    assert measured == [0, 3]
    assert [fold.fold for fold in found.folds] == [1, 2, 3]
    assert json.loads((run / "analysis/robustness.json").read_text(encoding="utf-8")) == found.as_json()
    measured[:] = []
    measure_robustness(run, device="cpu", folds=[2], fresh=True)
    assert measured == [2]


@pytest.mark.usefixtures("few")
def test_a_fold_with_another_model_is_measured_again(run: Path):
    measure_robustness(run, device="cpu", folds=[1])
    shutil.rmtree(run / "fold-1/model")
    shutil.copytree(run / "fold-2/model", run / "fold-1/model")
    found = measure_robustness(run, device="cpu", folds=[1])
    digest = json.loads((run / "fold-2/model/model.json").read_text(encoding="utf-8"))["sha256"]["weights.safetensors"]
    assert [fold.model for fold in found.folds] == [digest]


@pytest.mark.usefixtures("few")
def test_a_fold_that_was_trained_again_does_not_count_until_it_is_measured(run: Path):
    found = measure_robustness(run, device="cpu")
    results = RunFolder(run).read_results()
    assert results is not None
    assert robustness_of(RunFolder(run), results) == found
    shutil.rmtree(run / "fold-3/model")
    shutil.copytree(run / "fold-1/model", run / "fold-3/model")
    with pytest.raises(UserError, match="fold 3 was measured with another model; run 'audiosurvey robustness"):
        robustness_of(RunFolder(run), results)
    assert [fold.fold for fold in measure_robustness(run, device="cpu", folds=[1]).folds] == [1, 2]
    # A model that was removed after it was measured still counts.
    shutil.rmtree(run / "fold-2/model")
    assert [fold.fold for fold in measure_robustness(run, device="cpu", folds=[1]).folds] == [1, 2]
    assert robustness_of(RunFolder(run), results) is not None
    other = results.changed(dataset=results.dataset.changed(hash="other"))
    with pytest.raises(UserError, match="was measured on other data"):
        robustness_of(RunFolder(run), other)


@pytest.mark.usefixtures("few")
def test_every_part_of_the_clips_takes_as_long(run: Path, monkeypatch: pytest.MonkeyPatch):
    """So that the pace says how long the rest will take, whichever corruptions are slow."""
    monkeypatch.setattr(module, "CLIPS_AT_ONCE", 2)
    order: list[tuple[str, float]] = []
    true = module.corrupting

    def noted(one: Corruption, level: float, fold: FoldModel) -> Change:
        def change(wave_S: np.ndarray, clip: Clip) -> np.ndarray:
            order.append((one.name, level))
            return true(one, level, fold)(wave_S, clip)

        return change

    monkeypatch.setattr(module, "corrupting", noted)
    measure_robustness(run, device="cpu", folds=[1])
    assert len(order) == 8 * 4 * 5
    for begin in range(0, len(order), 2 * 4):
        assert len({name for name, _ in order[begin : begin + 2 * 4]}) == 4
    for begin in range(0, len(order), 2 * 4 * 5):
        assert len(set(order[begin : begin + 2 * 4 * 5])) == 4 * 5


@pytest.mark.usefixtures("few")
def test_the_progress_ends_at_its_total(run: Path):
    seen: list[tuple[int, int | None]] = []

    @contextmanager
    def bar(title: str):
        yield (lambda done, total: seen.append((done, total))) if "corrupted" in title else None

    measure_robustness(run, device="cpu", folds=[1])
    shutil.rmtree(run / "fold-1/model")
    shutil.copytree(run / "fold-2/model", run / "fold-1/model")
    measure_robustness(run, device="cpu", folds=[1, 2], bar=bar)
    # 8 test clips a fold, clean and with four corruptions at five severities.
    assert {total for _, total in seen} == {2 * 8 * 21}
    assert seen[-1][0] == seen[-1][1]


@pytest.mark.usefixtures("few")
def test_a_folder_that_cannot_be_written_is_told_before_the_work(run: Path, monkeypatch: pytest.MonkeyPatch):
    (run / "analysis").write_text("in the way", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_of_fold", lambda *arguments: pytest.fail("measured"))
        with pytest.raises(UserError, match="robustness cannot be written"):
            measure_robustness(run, device="cpu")
    (run / "analysis").unlink()
    found = measure_robustness(run, device="cpu", folds=[1])
    # What is known is not written again.
    monkeypatch.setattr(module, "write_json", lambda *arguments: pytest.fail("written"))
    assert measure_robustness(run, device="cpu", folds=[1]) == found


@pytest.mark.usefixtures("few")
def test_errors_against_a_baseline(run: Path, tmp_path: Path, command):
    other = Path(shutil.copytree(run, tmp_path / "other"))
    status, _, err = command("robustness", run, "--folds", "1,2", "--baseline", other, "--device", "cpu")
    assert status == 2
    assert "was not measured; run 'audiosurvey robustness" in err
    baseline = measure_robustness(other, device="cpu", folds=[1, 2])
    found = measure_robustness(run, device="cpu", folds=[1, 2], baseline=other).baseline
    assert found is not None
    for row in baseline.corruptions:
        assert found.corruption_errors[row.name] == (pytest.approx(1) if row.error else None)
    with pytest.raises(UserError, match="fold 3 was not measured"):
        measure_robustness(run, device="cpu", baseline=other)


@pytest.mark.usefixtures("few")
def test_a_baseline_is_compared_on_the_asked_folds_and_checked_first(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    other = Path(shutil.copytree(run, tmp_path / "other"))
    measure_robustness(other, device="cpu", folds=[1])
    measure_robustness(run, device="cpu", folds=[2])
    with monkeypatch.context() as patch:
        patch.setattr(module, "_of_fold", lambda *arguments: pytest.fail("measured"))
        with pytest.raises(UserError, match="fold 3 was not measured"):
            measure_robustness(run, device="cpu", folds=[3], baseline=other)
    found = measure_robustness(run, device="cpu", folds=[1], baseline=other)
    assert [fold.fold for fold in found.folds] == [1, 2]
    assert found.baseline is not None
    assert found.baseline.folds == [1]
    assert {error for error in found.baseline.corruption_errors.values() if error is not None} <= {1.0}
    # Other folds do not change it; another model of its fold does.
    assert measure_robustness(run, device="cpu", folds=[3]).baseline == found.baseline
    shutil.rmtree(run / "fold-1/model")
    shutil.copytree(run / "fold-2/model", run / "fold-1/model")
    assert measure_robustness(run, device="cpu").baseline is None


@pytest.mark.usefixtures("few")
def test_the_command(run: Path, command):
    status, out, _ = command("robustness", run, "--folds", "1", "--device", "cpu")
    assert status == 0
    for words in (
        "white noise",
        "SNR in dB: 30 to 5",
        "muted stretches",
        "mean over 3 corruptions",
        "fold 1",
    ):
        assert words in out
    status, out, _ = command("robustness", run, "--folds", "1", "--device", "cpu", "--json")
    assert json.loads(out) == json.loads((run / "analysis/robustness.json").read_text(encoding="utf-8"))


def test_what_cannot_be_measured(run: Path, tmp_path: Path, command):
    for words, told in (
        ([tmp_path / "nowhere"], "no such folder; expected a run"),
        ([run / "fold-1"], f"not a run, but a part of one; give {run}"),
        ([run.parent], f"not a run; runs here: {run}"),
        ([run, "--folds", "7"], "no finished fold 7; finished folds: 1, 2, 3"),
        ([run, "--folds", "one"], "expected numbers separated by commas"),
        ([run, "--device", "abacus"], "abacus"),
    ):
        status, _, err = command("robustness", *words)
        assert status == 2
        assert told in err
        assert err.count("\n") == 1
    shutil.rmtree(run / "fold-2/model")
    status, _, err = command("robustness", run)
    assert (status, "its model was not kept" in err) == (2, True)
    (run / "analysis").mkdir()
    (run / "analysis/robustness.json").write_text("{}", encoding="utf-8")
    status, _, err = command("robustness", run, "--folds", "1")
    assert (status, "remove it, and 'audiosurvey robustness" in err) == (2, True)


@pytest.mark.usefixtures("few")
def test_several_labels_are_measured_by_map(train_tiny, tones: Path, tmp_path: Path):
    rows = ["path,label"]
    for number in range(6):
        rows += [f"low/{number}.wav,low|tone", f"high/{number}.wav,high|tone", f"noise/{number}.wav,noise"]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    data = f"dataset={{name: csv, root: '{tones.as_posix()}', table: '{(tmp_path / 'table.csv').as_posix()}', "
    train_tiny(tmp_path / "run", data + "num_folds: 3, clip_seconds: 0.5}", "train.epochs=1", folds=[1])
    found = measure_robustness(tmp_path / "run", device="cpu")
    assert found.metric == "map"
    assert found.clean.standard_error is None
    assert all(0 < known(cell.score) <= 1 for row in found.corruptions for cell in row.cells)


@pytest.mark.slow
def test_no_severity_is_better_than_the_one_before(tmp_path: Path):
    """On the toy set, by more than a standard error."""
    from audiosurvey.config.loader import load_config
    from audiosurvey.runs.plan import TrainOptions
    from audiosurvey.runs.train import train

    train(load_config("toy", ["train.epochs=8"]), TrainOptions(tmp_path / "run", [1, 2], threads=1, device="cpu"))
    found = measure_robustness(tmp_path / "run", device="cpu")
    assert len(found.corruptions) >= 10
    assert known(found.clean.score) > 0.4
    assert found.out_of_order() == []
