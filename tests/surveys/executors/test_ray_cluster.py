"""Cells on Ray: the same to the last digit, whatever dies."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from killing import local_node_killed, workers_killed
from small_survey import MakeSurvey, results_of

from audiosurvey.errors import Interrupted, UserError
from audiosurvey.surveys.executors import ray_cluster
from audiosurvey.surveys.survey import SurveyOptions, open_survey

ray = pytest.importorskip("ray")


@pytest.mark.slow
def test_ray_is_one_after_the_other(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey()
    open_survey(path, SurveyOptions(tmp_path / "inline")).train()
    status = open_survey(path, SurveyOptions(tmp_path / "ray", ray="local", jobs=2)).train()
    assert status.complete
    assert results_of(tmp_path / "ray") == results_of(tmp_path / "inline")


@pytest.mark.slow
def test_killed_workers_are_replaced(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("budget: {epochs: 300}", "folds: [1, 2]")
    opened = open_survey(path, SurveyOptions(tmp_path / "s", ray="local", jobs=2))
    with workers_killed(tmp_path / "s", every=3) as killed:
        status = opened.train()
    assert killed
    assert status.complete
    open_survey(path, SurveyOptions(tmp_path / "calm")).train()
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


@pytest.mark.slow
def test_a_local_ray_that_ends_is_started_again(make_survey: MakeSurvey, tmp_path: Path):
    path = make_survey("budget: {epochs: 100}", "folds: [1, 2]")
    opened = open_survey(path, SurveyOptions(tmp_path / "s", ray="local", jobs=2))
    with local_node_killed(tmp_path / "s") as killed:
        status = opened.train()
    assert len(killed) == 1
    assert status.complete
    open_survey(path, SurveyOptions(tmp_path / "calm")).train()
    assert results_of(tmp_path / "s") == results_of(tmp_path / "calm")


def test_no_cluster_is_one_line(make_survey: MakeSurvey, tmp_path: Path):
    opened = open_survey(make_survey(), SurveyOptions(tmp_path / "s", ray="nowhere"))
    with pytest.raises(UserError, match=r"^ray='nowhere': no cluster there \(.*\); start one with 'ray start --head'$"):
        opened.train()


class LosesEverything(SimpleNamespace):
    """In place of Ray: a cluster on which every task is lost."""

    def __init__(self, connected: bool) -> None:
        super().__init__(exceptions=ray.exceptions)
        self.connected, self.sent = connected, 0

    def remote(self, *task: object, **options: object) -> object:
        if task:
            self.sent += 1
            return self.sent
        return lambda function: SimpleNamespace(options=lambda **named: self)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 1}

    def wait(self, references: list[object], **options: object) -> tuple[list[object], list[object]]:
        return references[:1], references[1:]

    def get(self, reference: object) -> object:
        raise ray.exceptions.RaySystemError("the disk of its node is full\nand more")

    def get_runtime_context(self) -> SimpleNamespace:
        if not self.connected:
            raise ray.exceptions.RaySystemError("no head")
        return SimpleNamespace(get_node_id=lambda: "one")

    def nodes(self) -> list[dict[str, object]]:
        return [{"NodeID": "one", "Alive": True}]

    def cancel(self, reference: object, force: bool) -> None: ...

    def shutdown(self) -> None: ...


@pytest.mark.parametrize(
    ("connected", "message"),
    [
        (True, "21 cells were lost in a row, and none has ended; the last one by RaySystemError: .* disk .* is full$"),
        (False, "lost its node on this machine 6 times in a row; its logs are in"),
    ],
)
def test_a_cluster_that_loses_every_cell_is_left(
    make_survey: MakeSurvey, tmp_path: Path, monkeypatch, connected: bool, message: str
):
    monkeypatch.setattr(ray_cluster, "_connect", lambda *address: LosesEverything(connected))
    monkeypatch.setattr(ray_cluster, "_PAUSE", 0.0)
    opened = open_survey(make_survey(), SurveyOptions(tmp_path / "s", ray="auto"))
    with pytest.raises(Interrupted, match=f"^ray='auto': {message}"):
        opened.train()
