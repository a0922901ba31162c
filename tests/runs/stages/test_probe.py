"""Linear probes: the same run folder as ever, a network that stays as it came, embeddings computed once."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from measured import without_measured

from audiosurvey.artefact.load import load
from audiosurvey.data.sets.toy import CLASSES
from audiosurvey.errors import UserError
from audiosurvey.runs.evaluation.heldout import evaluate_run, open_run
from audiosurvey.runs.results.predictions import read_predictions
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.stages import embeddings, head_problem, probe
from audiosurvey.tensorfile import load_tensors

Train = Callable[..., dict[str, Any]]
LEAK = "protocol.allow_leakage=true"


@pytest.fixture
def head(finished_run: Path) -> tuple[str, ...]:
    """Overrides: a probe of the model of fold 1, which knows the clips of the other folds."""
    return ("train.head_only=true", f"model.init={(finished_run / 'fold-1' / 'model').as_posix()}")


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often all clips were embedded, and of how many clips."""
    counts: list[int] = []
    true_compute = embeddings._compute

    def compute(stage: Any, *rest: Any) -> Any:
        counts.append(len(stage.sounds.table.clips))
        return true_compute(stage, *rest)

    monkeypatch.setattr(embeddings, "_compute", compute)
    return counts


def outcome(run: Path) -> dict[str, Any]:
    return without_measured(json.loads((run / "results.json").read_text(encoding="utf-8")))


