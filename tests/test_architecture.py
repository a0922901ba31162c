"""docs/architecture.md names every module, in its module's own words."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_the_tree_is_true():
    spec = importlib.util.spec_from_file_location("tree", DOCS / "tree.py")
    assert spec is not None
    assert spec.loader is not None
    tree = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tree)
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert tree.rewritten(text) == text, "run `python docs/tree.py`"
