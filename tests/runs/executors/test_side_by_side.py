"""Folds side by side: the same results as one after the other, and nothing lost however a process ends."""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measured import without_measured

from audiosurvey.reporting.listener import TerminalListener
from audiosurvey.runs.executors.side_by_side import rounds
from audiosurvey.runs.results.facts import DatasetFacts
from audiosurvey.runs.results.results import FoldRow, RunResults

Train = Callable[..., dict[str, Any]]


@given(st.lists(st.integers(1, 99), min_size=1, max_size=20, unique=True), st.integers(1, 12))
def test_each_fold_is_in_one_round(folds, jobs):
    found = rounds(folds, jobs)
    assert [fold for members in found for fold in members] == folds
    sizes = [len(members) for members in found]
    assert max(sizes) <= jobs
    assert max(sizes) - min(sizes) <= 1
    # No plan has fewer rounds.
    assert (len(found) - 1) * jobs < len(folds) <= len(found) * jobs


def test_five_folds_by_hand():
    assert rounds([1, 2, 3, 4, 5], 2) == [(1, 2), (3, 4), (5,)]
    assert rounds([1, 2, 3, 4, 5], 4) == [(1, 2, 3), (4, 5)]
    assert rounds([1, 2, 3, 4, 5], 9) == [(1, 2, 3, 4, 5)]


def test_seconds_are_those_of_the_whole_machine():
    results = RunResults(
        dataset=DatasetFacts(name="own", subset=None, hash="abc"),
        official=False,
        not_official=None,
        selection="last",
        optimistic=False,
        leaking=False,
        all_folds=[1, 2, 3],
        as_published=False,
        classes=["a", "b"],
        multi_label=True,
        folds=[],
        mean={},
        std={},
        seconds=0.0,
        confusion=None,
        skipped=[],
        notes=[],
    )
    facts = {"clips": 4, "epochs": 2, "chosen_epoch": 2, "map": 0.5, "auroc": 0.5, "loss": 1.0}
    for fold, seconds, beside in ((1, 20.0, {"side_by_side": 2}), (2, 24.0, {"side_by_side": 2}), (3, 9.0, {})):
        results = results.with_folds(
            [FoldRow.model_validate({"fold": fold, "seconds": seconds, **facts, **beside})], None
        )
    assert results.seconds == 10 + 12 + 9


def alike(run: Path) -> Any:
    """All that must not depend on how many folds are trained at once."""
    results = json.loads((run / "results.json").read_text(encoding="utf-8")) | {"config": None}
    results = without_measured(results)
    for row in results["folds"]:
        row.pop("side_by_side", None)
        row.pop("threads", None)
    if "pretraining" in results:
        results["pretraining"] = {name: results["pretraining"][name] for name in ("dataset", "clips", "epochs")}
    names = ("predictions.csv", "model/weights.safetensors")
    return results, [(folder / name).read_bytes() for folder in sorted(run.glob("fold-*")) for name in names]


def test_as_one_after_the_other(tmp_path, train_tiny: Train):
    said: list[str] = []
    augmented = "augmentation={mixup: {p: 0.5}, gain: {p: 0.5}}"
    train_tiny(tmp_path / "one", augmented, final=True)
    found = train_tiny(tmp_path / "two", augmented, final=True, jobs=2, say=said.append)
    assert alike(tmp_path / "two") == alike(tmp_path / "one")
    finals = [(tmp_path / name / "model" / "weights.safetensors").read_bytes() for name in ("one", "two")]
    assert finals[0] == finals[1]
    assert [row["side_by_side"] for row in found["folds"]] == [2, 2, 1]
    assert found["seconds"] == pytest.approx(
        sum(row["seconds"] / row["side_by_side"] for row in found["folds"]), abs=1e-3
    )
    assert any("on cpu, fp32, 2 folds side by side; memory about" in line for line in said)
    assert not list(tmp_path.rglob("*.tmp"))


def test_pretraining_is_done_once_for_all(tmp_path, train_tiny: Train, tones):
    pretrained = (
        f"pretrain={{dataset: {{name: folder, root: '{tones.as_posix()}', num_folds: 3, classes: [mid, noise], "
        "clip_seconds: 0.5}, epochs: 1}",
        "dataset.classes=[low, high]",
    )
    train_tiny(tmp_path / "one", *pretrained)
    found = train_tiny(tmp_path / "two", *pretrained, jobs=3)
    assert found["init"] == json.loads((tmp_path / "one" / "results.json").read_text(encoding="utf-8"))["init"]
    assert alike(tmp_path / "two") == alike(tmp_path / "one")


def test_weights_to_start_from_and_a_classifier_fitted_first(tmp_path, train_tiny: Train, finished_run: Path):
    start = (f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}", "train.head_first=true")
    start += ("protocol.allow_leakage=true", "train.lr=0.001")
    train_tiny(tmp_path / "one", *start)
    train_tiny(tmp_path / "two", *start, jobs=3)
    assert alike(tmp_path / "two") == alike(tmp_path / "one")
    init = [(tmp_path / name / "init.json").read_bytes() for name in ("one", "two")]
    assert init[0] == init[1]