def test_the_run_folder_is_that_of_any_run(tmp_path: Path, train_tiny: Train, head, looks, finished_run: Path) -> None:
    run = tmp_path / "run"
    results = train_tiny(run, *head, LEAK)
    assert looks == [24]
    assert [row["fold"] for row in results["folds"]] == [1, 2, 3]
    assert results["mean"]["accuracy"] > 0.6
    for row in results["folds"]:
        assert (row["clips"], row["epochs"], row["chosen_epoch"], row["penalty"]) == (8, 1, 1, 0.01)
        fold = run / f"fold-{row['fold']}"
        (record,) = [json.loads(line) for line in (fold / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        assert {"epoch", "step", "lr", "train_loss", "train_accuracy", "test_accuracy", "seconds"} <= record.keys()
        assert (record["epoch"], record["lr"], record["test_accuracy"]) == (1, None, row["accuracy"])
        assert record["step"] > 1
        body, before = (
            load_tensors(folder / "model" / "weights.safetensors")[0] for folder in (fold, finished_run / "fold-1")
        )
        changed = {name for name in body if not torch.equal(body[name], before[name])}
        assert changed == {"classifier.weight", "classifier.bias"}
    # The embeddings' seconds are counted once.
    kept = float(embeddings.load_tensors(run / "embeddings.safetensors")[1]["seconds"])
    assert results["folds"][0]["seconds"] >= round(kept, 3)
    assert results["seconds"] == pytest.approx(sum(row["seconds"] for row in results["folds"]), abs=0.002)


def test_the_artefact_scores_as_the_probe_did(tmp_path: Path, train_tiny: Train, head, tones: Path) -> None:
    """Standardisation is folded into the layer: network and classifier alone give what was written."""
    run = tmp_path / "run"
    results = train_tiny(run, *head, folds=[1])
    again = evaluate_run(open_run(RunFolder(run)), device="cpu").as_json()
    for name in ("accuracy", "loss", "auroc"):
        assert again["folds"][0][name] == pytest.approx(results["folds"][0][name], abs=1e-5)
    model = load(run / "fold-1" / "model")
    clips, _, scores = read_predictions(run / "fold-1" / "predictions.csv")
    for clip, score_K in zip(clips, scores, strict=True):
        wave, _ = soundfile.read(tones / clip, dtype="float32")
        np.testing.assert_allclose(model.scores(wave)[0], score_K, atol=2e-3)


def test_with_resume_embeddings_and_finished_folds_are_taken_from_the_folder(
    tmp_path: Path, train_tiny: Train, head, looks
) -> None:
    train_tiny(tmp_path / "whole", *head, LEAK)
    looks.clear()
    train_tiny(tmp_path / "parts", *head, LEAK, folds=[2])
    train_tiny(tmp_path / "parts", *head, LEAK, resume=True)
    assert looks == [24]
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")
    for fold in (1, 2, 3):
        files = [tmp_path / run / f"fold-{fold}" / "model" / "weights.safetensors" for run in ("whole", "parts")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_break_between_embeddings_and_record_is_mended(tmp_path: Path, train_tiny: Train, head, monkeypatch) -> None:
    class Killed(Exception):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    train_tiny(tmp_path / "whole", *head, folds=[1])
    with monkeypatch.context() as patch:
        patch.setattr("audiosurvey.runs.recorder.save_artefact", killed)
        with pytest.raises(Killed):
            train_tiny(tmp_path / "broken", *head, folds=[1])
    train_tiny(tmp_path / "broken", *head, folds=[1], resume=True)
    assert outcome(tmp_path / "broken") == outcome(tmp_path / "whole")
    assert len((tmp_path / "broken" / "fold-1" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_embeddings_of_another_network_are_not_taken(tmp_path: Path, train_tiny: Train, head, looks) -> None:
    train_tiny(tmp_path / "run", *head, folds=[1])
    path = tmp_path / "run" / "embeddings.safetensors"
    tensors, metadata = load_tensors(path)
    embeddings.save_tensors(path, tensors, metadata | {"name": "another"})
    train_tiny(tmp_path / "run", *head, folds=[1], resume=True)
    assert looks == [24]
    for file in ("results.json", "fold-1/result.json"):
        (tmp_path / "run" / file).unlink()
    train_tiny(tmp_path / "run", *head, folds=[1], resume=True)
    assert looks == [24, 24]


def test_damaged_embeddings_are_computed_again(tmp_path: Path, train_tiny: Train, head, looks) -> None:
    train_tiny(tmp_path / "run", *head, folds=[1])
    path = tmp_path / "run" / "embeddings.safetensors"
    whole = load_tensors(path)[0]
    path.write_bytes(path.read_bytes()[:-100])
    for file in ("results.json", "fold-1/result.json"):
        (tmp_path / "run" / file).unlink()
    train_tiny(tmp_path / "run", *head, folds=[1], resume=True)
    assert looks == [24, 24]
    assert load_tensors(path)[0].keys() == whole.keys()


def test_augmentation_and_dropout_are_not_heard(tmp_path: Path, train_tiny: Train, head, finished_run: Path) -> None:
    plain = train_tiny(tmp_path / "plain", *head, folds=[1])
    noisy = train_tiny(tmp_path / "noisy", *head, "augmentation={noise: {p: 1}, gain: {p: 1}}", folds=[1])
    assert without_measured(noisy["folds"]) == without_measured(plain["folds"])


def test_no_clip_of_the_test_fold_is_fitted(tmp_path: Path, train_tiny: Train, head, monkeypatch, tones: Path) -> None:
    """The fit and the choice of the penalty see the training clips, a recording in one part."""
    seen: list[tuple[int, torch.Tensor]] = []
    true_choose = head_problem.choose_penalty

    def choose(examples: Any, group_M: torch.Tensor, loss: Any) -> float:
        seen.append((len(examples.weight_M), group_M))
        return true_choose(examples, group_M, loss)

    rows = ["path,label,fold,source"]
    names = ("low", "mid", "high", "noise")
    rows += [f"{name}/{n}.wav,{name},{n % 2 + 1},{name}{n // 3}" for name in names for n in (0, 2, 4)]
    rows += [f"{name}/{n}.wav,{name},{n % 2 + 1},odd-{name}{n // 3}" for name in names for n in (1, 3, 5)]
    (tones / "probe.csv").write_text("\n".join(rows), encoding="utf-8")
    data = f"dataset={{name: csv, root: '{tones.as_posix()}', table: probe.csv, clip_seconds: 0.5}}"
    monkeypatch.setattr(head_problem, "choose_penalty", choose)
    results = train_tiny(tmp_path / "run", *head, LEAK, data, "train.head_penalty=auto", folds=[1])
    ((windows, groups),) = seen
    assert windows == results["folds"][0]["train_clips"] == 12
    assert set(groups.tolist()) == {0, 1, 2}
    # Clips 3 and 5 of a class are one recording: in the order of the table, the second and third of each class.
    for first in range(0, 12, 3):
        assert groups[first + 1] == groups[first + 2]
    assert results["folds"][0]["penalty"] in (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)


def test_several_labels_and_long_clips(tmp_path: Path, train_tiny: Train, head, tones: Path) -> None:
    names = ("low", "mid", "high")
    rows = ["path,label,fold"]
    rows += [f"{name}/{n}.wav,{name}|{names[n % 3]},{n % 2 + 1}" for name in names for n in range(6)]
    (tones / "several-probe.csv").write_text("\n".join(rows), encoding="utf-8")
    # Half a second in windows of a fifth: three of each clip.
    data = f"dataset={{name: csv, root: '{tones.as_posix()}', table: several-probe.csv, clip_seconds: 0.2}}"
    results = train_tiny(tmp_path / "run", *head, LEAK, data, folds=[1])
    assert set(results["mean"]) == {"map", "auroc", "loss", "f1", "precision", "calibration_error"}
    assert results["mean"]["auroc"] > 0.7
    counts = load_tensors(tmp_path / "run" / "embeddings.safetensors")[0]["windows"]
    assert counts.tolist() == [3] * 18
    again = evaluate_run(open_run(RunFolder(tmp_path / "run")), device="cpu").as_json()
    assert again["mean"]["loss"] == pytest.approx(results["mean"]["loss"], abs=1e-5)


def test_a_validation_fold_stays_out_of_the_fit(tmp_path: Path, train_tiny: Train, head) -> None:
    results = train_tiny(tmp_path / "run", *head, LEAK, "protocol.selection=validation", folds=[1])
    assert results["folds"][0]["train_clips"] == 8
    record = json.loads((tmp_path / "run" / "fold-1" / "metrics.jsonl").read_text(encoding="utf-8"))
    assert {"val_accuracy", "test_accuracy"} <= record.keys()


WAVE = (
    "model.blocks=[{input: wave}, "
    "{conv_block: {channels: 8, layers: 1, kernel: [9, 1], stride: [8, 1], pool: [1, 1]}}, {pooling: {mode: avg}}]"
)


@pytest.mark.parametrize("network", [(), (WAVE,)], ids=["mel", "wave"])
def test_after_a_pretraining(tmp_path: Path, train_tiny: Train, tones: Path, network: tuple[str, ...]) -> None:
    classes = ", ".join(CLASSES[:2])
    toy = f"{{name: toy, root: '{tmp_path.as_posix()}/toy', clip_seconds: 0.5, classes: [{classes}]}}"
    pretrain = f"pretrain={{epochs: 1, batch_size: 16, num_workers: 0, dataset: {toy}}}"
    results = train_tiny(tmp_path / "run", "train.head_only=true", pretrain, *network, folds=[1])
    assert results["init"] == "toy"
    body = load_tensors(tmp_path / "run" / "pretrain" / "weights.safetensors")[0]
    model = load_tensors(tmp_path / "run" / "fold-1" / "model" / "weights.safetensors")[0]
    assert all(torch.equal(body[name], model[name]) for name in body if not name.startswith("classifier."))


def test_features_that_are_not_finite_are_one_line(tmp_path: Path, train_tiny: Train, head, monkeypatch) -> None:
    true_embed = probe.Network.embed
    monkeypatch.setattr(probe.Network, "embed", lambda self, x: true_embed(self, x) * float("nan"))
    monkeypatch.setattr("audiosurvey.reporting.plan.forecast_embedding", lambda stage, put_weights: 1.0)
    with pytest.raises(UserError, match="features of 24 clips are not finite, such as ") as caught:
        train_tiny(tmp_path / "run", *head, folds=[1])
    assert len(caught.value.lines) == 1


def test_it_says_what_it_will_do(tmp_path: Path, train_tiny: Train, head) -> None:
    said: list[str] = []
    train_tiny(tmp_path / "run", *head, folds=[1], say=said.append)
    assert said[-1].startswith("about ")
    assert said[-1].endswith(" to look at 24 clips once on cpu, fp32; then seconds a fold")


def test_a_final_probe_hears_all_clips_and_embeds_none_again(
    tmp_path: Path, train_tiny: Train, head, looks, finished_run: Path, tones: Path
) -> None:
    results = train_tiny(tmp_path / "run", *head, LEAK, "protocol.selection=validation", final=True)
    assert looks == [24]
    assert (results["final"]["epochs"], results["final"]["clips"]) == (1, 24)
    final = load(tmp_path / "run")
    assert "24 clips of folds 1, 2, 3" in final.facts["calibration"]["fitted_on"]
    places = (tmp_path / "run", finished_run / "fold-1")
    tensors, before = (load_tensors(place / "model" / "weights.safetensors")[0] for place in places)
    changed = {name for name in tensors if not torch.equal(tensors[name], before[name])}
    assert changed == {"classifier.weight", "classifier.bias"}
    paths = sorted(tones.rglob("*.wav"))
    guessed = [max(scores, key=scores.__getitem__) for scores in final.predict(paths)]
    assert np.mean([guess == path.parent.name for guess, path in zip(guessed, paths, strict=True)]) > 0.6
    # A fold's probe is calibrated on the fold that was held out for it.
    fold = load(tmp_path / "run" / "fold-1")
    assert fold.facts["calibration"]["fitted_on"] == "the 8 clips of fold 2, held out for validation"


def test_a_head_fitted_first_is_where_the_steps_begin(tmp_path: Path, train_tiny: Train, head, looks) -> None:
    """With a rate of next to nothing what is trained stays the probe."""
    train_tiny(tmp_path / "probe", *head, LEAK, folds=[1, 2])
    still = ("train.head_first=true", head[1], "train.lr=1e-12", "train.epochs=1", "ema.decay=0", LEAK)
    results = train_tiny(tmp_path / "first", *still, folds=[1, 2])
    assert looks == [24, 24]
    for fold in (1, 2):
        probed, trained = (
            load_tensors(tmp_path / name / f"fold-{fold}" / "model" / "weights.safetensors")[0]
            for name in ("probe", "first")
        )
        torch.testing.assert_close(trained["classifier.weight"], probed["classifier.weight"])
        torch.testing.assert_close(trained["classifier.bias"], probed["classifier.bias"])
    # The look at all clips is paid for by the fold that took it.
    kept = float(embeddings.load_tensors(tmp_path / "first" / "embeddings.safetensors")[1]["seconds"])
    assert results["folds"][0]["seconds"] >= kept


def test_with_a_head_fitted_first_a_broken_run_goes_on_to_the_same_weights(
    tmp_path: Path, train_tiny: Train, head, killed_after_checkpoint: Any
) -> None:
    asked = ("train.head_first=true", head[1], "train.epochs=3", LEAK)
    train_tiny(tmp_path / "whole", *asked, folds=[1])
    with killed_after_checkpoint(lambda trainer: trainer.state.epoch == 2):
        train_tiny(tmp_path / "broken", *asked, folds=[1])
    train_tiny(tmp_path / "broken", *asked, folds=[1], resume=True)
    files = [(tmp_path / run / "fold-1" / "model" / "weights.safetensors").read_bytes() for run in ("whole", "broken")]
    assert files[0] == files[1]
