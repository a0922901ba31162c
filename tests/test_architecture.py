"""docs/architecture.md names every module and package as they are; files and folders stay small."""

import re
import tomllib
from collections import Counter
from pathlib import Path

from scripts import load_script

REPOSITORY = Path(__file__).resolve().parent.parent
DOCS = REPOSITORY / "docs"


def test_the_tree_is_true():
    tree = load_script(DOCS / "tree.py")
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    assert tree.rewritten(text) == text, "run `python docs/tree.py`"


def test_the_order_of_imports_is_that_of_the_contract():
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = [{name.strip() for name in layer.split("|")} for layer in contracts["contracts"][0]["layers"]]
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").split("## Packages and imports")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in re.findall(r"^\| `.*$", text, flags=re.M)]
    assert [{f"audiosurvey.{name}" for name in re.findall(r"`(\w+)`", row)} for row in rows] == layers


def test_files_are_short_and_folders_small():
    package = REPOSITORY / "src" / "audiosurvey"
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in package.rglob("*.py")}
    long = {str(path.relative_to(package)): length for path, length in lengths.items() if length > 350}
    assert not long, "a file holds one idea: split it"
    sizes = Counter(path.parent for path in lengths)
    crowded = {str(folder.relative_to(package)): size for folder, size in sizes.items() if size > 20}
    assert not crowded, "group the files of a folder by subject"