def test_a_mistake_in_one_fold_ends_the_run_with_its_line(tmp_path, tiny_yaml, process):
    (tmp_path / "c.yaml").write_text(tiny_yaml, encoding="utf-8")
    one = process("train", "c.yaml", "--jobs", 2, "--run-dir", "run", "--set", "train.lr=1e38")
    _, said = one.communicate(timeout=120)
    assert one.returncode == 2
    last = said.strip().splitlines()[-1]
    assert re.match(r"fold [12]: train: epoch 1, step \d+: .* lower train\.lr", last), said
    assert "Traceback" not in said


LONG = "train.epochs=60"
"""Enough to be met in the middle."""


@pytest.fixture(scope="module")
def undisturbed(train_tiny: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", LONG, folds=[1, 2])
    return folder / "run"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
@pytest.mark.parametrize("whom", [pytest.param("fold", marks=pytest.mark.slow), "run"])
def test_nothing_is_lost_when_a_process_is_killed(
    tmp_path, tiny_yaml, train_tiny: Train, process, undisturbed: Path, whom
):
    (tmp_path / "c.yaml").write_text(tiny_yaml, encoding="utf-8")
    words = ("train", "c.yaml", "--jobs", 2, "--run-dir", "run", "--set", LONG, "--folds", "1,2")
    one = process(*words)
    wait_for(lambda: all(lines(tmp_path / "run" / f"fold-{fold}" / "metrics.jsonl") > 3 for fold in (1, 2)))
    workers = workers_of(one.pid)
    assert len(workers) == 2
    os.kill(workers[1].pid if whom == "fold" else one.pid, signal.SIGKILL)
    _, said = one.communicate(timeout=60)
    if whom == "fold":
        assert one.returncode == 1
        assert "its process was killed (signal 9); memory may not do for 2 folds at once: give a smaller --jobs" in said
    wait_for(lambda: all(gone(child) for child in workers))
    assert not (tmp_path / "run" / "results.json").exists()
    if whom == "fold":
        again = process(*words, "--resume")
        again.communicate(timeout=120)
        assert again.returncode == 0
    else:
        train_tiny(tmp_path / "run", LONG, folds=[1, 2], resume=True)
    assert alike(tmp_path / "run") == alike(undisturbed)


def workers_of(pid: int) -> list[psutil.Process]:
    """The processes that train folds for this one; other children come and go while they are listed."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # a zombie's command line is not to be had either
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


def gone(one: psutil.Process) -> bool:
    try:
        return not one.is_running() or one.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_process_killed_in_its_first_epoch_leaves_a_run_to_go_on_with(
    tmp_path, tiny_yaml, train_tiny: Train, process
):
    (tmp_path / "c.yaml").write_text(tiny_yaml, encoding="utf-8")
    words = ("train", "c.yaml", "--jobs", 2, "--run-dir", "run", "--folds", "1,2")
    one = process(*words)
    wait_for(lambda: len(workers_of(one.pid)) == 2)
    os.kill(workers_of(one.pid)[0].pid, signal.SIGKILL)
    _, said = one.communicate(timeout=60)
    assert one.returncode == 1
    assert "its process was killed (signal 9); memory may not do for 2 folds at once: give a smaller --jobs" in said
    assert said.strip().splitlines()[-1].endswith("continue with --resume")
    assert len(train_tiny(tmp_path / "run", folds=[1, 2], resume=True)["folds"]) == 2


def wait_for(come: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not come():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines()) if path.exists() else 0


def test_a_line_an_epoch_of_each_fold(capsys):
    from rich.console import Console

    with TerminalListener(Console(stderr=True)).stages(["fold 1 of 2", "fold 2 of 2"], 3) as shown:
        for stage in reversed(shown):
            stage.on_step(1, 1, 1, 0.7)
            stage.on_epoch({"epoch": 1, "train_loss": 0.7, "lr": 0.1, "seconds": 1.0})
    said = capsys.readouterr().err.splitlines()
    assert [line[:26] for line in said] == ["fold 2 of 2: epoch 1/3: tr", "fold 1 of 2: epoch 1/3: tr"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--jobs", "0"), "jobs"),
        (
            ("--jobs", "2", "--set", "train={head_only: true}"),
            "a linear probe (train.head_only) looks at the",
        ),
    ],
)
def test_what_is_refused(command, tiny_yaml, tmp_path, finished_run, words, said):
    (tmp_path / "c.yaml").write_text(tiny_yaml, encoding="utf-8")
    init = ("--set", f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}")
    status, _, error = command("train", tmp_path / "c.yaml", "--run-dir", tmp_path / "run", *words, *init)
    assert status == 2
    assert said in error.strip().splitlines()[-1]
    assert not (tmp_path / "run").exists()
