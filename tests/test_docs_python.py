"""The Python in the documentation: the loop is the one in the example, and every block is Python."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = sorted((REPOSITORY / "docs").glob("python*.md"))


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_python_and_uses_public_names(page: Path):
    import audiosurvey

    for text in blocks(page):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "audiosurvey":
                assert node.attr in audiosurvey.__all__


def test_the_loop_is_that_of_the_example():
    (text,) = [text for text in blocks(REPOSITORY / "docs" / "python-training.md") if "def train" in text]
    assert text.strip() in (REPOSITORY / "docs" / "examples" / "loop.py").read_text(encoding="utf-8")


def test_the_pages_are_short():
    assert all(len(page.read_text(encoding="utf-8").splitlines()) <= 250 for page in PAGES)
