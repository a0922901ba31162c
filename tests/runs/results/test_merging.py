"""Folds trained apart and merged are what one run gives; what is not of one experiment stays apart."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from measured import without_measured

from audiosurvey.errors import UserError
from audiosurvey.runs.results.merging import merge

Train = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, train_tiny: Train) -> Path:
    """Two runs of one experiment with other folds and reader threads, and a whole one."""
    folder = tmp_path_factory.mktemp("apart")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "a", "train.epochs=1", folds=[3, 1])
        train_tiny(folder / "b", "train.epochs=1", "train.num_workers=1", "tracking=[tensorboard]", folds=[2])
        train_tiny(folder / "whole", "train.epochs=1")
    return folder


def written(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text(encoding="utf-8"))


def changed(run: Path, folder: Path, **keys: Any) -> Path:
    """A results.json with some keys changed."""
    path = folder / f"changed-{'-'.join(keys)}.json"
    path.write_text(json.dumps(written(run) | keys), encoding="utf-8")
    return path


def test_merged_folds_are_those_of_one_run(apart: Path):
    merged, whole = merge([apart / "a", apart / "b" / "results.json"]).as_json(), written(apart / "whole")
    assert without_measured(merged["folds"]) == without_measured(whole["folds"])
    for key in ("mean", "std", "confusion", "recall", "not_official", "classes", "all_folds"):
        assert merged[key] == whole[key]


def test_seconds_are_summed(apart: Path):
    merged = merge([apart / "b", apart / "a"])
    assert merged.seconds == pytest.approx(written(apart / "a")["seconds"] + written(apart / "b")["seconds"])


def test_official_once_every_fold_is_there(apart: Path, tmp_path: Path):
    published = {"dataset": written(apart / "a")["dataset"] | {"name": "esc50"}, "as_published": True}
    a = changed(apart / "a", tmp_path, **published)
    b = tmp_path / "b.json"
    b.write_text(json.dumps(written(apart / "b") | published), encoding="utf-8")
    assert merge([a, b]).official is True
    c = tmp_path / "c.json"
    c.write_text(json.dumps(written(apart / "b") | published | {"leaking": True}), encoding="utf-8")
    assert merge([a, c]).official is False


def test_every_difference_is_named(apart: Path, tmp_path: Path):
    config = written(apart / "b")["config"]
    config["train"]["lr"] = 0.5
    config["loss"]["label_smoothing"] = 0.1
    other = changed(apart / "b", tmp_path, config=config, version="0.0.1")
    with pytest.raises(UserError) as caught:
        merge([apart / "a", other])
    head, *differing = caught.value.lines
    assert "from another experiment" in head
    assert [line.split(":")[0].strip() for line in differing] == [
        "version",
        "config.loss.label_smoothing",
        "config.train.lr",
    ]
    assert "0.02 and 0.5" in differing[-1]


def test_other_data_is_another_experiment(apart: Path, tmp_path: Path):
    other = changed(apart / "b", tmp_path, dataset=written(apart / "b")["dataset"] | {"hash": "other"})
    with pytest.raises(UserError, match="hash"):
        merge([apart / "a", other])


def test_a_fold_counts_once(apart: Path):
    with pytest.raises(UserError, match=r"fold 2 is also in .*whole"):
        merge([apart / "whole", apart / "b"])


def test_what_is_no_result(apart: Path, tmp_path: Path):
    (tmp_path / "text.json").write_text("no", encoding="utf-8")
    (tmp_path / "old.json").write_text('{"schema": 1, "folds": []}', encoding="utf-8")
    with pytest.raises(UserError, match="not JSON; give a run folder"):
        merge([apart / "a", tmp_path / "text.json"])
    with pytest.raises(UserError, match=r"lacks version, config"):
        merge([apart / "a", tmp_path / "old.json"])
    with pytest.raises(UserError, match="no results"):
        merge([apart / "a", tmp_path])
    with pytest.raises(UserError, match="two results"):
        merge([apart / "a"])


def test_on_the_command_line(apart: Path, tmp_path: Path, command: Callable[..., tuple[int, str, str]]):
    output = tmp_path / "merged" / "results.json"
    status, _, err = command("merge", apart / "a", apart / "b", "--output", output)
    assert (status, err) == (2, f"--output {output}: the folder {output.parent} is missing\n")
    (tmp_path / "merged").mkdir()
    status, out, _ = command("merge", apart / "a", apart / "b", "--output", output)
    assert status == 0
    assert "mean" in out
    assert json.loads(output.read_text()) == merge([apart / "a", apart / "b"]).as_json()
    status, _, err = command("merge", apart / "a", apart / "b", "--output", output)
    assert (status, err.count("\n")) == (2, 1)
    assert "--force" in err
    status, out, _ = command("merge", apart / "a", apart / "b", "--output", output, "--force", "--json")
    assert status == 0
    assert len(json.loads(out)["folds"]) == 3


def test_a_run_folder_of_several_runs(apart: Path, tmp_path: Path, command):
    run = tmp_path / "ab"
    status, out, err = command("merge", apart / "b", apart / "a", "--run-dir", run)
    assert (status, err) == (0, "")
    again = f"audiosurvey train {run}/config.yaml --run-dir {run} --resume --final"
    assert out.splitlines()[-2:] == [f"run folder: {run}", f"next: {again}"]
    assert {path.name for path in run.iterdir()} == {
        *("config.yaml", "environment.json", "results.json", "confusion.png", "curves.png"),
        *("fold-1", "fold-2", "fold-3"),
    }
    assert written(run)["mean"] == written(apart / "whole")["mean"]
    for fold, source in ((1, "a"), (2, "b"), (3, "a")):
        copied, original = (path / f"fold-{fold}/model/weights.safetensors" for path in (run, apart / source))
        assert copied.read_bytes() == original.read_bytes()
    environment = json.loads((run / "environment.json").read_text(encoding="utf-8"))
    assert [one["run"] for one in environment["merged"]] == [str(apart / "a")]
    status, out, _ = command("runs", tmp_path)
    assert "3 of 3" in out
    # It is a run like any other: it ends with a final model, and its folds can be scored again.
    assert command(*again.split()[1:], "--no-detection", "--device", "cpu")[0] == 0
    assert (run / "model" / "model.json").is_file()
    assert command("evaluate", run)[0] == 0


def test_a_merged_run_says_which_models_were_not_kept(apart: Path, tmp_path: Path):
    lean = tmp_path / "lean"
    shutil.copytree(apart / "b", lean)
    shutil.rmtree(lean / "fold-2" / "model")
    said: list[str] = []
    merge([apart / "a", lean], run_dir=tmp_path / "ab", say=said.append)
    assert said == [f"{lean}: the models of 1 fold (2) were not kept, so they are missing"]
    assert not (tmp_path / "ab" / "fold-2" / "model").exists()


def test_runs_that_make_no_run_folder(apart: Path, tmp_path: Path):
    with pytest.raises(UserError, match="no run folder, so it has no models; give run folders, or output in place of"):
        merge([apart / "a", apart / "b" / "results.json"], run_dir=tmp_path / "ab")
    with pytest.raises(UserError, match="already exists; give a new folder"):
        merge([apart / "a", apart / "b"], run_dir=apart / "whole")
    other = tmp_path / "other"
    shutil.copytree(apart / "b", other)
    environment = json.loads((other / "environment.json").read_text(encoding="utf-8"))
    (other / "environment.json").write_text(json.dumps(environment | {"data_hash": "x"}), encoding="utf-8")
    with pytest.raises(UserError, match="trained on other data than"):
        merge([apart / "a", other], run_dir=tmp_path / "ab")
    assert not (tmp_path / "ab").exists()
