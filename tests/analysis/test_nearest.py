"""Nearest clips by embeddings."""

from pathlib import Path

import numpy as np

from audiosurvey.analysis.nearest import Neighbour, embeddings, nearest
from audiosurvey.artefact.folder import load_artefact
from audiosurvey.data.table import Clip
from audiosurvey.runs.evaluation.heldout import prepare
from audiosurvey.runs.results.run_folder import RunFolder


def test_nearest_is_the_highest_cosine():
    clips = [Clip(name, Path(name), (0,)) for name in "abc"]
    unit_NE = np.array([[1.0, 0.0], [0.6, 0.8], [-1.0, 0.0]])
    assert nearest(np.array([0.0, 1.0]), clips, unit_NE) == Neighbour("b", 0.8)
    assert nearest(np.array([0.0, 1.0]), [], np.empty((0, 2))) is None


def test_a_clip_is_nearest_to_itself(finished_run: Path):
    run = RunFolder(finished_run)
    config = run.read_config()
    sounds = prepare(config.dataset, config.sample_rate)
    model = load_artefact(run.fold(1) / "model")
    clips = sounds.table.clips
    found_NE = embeddings(model, sounds.store, clips)
    np.testing.assert_allclose(np.linalg.norm(found_NE, axis=1), 1, rtol=1e-5)
    for row in (0, 7, 20):
        best = nearest(found_NE[row], clips, found_NE)
        assert best is not None
        assert (best.clip, round(best.similarity, 4)) == (clips[row].id, 1)
    # The same features as from the file.
    embedding_E = model.embed(clips[3].path)
    np.testing.assert_allclose(found_NE[3], embedding_E / np.linalg.norm(embedding_E), atol=1e-3)
