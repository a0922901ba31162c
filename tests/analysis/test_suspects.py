"""Label suspects: against cleanlab, by hand, and on ESC-10 with labels swapped on purpose."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from cleanlab.count import compute_confident_joint
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from hypothesis import given, settings
from hypothesis import strategies as st

from audiosurvey.analysis.suspects import confident_learning, find_suspects, write_suspects
from audiosurvey.analysis.suspects import write_suspects as suspects
from audiosurvey.errors import UserError
from audiosurvey.randomness import stream
from audiosurvey.runs.results.run_folder import RunFolder


def noisy(seed: int, clips: int, classes: int, swapped: float) -> tuple[np.ndarray, np.ndarray]:
    """Given labels (N), a share of them swapped, and scores (N, K) of a model that is often right."""
    rng = stream("suspects", seed)
    true_N = np.arange(clips) % classes
    logits_NK = 1.5 * rng.standard_normal((clips, classes))
    logits_NK[np.arange(clips), true_N] += 3
    scores_NK = np.exp(logits_NK) / np.exp(logits_NK).sum(axis=1, keepdims=True)
    other_N = (true_N + rng.integers(1, classes, clips)) % classes
    return np.where(rng.random(clips) < swapped, other_N, true_N), scores_NK


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), classes=st.integers(2, 8), swapped=st.sampled_from([0.0, 0.05, 0.2]))
def test_cleanlab_finds_the_same(seed: int, classes: int, swapped: float):
    given_N, scores_NK = noisy(seed, 40 * classes, classes, swapped)
    found = confident_learning(given_N, scores_NK)
    theirs_N = find_label_issues(given_N, scores_NK, filter_by="confident_learning", n_jobs=1)
    # Where the most probable class is not confident but two others are, cleanlab takes the most probable one; the
    # paper, and we, the most probable of the confident ones.
    assert set(np.flatnonzero(found.suspect_N ^ theirs_N)) <= set(ambiguous(given_N, scores_NK))
    margin_N = get_label_quality_scores(given_N, scores_NK, method="normalized_margin")
    np.testing.assert_allclose((found.margin_N + 1) / 2, margin_N, atol=1e-12)
    if not len(ambiguous(given_N, scores_NK)):
        counts_KK = compute_confident_joint(given_N, scores_NK, calibrate=False)
        kept_K = np.diag(counts_KK) / counts_KK.sum(axis=1)
        assert found.estimated_errors == pytest.approx(np.sum(np.bincount(given_N) * (1 - kept_K)))


def ambiguous(given_N: np.ndarray, scores_NK: np.ndarray) -> np.ndarray:
    threshold_K = np.array([scores_NK[given_N == k, k].mean() for k in range(scores_NK.shape[1])])
    above_NK = scores_NK >= threshold_K - 1e-6
    best_N = scores_NK.argmax(axis=1)
    return np.flatnonzero((above_NK.sum(axis=1) > 1) & ~above_NK[np.arange(len(best_N)), best_N])


def test_by_hand():
    given_N = np.array([0, 0, 0, 1, 1, 1])
    scores_N2 = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.45, 0.55]])
    # Thresholds: (0.9 + 0.8 + 0.1) / 3 = 0.6 and (0.8 + 0.7 + 0.55) / 3 = 0.683.
    found = confident_learning(given_N, scores_N2)
    assert found.suspect_N.tolist() == [False, False, True, False, False, False]
    assert found.likely_N[2] == 1
    assert found.margin_N == pytest.approx([0.8, 0.6, -0.8, 0.6, 0.4, 0.1])
    # The joint of class 0 is 2 and 1 of 3, that of class 1 all on the diagonal.
    assert found.estimated_errors == pytest.approx(1.0)


def test_a_class_without_clips_is_nobodys_true_class():
    found = confident_learning(np.array([0, 0, 1]), np.array([[0.2, 0.1, 0.7], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]]))
    assert 2 not in found.likely_N
    assert not found.suspect_N.any()


def test_suspects_of_a_run(run: Path):
    swap(run, {"high/0.wav": "low", "noise/3.wav": "mid"})
    found = suspects(run)
    assert found.clips == 24
    assert found.folds == [1, 2, 3]
    first = {one.clip: (one.given, one.likely) for one in found.suspects[:2]}
    assert first == {"high/0.wav": ("low", "high"), "noise/3.wav": ("mid", "noise")}
    margins = [one.margin for one in found.suspects]
    assert margins == sorted(margins)
    assert all(one.likely_score > one.given_score for one in found.suspects)
    assert json.loads((run / "analysis/suspects.json").read_text(encoding="utf-8")) == found.as_json()
    assert find_suspects(RunFolder(run)) == found


def swap(run: Path, labels: dict[str, str]) -> None:
    """Scores of a good model, and other labels for some clips."""
    for path in run.glob("fold-*/predictions.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            true = row["label"].split("|")
            for name in row.keys() & {f"p:{one}" for one in ("low", "mid", "high", "noise", "tone")}:
                row[name] = "0.9" if name[2:] in true else "0.05"
            row["label"] = labels.get(row["clip"], row["label"])
            row.pop("predicted", None)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)


def test_several_labels_are_looked_at_one_by_one(train_tiny, tones: Path, tmp_path: Path):
    rows = ["path,label"]
    for number in range(6):
        rows += [f"low/{number}.wav,low|tone", f"high/{number}.wav,high|tone", f"noise/{number}.wav,noise"]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    data = f"dataset={{name: csv, root: '{tones.as_posix()}', table: '{(tmp_path / 'table.csv').as_posix()}', "
    run = tmp_path / "run"
    train_tiny(run, data + "num_folds: 3, clip_seconds: 0.5}", "train.epochs=1", "loss.name=bce")
    swap(run, {"low/2.wav": "tone", "noise/1.wav": "noise|tone"})
    found = {one.clip: (one.given, one.likely) for one in find_suspects(RunFolder(run)).suspects}
    assert found["low/2.wav"] == ("tone", "low|tone")
    assert found["noise/1.wav"] == ("noise|tone", "noise")


def test_names_of_classes_may_contain_the_separator(train_tiny, tones: Path, tmp_path: Path):
    rows = ["path,label"]
    for number in range(6):
        rows += [f"low/{number}.wav,low;a|b", f"high/{number}.wav,high;a|b", f"noise/{number}.wav,noise"]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    data = f"dataset={{name: csv, root: '{tones.as_posix()}', table: '{(tmp_path / 'table.csv').as_posix()}', "
    run = tmp_path / "run"
    data += "label_separator: ';', num_folds: 3, clip_seconds: 0.5}"
    train_tiny(run, data, "train.epochs=1", "loss.name=bce")
    for path in run.glob("fold-*/predictions.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            for name in ("low", "high", "noise", "a|b"):
                there = name in (["low"] if row["clip"] == "low/2.wav" else row["label"])
                row[f"p:{name}"] = "0.9" if there else "0.05"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    found = {one.clip: (one.given, one.likely) for one in find_suspects(RunFolder(run)).suspects}
    assert found["low/2.wav"] == ("a|b|low", "low")


def test_what_cannot_be_read(run: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="not a run; expected a folder that"):
        write_suspects(tmp_path / "empty")
    (run / "fold-2/predictions.csv").write_text("clip,label\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"fold-2/predictions\.csv: no rows below .*; remove .*/result\.json and"):
        write_suspects(run)
    (run / "fold-2/predictions.csv").unlink()
    with pytest.raises(UserError, match=r"fold-2/predictions\.csv: is missing"):
        write_suspects(run)
    assert not (run / "analysis/suspects.json").exists()


@pytest.mark.slow
def test_most_of_twelve_swapped_labels_of_esc10_are_found(shared: Path, tmp_path: Path):
    root, weights = shared / "data/esc10", shared / "weights/mn04_as_mAP_432.pt"
    if not root.is_dir() or not weights.is_file():
        pytest.skip("no ESC-10, or no weights")
    from audiosurvey.config.loader import load_config
    from audiosurvey.runs.plan import TrainOptions
    from audiosurvey.runs.train import train

    (tmp_path / "data/meta").mkdir(parents=True)
    shutil.copytree(root / "audio", tmp_path / "data/audio", copy_function=lambda a, b: Path(b).symlink_to(a))
    with (root / "meta/esc50.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    classes = sorted({(row["target"], row["category"]) for row in rows if row["esc10"] == "True"})
    rng = stream("swapped labels", 0)
    swapped = set()
    ten = [row for row in rows if row["esc10"] == "True"]
    for place in rng.choice(len(ten), 12, replace=False):
        row = ten[place]
        others = [one for one in classes if one[0] != row["target"]]
        row["target"], row["category"] = others[rng.integers(len(others))]
        swapped.add(f"audio/{row['filename']}")
    with (tmp_path / "data/meta/esc50.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    keys = (
        f"dataset.root={(tmp_path / 'data').as_posix()}",
        "dataset.subset=esc10",
        f"model.init={weights.as_posix()}",
    )
    train(load_config("probe-mn04", keys), TrainOptions(tmp_path / "run", threads=1, device="cpu"))
    found = suspects(tmp_path / "run")
    highest = {one.clip for one in found.suspects[:20]}
    print(len(highest & swapped), len(found.suspects), found.estimated_errors)
    assert len(highest & swapped) >= 9
