"""A prediction from beginning to end, broken off anywhere and gone on with: the same bytes, nothing scored twice."""

import io
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

import audiosurvey
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.prediction.postprocessing import Postprocessing
from audiosurvey.prediction.prediction import PredictionSummary, predict_sounds
from audiosurvey.prediction.prediction_log import PredictionLog, model_digest, open_prediction_log
from audiosurvey.prediction.smoothing import Smoothing
from audiosurvey.prediction.sources import FileSource, find_sources
from audiosurvey.prediction.window_scoring import Windowing
from audiosurvey.prediction.writers import CsvWriter

RATE = 8000
HOW = Windowing(hop_s=0.25, batch_size=4)


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Classifier:
    return audiosurvey.load(finished_run / "fold-1" / "model")


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[FileSource]:
    """Short sounds, a broken one, and a long one in their midst."""
    monkeypatch.chdir(tmp_path)
    Path("sounds").mkdir()
    rng = np.random.default_rng(1)
    for number in range(9):
        soundfile.write(f"sounds/{number}.wav", 0.2 * rng.standard_normal(34 * RATE if number == 4 else 3000), RATE)
    Path("sounds/6.wav").write_text("no sound")
    return find_sources(["sounds"])


def predicted(
    model: Classifier, sources: Sequence[FileSource], journal: PredictionLog | None, stop_after: int | None = None
) -> tuple[str, PredictionSummary]:
    """The CSV; `stop_after` so many reports of progress the program dies."""
    wording, reports = Postprocessing(smoothing=Smoothing(3)), 0

    def progress(share: float) -> None:
        nonlocal reports
        assert 0 <= share <= 1
        reports += 1
        if reports == stop_after:
            raise Killed

    file = io.StringIO()
    outcome = predict_sounds(
        model, sources, HOW, wording, CsvWriter(file, wording, model.labels, True), journal, progress
    )
    return file.getvalue(), outcome


@pytest.mark.parametrize("stop_after", [1, 3, 5, 9, 20])
def test_what_was_broken_off_ends_in_the_same_bytes(model: Classifier, sources, stop_after: int):
    wanted, outcome = predicted(model, sources, None)
    assert [failure.name for failure in outcome.failures] == ["sounds/6.wav"]
    digest = model_digest(model, Path("model"))
    journal = PredictionLog(Path("out.csv"), digest, HOW, sources)
    with pytest.raises(Killed):
        predicted(model, sources, journal, stop_after)
    journal.close(finished=False)
    with open_prediction_log(Path("out.csv"), digest, HOW, sources, restart=False) as journal:
        found, after = predicted(model, sources, journal)
    assert found == wanted
    assert after.failures == outcome.failures
    assert after.seconds == outcome.seconds
    assert after.scored_seconds < outcome.scored_seconds
    assert not Path("out.csv.journal").exists()


def test_a_line_that_was_cut_off_is_scored_again(model: Classifier, sources):
    wanted, _ = predicted(model, sources, None)
    journal = PredictionLog(Path("out.csv"), "m", HOW, sources)
    predicted(model, sources, journal)
    journal.close(finished=False)
    path = Path("out.csv.journal")
    content = path.read_bytes()
    for size in (len(content) - 1, len(content) // 2, len(content) // 5, 10, 0):
        path.write_bytes(content[:size])
        journal = PredictionLog(Path("out.csv"), "m", HOW, sources)
        assert predicted(model, sources, journal)[0] == wanted
        journal.close(finished=False)
        assert path.read_bytes() == content


def test_a_journal_holds_every_score_so_that_nothing_is_scored_twice(model: Classifier, sources):
    journal = PredictionLog(Path("out.csv"), "m", HOW, sources)
    wanted, _ = predicted(model, sources, journal)
    journal.close(finished=False)
    journal = PredictionLog(Path("out.csv"), "m", HOW, sources)
    assert journal.num_done == 9
    found, outcome = predicted(model, sources, journal)
    journal.close(finished=True)
    assert (found, outcome.scored_seconds) == (wanted, 0)
    assert [entry.name for entry in Path().iterdir()] == ["sounds"]


def test_a_sound_that_changed_is_scored_again(model: Classifier, sources):
    journal = PredictionLog(Path("out.csv"), "m", HOW, sources)
    predicted(model, sources, journal)
    journal.close(finished=False)
    soundfile.write("sounds/0.wav", np.zeros(3001), RATE)
    changed = find_sources(["sounds"])
    wanted, _ = predicted(model, changed, None)
    journal = PredictionLog(Path("out.csv"), "m", HOW, changed)
    assert journal.num_done == 8
    assert predicted(model, changed, journal)[0] == wanted
    journal.close(finished=True)


def test_another_model_or_other_windows_do_not_go_on(model: Classifier, sources):
    PredictionLog(Path("out.csv"), "m", HOW, sources).close(finished=False)
    with pytest.raises(UserError, match=r"left by a run with another model; .* restart=True") as error:
        PredictionLog(Path("out.csv"), "n", HOW, sources)
    assert isinstance(error.value, ArgumentError)
    assert "give --restart to start over" in error.value.flag_lines[0]
    with pytest.raises(UserError, match=r"hop 0\.25 instead of 0\.5"):
        PredictionLog(Path("out.csv"), "m", Windowing(hop_s=0.5, batch_size=4), sources)
    journal = PredictionLog(Path("out.csv"), "n", HOW, sources, restart=True)
    with pytest.raises(UserError, match="another process is writing it"):
        PredictionLog(Path("out.csv"), "n", HOW, sources)
    journal.close(finished=True)


def test_a_sound_replaced_in_place_is_scored_again(model: Classifier, sources: Sequence[FileSource]):
    journal = PredictionLog(Path("out.csv"), "m", HOW, sources)
    predicted(model, sources, journal)
    journal.close(finished=False)
    path, before = sources[0].path, sources[0].path.stat()
    content = path.read_bytes()
    path.write_bytes(content[:-2000] + bytes(2000))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    journal = PredictionLog(Path("out.csv"), "m", HOW, find_sources([str(source.path) for source in sources]))
    assert journal.num_done == len(sources) - 1
    assert 0 not in journal.done
    journal.close(finished=True)


@pytest.mark.parametrize("content", [b"RIFF a recording without any line end", b"a diary\n", b'{"journal"'])
def test_restart_removes_no_file_that_is_not_a_journal(content: bytes, sources: Sequence[FileSource]):
    path = Path("out.csv.journal")
    path.write_bytes(content)
    for restart in (False, True):
        if content.startswith(b"{"):
            PredictionLog(Path("out.csv"), "m", HOW, sources, restart=restart).close(finished=False)
            continue
        with pytest.raises(UserError, match="not a journal of predict"):
            PredictionLog(Path("out.csv"), "m", HOW, sources, restart=restart)
        assert path.read_bytes() == content


@pytest.mark.parametrize(
    "line", [b'{"portions": [{}]}', b'{"portions": [1]}', b'{"portions": [{"name": "a", "spans": 3}]}']
)
def test_a_damaged_journal_is_one_line(line: bytes, sources: Sequence[FileSource]):
    PredictionLog(Path("out.csv"), "m", HOW, sources).close(finished=False)
    with Path("out.csv.journal").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(UserError, match=r"out\.csv\.journal: damaged.*restart=True") as error:
        PredictionLog(Path("out.csv"), "m", HOW, sources)
    assert isinstance(error.value, ArgumentError)
    assert "give --restart to start over" in error.value.flag_lines[0]
