"""The model card: a head that the Hub reads, and the numbers of results.json with the words that belong to them."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from audiosurvey.artefact.card import model_card
from audiosurvey.artefact.folder import Model, load_artefact


@pytest.fixture(scope="module")
def model(finished_run: Path) -> Model:
    return load_artefact(finished_run / "fold-1" / "model")


def parts(card: str) -> tuple[dict[str, Any], str]:
    """Head and body."""
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


def made(model: Model, about: dict[str, Any] | None = None, **changes: Any) -> tuple[dict[str, Any], str]:
    """The card of this model with other facts."""
    facts = copy.deepcopy(model.facts) | changes
    facts["about"] |= about or {}
    assert model.golden is not None
    return parts(model_card(facts, model.config, model.golden))


def test_the_head_has_what_the_hub_asks_for(finished_run: Path):
    text = (finished_run / "fold-1" / "model" / "README.md").read_text(encoding="utf-8")
    row = json.loads((finished_run / "results.json").read_text(encoding="utf-8"))["folds"][0]
    head, body = parts(text)
    assert head["license"] == "unknown"
    assert (head["library_name"], head["pipeline_tag"]) == ("audiosurvey", "audio-classification")
    assert "datasets" not in head
    (entry,) = head["model-index"]
    (result,) = entry["results"]
    assert result["dataset"]["split"].startswith("fold 1 held out; ")
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert values["accuracy"] == pytest.approx(row["accuracy"], abs=1e-6)
    assert values["roc_auc"] == pytest.approx(row["auroc"], abs=1e-6)
    assert f"| accuracy | {row['accuracy']:.4f} |" in body
    assert f"| cross-entropy | {row['loss']:.4f} |" in body


def test_the_hubs_own_reader_takes_it(finished_run: Path):
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard((finished_run / "fold-1" / "model" / "README.md").read_text(encoding="utf-8"))
    assert card.data.pipeline_tag == "audio-classification"
    shown = {"accuracy", "top_3_accuracy", "roc_auc", "f1", "precision"}
    assert {one.metric_type for one in card.data.eval_results} == shown


def test_how_to_use_it_is_three_lines(model: Model):
    _, body = made(model)
    code = body.split("```python\n")[1].split("```")[0].strip().splitlines()
    assert len(code) == 3
    namespace: dict[str, Any] = {}
    exec(code[0], namespace)
    assert callable(namespace["audiosurvey"].load)


def test_of_a_published_set_with_its_licence(model: Model):
    licence = {"weights": "CC BY-NC 3.0 (non-commercial)", "parts": {"start, panns/cnn6": "CC BY 4.0", "data": None}}
    head, body = made(model, {"dataset": "esc50", "subset": "esc10"}, licence=licence)
    assert head["license"] == "cc-by-nc-3.0"
    assert head["datasets"] == ["ashraq/esc50"]
    assert "Not for commercial use" in body
    assert "- start, panns/cnn6: CC BY 4.0\n- data: not stated" in body
    assert "esc50 (esc10)" in body


def test_what_is_wrong_with_a_number_stands_beside_it(model: Model):
    caveat = "optimistic: the epoch was chosen on the test fold"
    head, body = made(model, {"caveats": [caveat], "selection": "test"})
    for metric in head["model-index"][0]["results"][0]["metrics"]:
        assert metric["name"].endswith(f"({caveat})")
    assert f"**{caveat}**" in body


def test_a_fold_model_that_was_not_calibrated_says_so_and_where_its_thresholds_are_from(model: Model):
    _, body = made(model)
    assert "Scores are not calibrated (temperature 1)" in body
    assert "on the 16 clips of folds 2, 3, as scored by models that were not trained on them" in body
    assert "so the thresholds fit this model only roughly" in body
    assert "The clips contained no sounds of other kinds." in body
    error = model.facts["calibration"]["expected_error"]
    assert f"{error['before']:.4f} without a temperature, on the 8 clips of fold 1, which was held out" in body


def test_a_final_model_has_no_score_of_its_own(final_run: Path):
    results = json.loads((final_run / "results.json").read_text(encoding="utf-8"))
    head, body = parts((final_run / "model" / "README.md").read_text(encoding="utf-8"))
    mean, std = results["mean"]["accuracy"], results["std"]["accuracy"]
    assert f"| accuracy | {mean:.4f} ± {std:.4f} |" in body
    assert "These are not scores of this model" in body
    assert "mean over folds 1, 2, 3, each held out once" in body
    assert "own folds; there is no official protocol for this data" in body
    for metric in head["model-index"][0]["results"][0]["metrics"]:
        assert "of the fold models, not of this model" in metric["name"]
    facts = json.loads((final_run / "model" / "model.json").read_text(encoding="utf-8"))
    assert f"Logits are divided by {facts['calibration']['temperature']:.4f}" in body
    for label, threshold in facts["thresholds"].items():
        assert f"| {label} | {threshold:.4f} |" in body
    assert "For the mean of several windows" not in body


def test_windows_and_means_of_them_are_told_apart(model: Model):
    error = model.facts["calibration"]["expected_error"] | {"before": 0.3, "after": 0.1}
    fitted = {"temperature": 1.7, "sound_temperature": 1.1, "fitted_on": "some clips", "expected_error": error}
    calibration = model.facts["calibration"] | fitted | {"window_error": {"before": 0.4, "after": 0.2}}
    _, body = made(model, calibration=calibration, thresholds={"low": 0.25}, sound_thresholds={"low": 0.75})
    assert "Logits are divided by 1.7000 before they become scores of a single window" in body
    assert "the temperature 1.1000 is applied" in body
    assert "0.3000 without a temperature, 0.1000 with it; of single windows 0.4000 and 0.2000, on" in body
    assert (
        body.index("| low | 0.2500 |") < body.index("For the mean of several windows:") < body.index("| low | 0.7500 |")
    )


@pytest.mark.parametrize(
    ("multi_label", "rule"),
    [(False, "or `unknown` if the score does not reach"), (True, "each label whose")],
)
def test_what_a_threshold_means_goes_by_the_kind_of_classes(model: Model, multi_label: bool, rule: str):
    calibration = model.facts["calibration"] | {"fitted_on": "some clips"}
    facts = {"thresholds": {"low": 0.25}, "sound_thresholds": {"low": 0.25}, "multi_label": multi_label}
    _, body = made(model, calibration=calibration, **facts)
    assert rule in body
    assert body.count("| low | 0.2500 |") == 1


def test_classes_worst_first_and_what_always_one_class_would_score(model: Model):
    by_class = {
        "low": {"clips": 9, "recall": 1.0, "precision": 0.75, "f1": 0.857, "average_precision": 0.9, "auroc": 0.8},
        "a|b": {"clips": 3, "recall": 0.0, "precision": None, "f1": 0.0, "average_precision": None, "auroc": 0.5},
    }
    _, body = made(model, {"by_class": by_class, "imbalance": ["never recognised: a|b (3 clips)"]})
    assert "**never recognised: a|b (3 clips)**" in body
    rows = ["| a\\|b | 3 | 0.000 | - | 0.000 | - | 0.500 |", "| low | 9 | 1.000 | 0.750 | 0.857 | 0.900 | 0.800 |"]
    assert "\n".join(rows) in body


def test_a_label_cannot_break_the_table(model: Model):
    calibration = model.facts["calibration"] | {"fitted_on": "some clips"}
    _, body = made(model, thresholds={"a|b": 0.25}, sound_thresholds={"a|b": 0.25}, calibration=calibration)
    assert "| a\\|b | 0.2500 |" in body
