"""The card's section on recording conditions: in its place, and once."""

from pathlib import Path

from audiosurvey.artefact.card import add_conditions, add_export

CARD = "---\nlicense: mit\n---\n\n# A model\n\n## Results\n\nGood.\n\n## Labels\n\na, b\n"
ROWS = [
    {"name": "as they are", "accuracy": 0.875, "mean_score": 0.9},
    {"name": "20 dB softer", "accuracy": 0.5, "mean_score": 0.6},
]


def card(folder: Path, text: str = CARD) -> Path:
    path = folder / "README.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_stands_before_the_labels_and_the_rest_stays(tmp_path: Path):
    path = card(tmp_path)
    add_conditions(path, ROWS, "accuracy", fold=2)
    text = path.read_text(encoding="utf-8")
    before, section = text.split("\n\n## Other recording conditions\n\n")
    assert before == CARD.split("\n\n## Labels")[0]
    assert section.startswith("Test clips of fold 2,")
    assert "| 20 dB softer | 0.500 | 0.60 |\n\n## Labels\n\na, b\n" in section


def test_measured_again_it_is_replaced(tmp_path: Path):
    path = card(tmp_path)
    add_conditions(path, ROWS, "accuracy", fold=2)
    once = path.read_bytes()
    add_conditions(path, ROWS[:1], "accuracy", fold=2)
    assert "softer" not in path.read_text(encoding="utf-8")
    add_conditions(path, ROWS, "accuracy", fold=2)
    assert path.read_bytes() == once


def test_a_final_model_says_whose_scores_they_are(tmp_path: Path):
    path = card(tmp_path)
    add_conditions(path, [{"name": "inverted", "map": None, "mean_score": 0.5}], "map", folds=[1, 2])
    text = path.read_text(encoding="utf-8")
    assert "Mean over the test clips of folds 1, 2," in text
    assert "not scores of this model" in text
    assert "| inverted | - | 0.50 |" in text


def test_beside_exports_and_in_a_card_that_was_edited(tmp_path: Path):
    path = card(tmp_path, "# Mine\n\nMy words.\n")
    add_conditions(path, ROWS, "accuracy", fold=1)
    add_export(path, "model.onnx", ["- 1 MB"])
    add_conditions(path, ROWS, "accuracy", fold=1)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# Mine\n\nMy words.\n")
    assert text.count("## Exports\n") == text.count("## Other recording conditions\n") == 1


def test_no_card_is_no_fault(tmp_path: Path):
    add_conditions(tmp_path / "README.md", ROWS, "accuracy", fold=1)
    assert not list(tmp_path.iterdir())
