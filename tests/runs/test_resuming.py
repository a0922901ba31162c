"""A run that goes on with other threads, processes or packages says so, once, and keeps it on record."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.config.root import Config
from audiosurvey.runs.results.environment import environment
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.resuming import fold_threads, note_changes
from audiosurvey.threads import threads
from audiosurvey.training.accelerator import make_accelerator

CONFIG = Config.model_validate({"train": {"epochs": 3}}).resolved()
FOLDS = [1, 2, 3]


def now(number: int, jobs: int = 1, **changed: Any) -> dict[str, Any]:
    with threads(number):
        return environment(make_accelerator("cpu", "fp32"), jobs) | changed


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Begun with two threads."""
    made = RunFolder(tmp_path / "run")
    with made.lock(), threads(2):
        made.start(resolved_yaml(CONFIG), environment(make_accelerator("cpu", "fp32")), "abc")
    return made


def resumed(run: RunFolder) -> list[dict[str, Any]]:
    return json.loads(run.environment_path.read_text(encoding="utf-8")).get("resumed", [])


def test_the_same_means_are_not_worth_a_word(run: RunFolder) -> None:
    before = run.environment_path.read_bytes()
    assert note_changes(run, now(2), FOLDS, FOLDS) == []
    assert run.environment_path.read_bytes() == before


def test_another_number_of_threads_is_told_and_recorded_once(run: RunFolder) -> None:
    (line,) = note_changes(run, now(1), FOLDS, [2, 3])
    assert line == (
        "note: the run began with 2 threads per fold and continues with 1 (--threads 2 keeps the number); "
        "results may differ in their last digits from an uninterrupted run"
    )
    (record,) = resumed(run)
    assert (record["torch_threads"], record["folds"]) == (1, [2, 3])
    assert run.begun_with()["torch_threads"] == 2
    assert len(note_changes(run, now(1), FOLDS, [2, 3])) == 1
    assert len(resumed(run)) == 1
    note_changes(run, now(3), FOLDS, [3])
    assert [record["torch_threads"] for record in resumed(run)] == [1, 3]


def test_folds_side_by_side_share_the_threads(run: RunFolder) -> None:
    assert fold_threads(FOLDS, 2, 4) == {1: 2, 2: 2, 3: 4}
    (line,) = note_changes(run, now(2, jobs=2), FOLDS, [1])
    assert "began with 2 threads per fold and continues with 1 (--threads 2 --jobs 1 keeps the number)" in line
    # The last fold has a round, and so all threads, to itself.
    assert note_changes(run, now(2, jobs=2), FOLDS, [3]) == []


def test_the_final_model_has_all_threads(run: RunFolder) -> None:
    assert len(note_changes(run, now(1), FOLDS, [])) == 1
    assert note_changes(run, now(2), FOLDS, []) == []


def test_other_processes_and_packages_are_told_too(run: RunFolder) -> None:
    packages = now(2)["packages"] | {"torch": "99.0"}
    told = note_changes(run, now(2, processes=3, packages=packages), FOLDS, FOLDS)
    assert len(told) == 2
    assert "processes: 1 when the run began, 3 now" in told[0]
    assert "when the run began, 99.0 now" in told[1]


def test_a_run_of_an_earlier_version_is_compared_in_what_it_knows(run: RunFolder) -> None:
    begun = run.begun_with()
    old = {key: begun[key] for key in ("precision", "device", "data_hash")}
    run.environment_path.write_text(json.dumps(old), encoding="utf-8")
    assert note_changes(run, now(1), FOLDS, FOLDS) == []


def test_train_says_so_and_takes_the_threads_it_is_given(tiny, tmp_path: Path) -> None:
    from audiosurvey.reporting.listener import TerminalListener
    from audiosurvey.runs.plan import TrainOptions
    from audiosurvey.runs.train import train

    config, before = tiny("train.epochs=1"), torch.get_num_threads()
    seen: list[str] = []
    for folds, number in (([1], 2), ([1, 2], 1)):
        options = TrainOptions(tmp_path / "run", folds, number == 1, "cpu", threads=number)
        train(config, options, TerminalListener(say=seen.append, quiet=True))
        assert torch.get_num_threads() == before
    begun = json.loads((tmp_path / "run" / "environment.json").read_text(encoding="utf-8"))
    assert begun["torch_threads"] == 2
    assert [record["torch_threads"] for record in begun["resumed"]] == [1]
    assert sum("began with 2 threads per fold and continues with 1" in line for line in seen) == 1
