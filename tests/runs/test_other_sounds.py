"""A run with sounds of no class: trained on, measured on those held out, answered with `unknown`, and never counted."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from sklearn.metrics import roc_auc_score

import audiosurvey
from audiosurvey.api.evaluation import evaluate
from audiosurvey.artefact.calibration import Calibration
from audiosurvey.artefact.folder import load_artefact, read_facts, store_calibration
from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.data.splits.folds import make_split
from audiosurvey.exporting.export import export
from audiosurvey.reporting.page.target import ReportOptions
from audiosurvey.reporting.page.writing import write_report as report
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.training.accelerator import make_accelerator
from audiosurvey.training.step import read_results

Train = Callable[..., dict[str, Any]]
LABELS = ["high", "low", "mid", "noise"]


def chirps(folder: Path, count: int, seed: int) -> Path:
    """Sweeps at 8 kHz: none of the tones and no noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    seconds = np.arange(4000) / 8000
    for number in range(count):
        low, high = rng.uniform(200, 3500, 2)
        phase = 2 * np.pi * (low * seconds + (high - low) * seconds**2)
        soundfile.write(folder / f"{number:02}.wav", 0.2 * np.sin(phase) * np.hanning(4000), 8000)
    return folder


@pytest.fixture(scope="module")
def run(train_tiny: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folds and a final model, with twelve sweeps as sounds of no class. For reading only."""
    folder = tmp_path_factory.mktemp("others")
    path = chirps(folder / "sweeps", 12, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUDIOSURVEY_CACHE", str(folder / "cache"))
        train_tiny(folder / "run", "train.epochs=6", f"dataset.other={path.as_posix()}", final=True)
    return folder / "run"


def results_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "results.json").read_text(encoding="utf-8"))


def other_predictions(run: Path, fold: int) -> tuple[list[str], np.ndarray]:
    ids, labels, scores_NK = read_predictions(run / f"fold-{fold}" / "other_predictions.csv")
    assert set(labels) == {""}
    return ids, scores_NK


def test_each_is_held_out_once_and_counts_in_no_metric(run: Path) -> None:
    results = results_of(run)
    held_out = [other_predictions(run, fold)[0] for fold in (1, 2, 3)]
    every = [clip for ids in held_out for clip in ids]
    assert len(every) == len(set(every)) == 12 + 40
    assert [row["clips"] for row in results["folds"]] == [8, 8, 8]
    assert results["dataset"]["clips"] == 24
    assert np.sum(results["confusion"]) == 24
    assert results["classes"] == LABELS
    for fold, ids in enumerate(held_out, 1):
        heard = load_artefact(run / f"fold-{fold}" / "model").heard.clips
        assert not set(ids) & set(heard)
        assert set(every) - set(ids) < set(heard)
    assert len([clip for clip in load_artefact(run).heard.clips if clip.startswith("other:")]) == 52


def test_the_numbers_are_those_of_the_predictions(run: Path) -> None:
    results = results_of(run)
    for row in results["folds"]:
        _, _, known_NK = read_predictions(run / f"fold-{row['fold']}" / "predictions.csv")
        ids, other_NK = other_predictions(run, row["fold"])
        made = np.array([clip.startswith("other:made/") for clip in ids])
        known_N, recorded_N = known_NK.max(axis=1), other_NK.max(axis=1)[~made]
        truth = [1] * len(known_N) + [0] * len(recorded_N)
        found = row["other"]
        assert found["auroc"] == pytest.approx(roc_auc_score(truth, [*known_N, *recorded_N]))
        least = min(known_N)  # of eight clips, 95 % are all
        assert found["false_alarms"] == pytest.approx(np.mean(recorded_N >= least))
        assert found["made_false_alarms"] == pytest.approx(np.mean(other_NK.max(axis=1)[made] >= least))
        assert (found["clips"], found["made"]) == (len(recorded_N), int(made.sum()))
    means = [row["other"]["auroc"] for row in results["folds"]]
    assert results["other"]["mean"]["auroc"] == pytest.approx(np.mean(means))
    assert results["other"]["std"]["auroc"] == pytest.approx(np.std(means, ddof=1))


def test_the_model_of_a_fold_has_thresholds_from_the_other_folds(run: Path) -> None:
    for fold in (1, 2, 3):
        facts = load_artefact(run / f"fold-{fold}" / "model").facts
        assert facts["calibration"]["folds"] == [other for other in (1, 2, 3) if other != fold]
        assert facts["calibration"]["others"] == sum(len(other_predictions(run, n)[0]) for n in (1, 2, 3) if n != fold)
        assert facts["thresholds"]
        card = (run / f"fold-{fold}" / "model" / "README.md").read_text(encoding="utf-8")
        assert "chosen together with" in card
        assert "the thresholds fit this model only roughly" in card
        assert "Scores are not calibrated" in card
        assert card.count("## Scores") == 1
        assert "## Labels" in card
        assert "\n\n| class | threshold |" in card


def test_the_clips_of_a_fold_do_not_choose_its_thresholds(run: Path, train_tiny: Train, tmp_path: Path) -> None:
    """Other scores of fold 2 change the thresholds of folds 1 and 3, and not those of fold 2."""
    again = tmp_path / "run"
    shutil.copytree(run, again)
    before = {fold: read_facts(again / f"fold-{fold}" / "model") for fold in (1, 2, 3)}
    path = again / "fold-2" / "predictions.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    changed = [",".join([*row.split(",")[:5], *reversed(row.split(",")[5:])]) for row in rows]
    path.write_text("\n".join([header, *changed]) + "\n", encoding="utf-8")
    for fold in (1, 2, 3):  # as if the folds had only just ended
        store_calibration(again / f"fold-{fold}" / "model", Calibration())
    other = f"dataset.other={(run.parent / 'sweeps').as_posix()}"
    train_tiny(again, "train.epochs=6", other, resume=True)
    after = {fold: read_facts(again / f"fold-{fold}" / "model") for fold in (1, 2, 3)}
    for name in ("thresholds", "sound_thresholds"):
        assert after[2][name] == before[2][name]
        assert after[1][name] != before[1][name]
        assert after[3][name] != before[3][name]
    assert after[2]["calibration"]["temperature"] == 1


def test_resuming_and_jobs_give_the_same(run: Path, train_tiny: Train, tmp_path: Path) -> None:
    other = f"dataset.other={(run.parent / 'sweeps').as_posix()}"
    train_tiny(tmp_path / "run", "train.epochs=6", other, folds=[3])
    alone = read_facts(tmp_path / "run" / "fold-3" / "model")
    assert (alone["thresholds"], alone["calibration"]["fitted_on"]) == ({}, None), "no other fold has ended"
    train_tiny(tmp_path / "run", "train.epochs=6", other, resume=True)
    for fold in (1, 2, 3):
        place = Path(f"fold-{fold}")
        for name in ("predictions.csv", "other_predictions.csv"):
            assert (tmp_path / "run" / place / name).read_bytes() == (run / place / name).read_bytes()
        one, two = (read_facts(folder / place / "model") for folder in (run, tmp_path / "run"))
        assert one["thresholds"] == two["thresholds"]
        assert one["sha256"]["weights.safetensors"] == two["sha256"]["weights.safetensors"]


def test_without_others_folds_get_thresholds_too_and_say_that_no_other_sounds_were_there(finished_run: Path) -> None:
    facts = load_artefact(finished_run / "fold-1" / "model").facts
    assert facts["calibration"]["folds"] == [2, 3]
    assert "others" not in facts["calibration"]
    assert facts["thresholds"]
    assert not audiosurvey.load(finished_run / "fold-1" / "model").rejects_others
    card = (finished_run / "fold-1" / "model" / "README.md").read_text(encoding="utf-8")
    assert "The clips contained no sounds of other kinds." in card
    assert "on the 8 clips of fold 1, which was held out" in card
    decisions = facts["calibration"]["decisions"]
    assert decisions["clips"] == 8
    assert 0 <= decisions["answered"] <= 1
    assert "other" not in results_of(finished_run)


def test_evaluate_measures_them_again_and_other_sounds_too(run: Path, tmp_path: Path, tmp_cache: Path) -> None:
    again = evaluate(run, device="cpu").as_json()
    for row, stored in zip(again["folds"], results_of(run)["folds"], strict=True):
        assert row["other"]["auroc"] == pytest.approx(stored["other"]["auroc"])
        assert 0 <= row["other"]["unknown"] <= 1
        assert row["accuracy"] == stored["accuracy"]
    more = chirps(tmp_path / "more", 6, 9)
    shutil.copy(run.parent / "sweeps" / "00.wav", more / "known.wav")
    found = evaluate(run, device="cpu", other=more).as_json()
    ids = {fold: other_predictions(run, fold)[0] for fold in (1, 2, 3)}
    for row in found["folds"]:
        was_held_out = "other:00.wav" in ids[row["fold"]]
        assert row["other"]["clips"] == 6 + was_held_out, "one that was trained on is not measured"


def test_a_model_on_other_data(run: Path, tones: Path, tmp_path: Path, tmp_cache: Path) -> None:
    more = chirps(tmp_path / "more", 6, 9)
    found = evaluate(run / "fold-1" / "model", str(tones), device="cpu", other=more).as_json()
    assert found["other"]["clips"] == 6
    model = audiosurvey.load(run / "fold-1" / "model")
    unknown = [model.decide(path) == ["unknown"] for path in sorted(more.glob("*.wav"))]
    assert found["other"]["unknown"] == pytest.approx(np.mean(unknown))


def test_predict_says_unknown_where_decide_does(run: Path, command: Any, tones: Path) -> None:
    model = audiosurvey.load(run)
    assert model.rejects_others
    paths = [*sorted((run.parent / "sweeps").glob("*.wav")), *sorted(tones.rglob("*.wav"))]
    status, out, _ = command("predict", run, *paths, "--format", "json")
    assert status == 0
    said = [row["label"] for row in json.loads(out)["results"]]
    assert said == [model.decide(path)[0] for path in paths]
    assert "unknown" in said
    assert {*said} - {"unknown"}
    _, out, _ = command("predict", run, *paths)
    assert ["unknown" in line.split(": ")[1] for line in out.splitlines()[: len(paths)]] == [
        label == "unknown" for label in said
    ]
    _, out, _ = command("predict", run, *paths, "--threshold", "0", "--format", "json")
    assert "unknown" not in {row["label"] for row in json.loads(out)["results"]}


def test_a_training_step_has_their_targets_and_leaves_them_out_of_the_accuracy(
    tiny: Callable[..., Any], tmp_path: Path, tmp_cache: Path
) -> None:
    path = chirps(tmp_path / "sweeps", 12, 0).as_posix()
    for loss, target in (("cross_entropy", 0.25), ("bce", 0.0)):
        stage = stage_of(tiny(f"dataset.other={{path: '{path}', share: 0.5}}", f"loss.name={loss}"))
        batches = list(stage.batches.epoch(1))
        every = [clip for batch in batches for clip in batch.clips]
        assert sum(clip.other for clip in every) == 8 + 4  # of 16 training clips as many, but only eight sweeps train
        assert sum(len(batch.clips) for batch in batches) == 28
        targets_BK = np.concatenate([batch.target_BK.numpy() for batch in batches])
        of_others = np.array([clip.other for clip in every])
        assert (targets_BK[of_others] == target).all()
        assert (targets_BK[~of_others].sum(axis=1) == 1).all()
        network = stage.build()
        step = stage.step(network)
        with torch.no_grad():
            network.classifier.weight.zero_()
            network.classifier.bias.copy_(torch.tensor([9.0, 0, 0, 0]))
        done = read_results([step([batch], epoch=1, step=0, lr=0.0) for batch in batches])
        right = sum(clip.labels == (0,) for clip in every)
        known = sum(one.clips - one.others for one in done)
        assert known == 16
        assert sum((one.accuracy or 0) * (one.clips - one.others) for one in done) == pytest.approx(right)


def stage_of(loaded: Any) -> Stage:
    """The first fold of a config."""
    config = loaded.config.resolved()
    sounds = prepare(config.dataset, config.sample_rate)
    assert sounds.others is not None
    split = make_split(sounds.table, 1, "last")
    accelerator = make_accelerator("cpu", "fp32")
    others = sounds.others.split(split).train
    given = {"accelerator": accelerator, "settings": config.train, "name": "train", "fold": 1}
    return Stage(config, sounds, split.train, **given, others=others)


def test_they_are_not_mixed(tiny: Callable[..., Any], tmp_path: Path, tmp_cache: Path) -> None:
    path = chirps(tmp_path / "sweeps", 12, 0).as_posix()
    stage = stage_of(tiny(f"dataset.other={{path: '{path}', share: 0.5}}", "augmentation.mixup.p=1"))
    for batch in stage.batches.epoch(1):
        for clip, partner in zip(batch.clips, batch.partners, strict=True):
            assert (partner is None) == clip.other
            assert partner is None or not partner.other


def test_a_linear_probe_is_fitted_with_them(
    train_tiny: Train, finished_run: Path, tmp_path: Path, tmp_cache: Path
) -> None:
    """They get lower scores than from a probe that is only measured with them."""
    path = chirps(tmp_path / "sweeps", 12, 0).as_posix()
    probe = ("train.head_only=true", f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}")
    found = {}
    for name, share in (("without", 0.0), ("having", 0.4)):
        other = f"dataset.other={{path: '{path}', share: {share}}}"
        train_tiny(tmp_path / name, *probe, other, folds=[1])
        found[name] = other_predictions(tmp_path / name, 1)[1].max(axis=1).mean()
    assert found["having"] < found["without"]


def test_an_exported_file_agrees(run: Path, tones: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = audiosurvey.load(run)
    export(model, tmp_path / "model.onnx", "onnx")
    exported = audiosurvey.load(tmp_path / "model.onnx")
    assert exported.rejects_others
    paths = [*sorted((run.parent / "sweeps").glob("*.wav")), *sorted(tones.rglob("*.wav"))]
    assert exported.decide(paths) == model.decide(paths)


def test_tables_and_page_show_them(run: Path, tmp_path: Path, tmp_cache: Path, command: Any) -> None:
    status, out, _ = command("evaluate", run)
    assert status == 0
    assert "sounds of no class, told from the test clips by the best score" in out
    page = report(run, tmp_path / "page.html", ReportOptions(audio=False)).path.read_text(encoding="utf-8")
    assert '<h2 id="others">Sounds of no class</h2>' in page
    found = results_of(run)["other"]["mean"]["auroc"]
    assert f'<td class="n">{found:.4f}</td>' in page
    assert "other:made/" in page or "other:0" in page


def test_check_tells_of_a_missing_folder_at_its_line(tiny_yaml: str, tmp_path: Path, command: Any) -> None:
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny_yaml, encoding="utf-8")
    status, _, err = command("check", path, "--set", "dataset.other=nowhere")
    assert status == 2
    assert "dataset.other: nowhere: no such folder or table" in err
    status, _, err = command("check", path, "--set", "dataset.other={made: 0}")
    assert status == 2
    assert "without a path, made sounds are all there are" in err
