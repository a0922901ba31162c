"""Regenerates the list of modules in docs/architecture.md: one line per module, the first sentence of its docstring.

python docs/tree.py
"""

import ast
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "src" / "audiosurvey"
STAGES = ["data", "features", "augment", "model", "training", "config", "artefact", "runs"]
STAGES += [
    "diagnosis",
    "prediction",
    "detection",
    "embeddings",
    "exporting",
    "serving",
    "demo",
    "analysis",
    "comparison",
    "reporting",
    "surveys",
]
STAGES += ["pages", "api", "cli"]
BEGIN, END = "<!-- tree: begin -->", "<!-- tree: end -->"


def first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.split(r"(?<=\.)\s", paragraph)[0].rstrip(".")


def lines(folder: Path) -> list[str]:
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    return [f"- `{path.name}`: {first_sentence(path)}" for path in modules]


def make_tree() -> str:
    """The Markdown between the two marks."""
    names = (
        "losses",
        "metrics",
        "splits",
        "section",
        "errors",
        "atomic",
        "randomness",
        "threads",
        "version",
        "__main__",
    )
    alone = [PACKAGE / f"{name}.py" for name in names]
    parts = ["", "**`audiosurvey/`**", "", *(f"- `{path.name}`: {first_sentence(path)}" for path in alone)]
    for stage in STAGES:
        heading = first_sentence(PACKAGE / stage / "__init__.py")
        parts += ["", f"**`{stage}/`** {heading}", "", *lines(PACKAGE / stage)]
        for folder in sorted(path.parent for path in (PACKAGE / stage).glob("*/__init__.py")):
            about = first_sentence(folder / "__init__.py")
            parts += ["", f"**`{stage}/{folder.name}/`** {about}", "", *lines(folder)]
    presets = sorted(path.stem for path in (PACKAGE / "presets").rglob("*.yaml"))
    parts += ["", f"**`presets/`** Shipped configs: {', '.join(f'`{name}`' for name in presets)}", ""]
    return "\n".join(parts)


def rewritten(text: str) -> str:
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{make_tree()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    page = DOCS / "architecture.md"
    page.write_text(rewritten(page.read_text(encoding="utf-8")), encoding="utf-8")
