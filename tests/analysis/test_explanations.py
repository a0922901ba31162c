"""Explanations of mistakes: what is stored beside a run, when it is reused, and runs without models."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from audiosurvey.analysis.explanations import explain_mistakes
from audiosurvey.analysis.mistakes import Mistake, worst_mistakes
from audiosurvey.data.sounds import Sounds
from audiosurvey.runs.evaluation.heldout import fold_split, prepare
from audiosurvey.runs.results.predictions import PredictionTable
from audiosurvey.runs.results.run_folder import RunFolder


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> RunFolder:
    shutil.copytree(finished_run, tmp_path / "run")
    return RunFolder(tmp_path / "run")


@pytest.fixture
def sounds(run: RunFolder) -> Sounds:
    config = run.read_config()
    return prepare(config.dataset, config.sample_rate)


@pytest.fixture
def mistakes(run: RunFolder, sounds: Sounds) -> list[Mistake]:
    """One made-up mistake of each fold: the class 'noise' for a tone."""
    clips = [next(c for c in sounds.table.clips if c.fold == fold and "low/" in c.id) for fold in (1, 2, 3)]
    return [Mistake(clip.id, clip.fold or 0, ("low",), "noise", 0.9) for clip in clips]


def table(*rows: tuple[str, set[int], list[float]]) -> PredictionTable:
    classes = ("a", "b", "c")
    truth_NK = np.array([[k in labels for k in range(3)] for _, labels, _ in rows])
    scores_NK = np.array([score_K for _, _, score_K in rows])
    names = tuple(name for name, _, _ in rows)
    return PredictionTable(Path("x"), names, (None,) * len(rows), np.ones(len(rows), int), classes, truth_NK, scores_NK)


def test_the_most_confident_wrong_class_comes_first():
    found = worst_mistakes(
        [
            table(("right", {0}, [0.9, 0.1, 0.0]), ("wrong", {1}, [0.6, 0.4, 0.0])),
            table(("worse", {0, 1}, [0.1, 0.1, 0.8]), ("several", {0, 1}, [0.2, 0.9, 0.5])),
        ],
        most=5,
    )
    assert found == [Mistake("worse", 1, ("a", "b"), "c", 0.8), Mistake("wrong", 1, ("b",), "a", 0.6)]
    assert worst_mistakes([table(("worse", {0}, [0.1, 0.1, 0.8]))], most=0) == []


def test_a_mistake_is_explained(run: RunFolder, sounds: Sounds, mistakes: list[Mistake]):
    config = run.read_config()
    found = explain_mistakes(run, config, sounds, mistakes)
    assert found.missing == ()
    for one in mistakes:
        explained = found.of[one.clip]
        assert explained.mel_TF.shape == explained.mask_TF.shape
        assert len(explained.masked_S) == 4000
        original_S = sounds.store.read(one.clip)
        assert np.abs(explained.masked_S).max() == pytest.approx(np.abs(original_S).max(), rel=1e-3)
        # A training clip of the fold, of the class that was chosen.
        assert explained.neighbour is not None
        train = {clip.id for clip in fold_split(config, sounds.table, one.fold).train}
        assert explained.neighbour.clip in train
        assert explained.neighbour.clip.startswith("noise/")
    stored = json.loads((run.path / "analysis/nearest.json").read_text())["clips"]
    assert [(row["fold"], row["clip"]) for row in stored] == [(one.fold, one.clip) for one in mistakes]
    neighbours = [found.of[one.clip].neighbour for one in mistakes]
    assert [row["nearest"] for row in stored] == [one and one.clip for one in neighbours]


def test_explanations_are_computed_once(
    run: RunFolder, sounds: Sounds, mistakes: list[Mistake], monkeypatch: pytest.MonkeyPatch
):
    config = run.read_config()
    before = explain_mistakes(run, config, sounds, mistakes)
    with monkeypatch.context() as patch:
        patch.setattr("audiosurvey.analysis.explanations.load_artefact", lambda path: pytest.fail("loaded again"))
        again = explain_mistakes(run, config, sounds, mistakes)
    for clip, one in before.of.items():
        np.testing.assert_allclose(again.of[clip].masked_S, one.masked_S, atol=1e-3)
        assert again.of[clip].neighbour == one.neighbour
    # Other mistakes, or a damaged file, are explained anew.
    fewer = explain_mistakes(run, config, sounds, [Mistake(mistakes[0].clip, 1, ("low",), "high", 0.5)])
    other = fewer.of[mistakes[0].clip].neighbour
    assert other is not None
    assert other.clip.startswith("high/")
    (run.path / "analysis/saliency/fold-2.safetensors").write_bytes(b"damaged")
    assert explain_mistakes(run, config, sounds, mistakes).of.keys() == before.of.keys()


def test_folds_without_models_are_named(run: RunFolder, sounds: Sounds, mistakes: list[Mistake]):
    shutil.rmtree(run.fold(2) / "model")
    found = explain_mistakes(run, run.read_config(), sounds, mistakes)
    assert found.of.keys() == {mistakes[0].clip, mistakes[2].clip}
    (line,) = found.missing
    assert line == (
        f"{run.path.as_posix()}: the run keeps no model of fold 2: what models attended to and the nearest training "
        "clips are unknown for these folds"
    )


def test_a_damaged_model_is_named(run: RunFolder, sounds: Sounds, mistakes: list[Mistake]):
    (run.fold(2) / "model" / "model.json").unlink()
    (line,) = explain_mistakes(run, run.read_config(), sounds, mistakes).missing
    assert "model.json: is missing" in line
