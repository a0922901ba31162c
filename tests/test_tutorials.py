"""The tutorials: notebooks that run, and whose kept outputs are small."""

import ast
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from scripts import load_script

import audiosurvey

REPOSITORY = Path(__file__).resolve().parents[1]
TUTORIALS = sorted((REPOSITORY / "docs" / "tutorials").glob("*.ipynb"))
MOST_BYTES = 1_000_000


def notebook(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def code(path: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in notebook(path)["cells"] if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_name_is_public_and_every_cell_was_run(path: Path):
    for text in code(path):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "audiosurvey":
                assert node.attr in audiosurvey.__all__
    cells = [cell for cell in notebook(path)["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs
    assert not [output for output in outputs if output["output_type"] == "error" or output.get("name") == "stderr"]


def test_the_outputs_that_are_kept_are_small():
    assert len(TUTORIALS) == 3
    assert sum(path.stat().st_size for path in TUTORIALS) < MOST_BYTES


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_pages_of_the_site_have_text_code_and_outputs(path: Path):
    page = load_script(REPOSITORY / "docs" / "site_hooks.py").notebook_page(notebook(path), path.name)
    assert page.startswith("# ")
    assert all(text in page for text in code(path))
    assert "data:image/png;base64," in page
    # A line that is empty within the HTML of an output would end it.
    assert all("\n\n" not in block for block in re.findall(r"<div>.*?</div>", page, flags=re.S))


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_tutorials_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    source = (REPOSITORY / "src").as_posix()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([source, os.environ.get("PYTHONPATH", "")]))
    given = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(given, timeout=1200, kernel_name="python3", resources=where).execute()
