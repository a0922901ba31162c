"""Detection settings of the models of a run: soundscapes of test clips, each scored by the model that tests them."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from audiosurvey.artefact.folder import load_artefact
from audiosurvey.data.other.reading import is_made, is_other
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.data.splits.folds import make_split
from audiosurvey.detection import made, run_settings, search
from audiosurvey.detection.made import BACKGROUNDS, SoundscapeMaker
from audiosurvey.detection.run_settings import settle_run
from audiosurvey.runs.evaluation.heldout import open_run
from audiosurvey.runs.listener import RunListener
from audiosurvey.runs.results.run_folder import RunFolder

Command = Callable[..., tuple[int, str, str]]


class Lines(RunListener):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "SHARES", (1.0,))
    monkeypatch.setattr(search, "SMOOTH", (1,))
    monkeypatch.setattr(search, "ON", (0.2, 0.4, 0.6))
    monkeypatch.setattr(search, "OFF_SHARES", (None,))


@pytest.fixture
def run(final_run: Path, tmp_path: Path) -> RunFolder:
    """A run without detection settings."""
    shutil.copytree(final_run, tmp_path / "run")
    return RunFolder(tmp_path / "run")


def test_the_soundscapes_of_a_fold_have_its_test_clips(run: RunFolder):
    opened = open_run(run)
    tested = {one.row.fold: one.split for one in opened.models()}
    maker = SoundscapeMaker(opened.sounds, tested, 0, None)
    scapes = {fold: list(maker.of_fold(fold)) for fold in tested}
    assert sum(map(len, scapes.values())) == maker.count
    store, rate = opened.sounds.store, opened.sounds.store.sample_rate
    events = 0
    for fold, of_fold in scapes.items():
        sounds = [made.trimmed(store.read(clip.id)) for clip in tested[fold].test]
        for scape in of_fold:
            assert len(scape.wave_S) == made.WINDOWS * opened.sounds.window_samples
            assert np.abs(scape.wave_S).max() <= 1
            for event in scape.recording.events:
                start, samples = round(event.start_s * rate), round(event.seconds * rate)
                part_S = scape.wave_S[start : start + samples]
                # In silence and faint noise the clip can be seen: it is one of this fold.
                if "silence" in scape.recording.path.name:
                    same = [
                        np.dot(part_S, sound_S) / np.linalg.norm(part_S) / np.linalg.norm(sound_S)
                        for sound_S in sounds
                        if len(sound_S) == samples
                    ]
                    assert max(same) > 0.999
                    events += 1
    assert events
    everything = [scape for of_fold in scapes.values() for scape in of_fold]
    assert {scape.recording.path.name.split("(")[1][:-1] for scape in everything} == set(BACKGROUNDS)
    assert sum(not scape.recording.events for scape in everything) == 2
    assert sum(len(scape.recording.events) for scape in everything) >= made.LEAST_EVENTS
    again = list(SoundscapeMaker(opened.sounds, tested, 0, None).of_fold(2))
    np.testing.assert_array_equal(again[0].wave_S, scapes[2][0].wave_S)


def test_sounds_of_no_class_are_in_them_without_an_event(
    tiny: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "other"
    folder.mkdir()
    for number in range(9):
        wave = np.sin(np.arange(4000) ** (1 + number / 50) / 9)
        soundfile.write(folder / f"{number}.wav", wave, 8000)
    config = tiny(f"dataset.other={folder.as_posix()}").config
    sounds = prepare_sounds(config.dataset, config.sample_rate)
    assert sounds.others is not None
    splits = {fold: make_split(sounds.table, fold, "last") for fold in (1, 2)}
    maker = SoundscapeMaker(sounds, splits, 0, None)
    read: list[str] = []
    true = maker._sound
    monkeypatch.setattr(maker, "_sound", lambda clip, rng: read.append(clip.id) or true(clip, rng))
    for fold, split in splits.items():
        held_out = [clip.id for clip in sounds.others.split(split).test if not is_made(clip.id)]
        assert held_out
        read.clear()
        scapes = list(maker.of_fold(fold))
        others = [name for name in read if is_other(name)]
        assert set(others) <= set(held_out)
        assert len(others) == made.OTHERS * len(scapes)
        classes = set(sounds.table.classes)
        assert {event.label for scape in scapes for event in scape.recording.events} <= classes
        assert max(len(scape.recording.events) for scape in scapes) <= made.EVENTS


def test_each_fold_is_scored_by_its_own_model_and_settings_are_stored(run: RunFolder, monkeypatch: pytest.MonkeyPatch):
    scored: list[tuple[int, int]] = []
    lengths: set[tuple[float, float]] = set()
    true = run_settings._windows

    def watched(model, scape, length):
        scored.append((model.facts["about"]["fold"], scape.fold))
        lengths.add(length)
        return true(model, scape, length)

    monkeypatch.setattr(run_settings, "_windows", watched)
    monkeypatch.setattr(search, "SHARES", (1.0, 0.5, 0.25))
    listener = Lines()
    chosen = settle_run(run, device="cpu", listener=listener)
    assert {model for model, _ in scored} == {1, 2, 3}
    assert all(model == fold for model, fold in scored)
    # Quarters of a window would cost more than all others together.
    assert lengths == {(0.5, 0.25), (0.25, 0.125)}
    assert set(chosen) == {run.model, *(run.fold(fold) / "model" for fold in (1, 2, 3))}
    final, second = load_artefact(run.model), load_artefact(run.fold(2) / "model")
    assert final.detection == chosen[run.model]
    assert final.detection.tuned_on == "12 made soundscapes (clips of folds 1, 2, 3)"
    # The clips that test a fold's model take no part in its settings.
    assert second.detection.tuned_on == "8 made soundscapes (clips of folds 1, 3)"
    assert set(final.detection.measured) == {"event_f1", "segment_f1", "false_alarms_an_hour"}
    assert len(listener.lines) == 1
    assert str(final.detection) in listener.lines[0]
    card = (run.model / "README.md").read_text(encoding="utf-8")
    assert f"## Events in long recordings\n\nSounds of more than 30 s are processed in {final.detection}. These" in card
    assert card.count("## Events in long recordings") == card.count("## Training") == 1
    # Those that are there stay.
    assert settle_run(run, device="cpu", listener=listener) == {}
    assert len(listener.lines) == 1
    assert settle_run(run, device="cpu", anew=True)[run.model] == final.detection


def test_without_models_of_the_folds_a_line_says_so(run: RunFolder):
    for fold in (1, 2, 3):
        shutil.rmtree(run.fold(fold) / "model")
    listener = Lines()
    assert settle_run(run, device="cpu", listener=listener) == {}
    assert listener.lines == ["no detection settings: the models of the folds were not kept"]


def test_the_model_of_a_single_fold_has_no_other_fold(run: RunFolder, monkeypatch: pytest.MonkeyPatch):
    for fold in (2, 3):
        shutil.rmtree(run.fold(fold) / "model")
    shutil.rmtree(run.model)
    # Nothing is scored for it.
    monkeypatch.setattr(run_settings, "choose_settings", lambda *_, **__: pytest.fail("chosen"))
    listener = Lines()
    assert settle_run(run, device="cpu", listener=listener, anew=True) == {}
    assert listener.lines == [
        "no detection settings: those of a fold's model come from other folds, and fold 1 is alone; train another fold"
    ]


def test_a_single_fold_settles_the_final_model_alone(run: RunFolder):
    for fold in (2, 3):
        shutil.rmtree(run.fold(fold) / "model")
    chosen = settle_run(run, device="cpu")
    assert set(chosen) == {run.model}
    assert chosen[run.model].tuned_on == "12 made soundscapes (clips of fold 1)"


def test_the_commands(run: RunFolder, command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(run.path.parent)
    status, out, err = command("evaluate", "run", "--tune", "--device", "cpu")
    assert status == 0, err
    final = load_artefact(run.model).detection
    assert out.splitlines()[0] == f"run/model: {final}{final.worth}"
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == [f"run/fold-{fold}/model" for fold in (1, 2, 3)]
    assert "detection settings, chosen in" in err
    status, _, err = command("evaluate", "run", "--tune", "--conditions")
    assert (status, err.strip()) == (2, "--conditions: does not go with --tune; leave one out")
    shutil.rmtree(run.fold(1) / "model")
    shutil.rmtree(run.fold(2) / "model")
    shutil.rmtree(run.fold(3) / "model")
    status, out, err = command("evaluate", "run", "--tune", "--device", "cpu")
    assert (status, out) == (1, "")
    assert "no detection settings: the models of the folds were not kept" in err


def test_training_a_final_model_settles_it(final_run: Path, train_tiny: Callable[..., Any], tmp_path: Path):
    shutil.copytree(final_run, tmp_path / "run")
    lines: list[str] = []
    again = partial(train_tiny, tmp_path / "run", "train.epochs=6", "tracking=[tensorboard]", resume=True, final=True)
    again(say=lines.append)
    assert not any("detection settings" in line for line in lines)
    # The training was interrupted after the final model was written, or an earlier version wrote it.
    again(say=lines.append, detection=True)
    assert sum("detection settings, chosen in" in line for line in lines) == 1
    assert load_artefact(tmp_path / "run").detection.tuned_on == "12 made soundscapes (clips of folds 1, 2, 3)"
