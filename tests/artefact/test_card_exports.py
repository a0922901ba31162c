"""The card's section on exports: one part a file, however often it is written."""

from pathlib import Path

from audiosurvey.artefact.card import add_export

CARD = "---\nlicense: mit\n---\n\n# A model\n\nWords.\n\n## Use\n\nMore words.\n"


def card(folder: Path, text: str = CARD) -> Path:
    path = folder / "README.md"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_section_at_the_end(tmp_path: Path):
    path = card(tmp_path)
    add_export(path, "model.onnx", ["- 1 MB"])
    text = path.read_text(encoding="utf-8")
    assert text.startswith(CARD.strip())
    assert text.count("## Exports\n") == 1
    assert text.endswith("### model.onnx\n\n- 1 MB\n")


def test_written_twice_is_written_once(tmp_path: Path):
    path = card(tmp_path)
    add_export(path, "model.onnx", ["- 1 MB", "", "| a |", "|---|", "| b |"])
    once = path.read_bytes()
    add_export(path, "model.onnx", ["- 1 MB", "", "| a |", "|---|", "| b |"])
    assert path.read_bytes() == once


def test_a_new_export_replaces_its_own_part_only(tmp_path: Path):
    path = card(tmp_path)
    add_export(path, "model.pt2", ["- of torch"])
    add_export(path, "model.onnx", ["- old"])
    add_export(path, "model.onnx", ["- new"])
    text = path.read_text(encoding="utf-8")
    assert "- old" not in text
    assert text.index("### model.onnx\n\n- new") < text.index("### model.pt2\n\n- of torch")
    assert text.count("## Exports\n") == 1


def test_what_stands_behind_the_section_stays(tmp_path: Path):
    path = card(tmp_path)
    add_export(path, "model.onnx", ["- old"])
    path.write_text(path.read_text(encoding="utf-8") + "\n## Notes\n\n### Mine\n\nOf my own.\n", encoding="utf-8")
    add_export(path, "model.onnx", ["- new"])
    text = path.read_text(encoding="utf-8")
    assert text.endswith("### model.onnx\n\n- new\n\n## Notes\n\n### Mine\n\nOf my own.\n")
