"""Studies: reproducible questions, and the rule by which trials are ended early."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.surveys.search.spec import SearchSpec
from audiosurvey.surveys.search.study import STARTUP_TRIALS, Study, below_median, journal_lock, repair_journal

pytest.importorskip("optuna")

SPEC = SearchSpec.model_validate(
    {
        "space": {
            "train.lr": {"log": [1e-4, 1e-2]},
            "model.members": {"int": [1, 3]},
            "augmentation.noise.p": {"uniform": [0, 0.8]},
            "loss.name": {"choice": ["bce", {"a": [1, 2]}]},
        }
    }
)


def test_values_lie_in_their_ranges_and_of_their_types(tmp_path: Path):
    study = Study(tmp_path / "journal.log", "one", SPEC, minimise=False)
    for _ in range(12):
        trial = study.ask()
        assert 1e-4 <= trial.values["train.lr"] <= 1e-2
        assert trial.values["model.members"] in (1, 2, 3)
        assert 0 <= trial.values["augmentation.noise.p"] <= 0.8
        assert trial.values["loss.name"] in ("bce", {"a": [1, 2]})
        study.tell(trial, trial.values["train.lr"])
    best, score = study.best()
    assert score == best.values["train.lr"] == max(trial.values["train.lr"] for trial, _, _ in study.scores())


def test_a_study_asks_the_same_after_an_interruption(tmp_path: Path):
    def ask(journal: Path, reopen: bool) -> list[dict[str, object]]:
        study, found = Study(journal, "one", SPEC, minimise=True), []
        for _ in range(9):
            trial = study.ask()
            if reopen:
                study = Study(journal, "one", SPEC, minimise=True)
                (trial,) = [one for one, _, state in study.scores() if state == "running"]
            study.tell(trial, trial.values["train.lr"])
            found.append(trial.values)
        return found

    assert ask(tmp_path / "a.log", reopen=True) == ask(tmp_path / "b.log", reopen=False)


def test_no_trial_is_without_values(tmp_path: Path, monkeypatch):
    """Whenever the process is killed: a trial and its values are written at once."""
    from optuna.storages.journal import JournalFileBackend

    journal, true_append = tmp_path / "journal.log", JournalFileBackend.append_logs
    copies: list[Path] = []

    def append_logs(self, logs):
        true_append(self, logs)
        copies.append(tmp_path / f"{len(copies)}.log")
        copies[-1].write_bytes(journal.read_bytes())

    study = Study(journal, "one", SPEC, minimise=True)
    with monkeypatch.context() as patch:
        patch.setattr(JournalFileBackend, "append_logs", append_logs)
        for _ in range(STARTUP_TRIALS + 2):
            trial = study.ask()
            study.tell(trial, trial.values["train.lr"])
    assert len(copies) >= 2 * (STARTUP_TRIALS + 2)
    for copy in copies:
        for trial, _, _ in Study(copy, "one", SPEC, minimise=True).scores():
            assert trial.values.keys() == SPEC.space.keys()


def test_half_a_line_at_the_end_of_the_journal_is_dropped(tmp_path: Path):
    """A full disk or a power cut may leave one."""
    journal = tmp_path / "journal.log"
    study = Study(journal, "one", SPEC, minimise=True)
    study.tell(study.ask(), 1.0)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker_id":"ab')
    for number in (1, 2):
        assert repair_journal(journal) is None
        study = Study(journal, "one", SPEC, minimise=True)
        assert journal.read_bytes().startswith(whole)
        study.tell(study.ask(), 2.0)
        assert [score for _, score, _ in study.scores()] == [1.0] + [2.0] * number


def test_a_journal_is_cut_off_at_a_damaged_line(tmp_path: Path):
    journal = tmp_path / "journal.log"
    study = Study(journal, "one", SPEC, minimise=True)
    for score in (1.0, 2.0):
        study.tell(study.ask(), score)
    lines = journal.read_bytes().splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if b'"values": [1.0]' in line or b'"values":[1.0]' in line)
    damaged = b"".join(lines[: first + 1]) + b"\0\0\n" + b"".join(lines[first + 2 :])
    journal.write_bytes(damaged)
    line = f"{journal.as_posix()}: line {first + 2} is damaged; cut off before it; the whole is kept as"
    assert repair_journal(journal) == f"{line} journal.log.damaged"
    assert (tmp_path / "journal.log.damaged").read_bytes() == damaged
    assert [score for _, score, _ in Study(journal, "one", SPEC, minimise=True).scores()] == [1.0]
    assert repair_journal(journal) is None


def test_the_lock_of_a_process_that_was_killed_while_it_wrote_is_removed(tmp_path: Path):
    """Optuna would wait for it for ever."""
    journal = tmp_path / "journal.log"
    study = Study(journal, "one", SPEC, minimise=True)
    link = tmp_path / "journal.log.lock"
    link.symlink_to(journal)
    with journal_lock(journal):
        assert not link.is_symlink()
        study.ask()


def test_what_failed_or_was_pruned_is_no_best_trial(tmp_path: Path):
    study = Study(tmp_path / "journal.log", "one", SPEC, minimise=True)
    study.tell(study.ask(), None)
    study.tell(study.ask(), None, pruned=True)
    study.tell(study.ask(), 3.0)
    study.tell(study.ask(), 2.0)
    study.tell(study.ask(), 2.0)
    assert study.best()[0].number == 3
    assert [state for _, _, state in study.scores()] == ["fail", "pruned", "complete", "complete", "complete"]


@given(st.lists(st.floats(-5, 5), min_size=STARTUP_TRIALS, max_size=20), st.floats(-5, 5))
def test_the_median_rule(others: list[float], value: float):
    import statistics

    assert below_median(value, others, minimise=False) == (value < statistics.median(others))
    assert below_median(value, others, minimise=True) == (value > statistics.median(others))
    assert not below_median(-100, others[: STARTUP_TRIALS - 1], minimise=False)
