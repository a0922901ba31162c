"""Hooks of mkdocs: pages of the repository that lie outside of docs/, and links between them.

README.md becomes the first page of the site; CHANGELOG.md, CONTRIBUTING.md, SECURITY.md and results/ are added as they
are, and notebooks in docs/tutorials as pages with their outputs. Links are written for readers of the repository,
relative to each file, and rewritten here for the site.
"""

import html
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "README_ru.md", "CITATION.cff", "LICENSE")
RESULTS = ("*.md", "*.json", "*.yaml")
LINK = re.compile(r"(\]\()([^)#\s]+)([^)\s]*\))")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files outside of docs/."""
    inside = [REPOSITORY / name for name in PAGES]
    inside += sorted(path for pattern in RESULTS for path in (REPOSITORY / "results").rglob(pattern))
    for path in inside:
        uri = _site_uri(path.relative_to(REPOSITORY).as_posix())
        # GitHub shows results/README.md as a page; the site has it as one, too.
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    for path in sorted((REPOSITORY / "docs" / "tutorials").glob("*.ipynb")):
        text = notebook_page(json.loads(path.read_text(encoding="utf-8")), path.name)
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=text))
    return files


def notebook_page(notebook: dict[str, Any], name: str) -> str:
    """A notebook as Markdown: its text, its code, and the outputs that are kept in it."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        parts += [_output(output) for output in cell.get("outputs", ())]
    title, rest = parts[0].partition("\n\n")[0], parts[0].partition("\n\n")[2]
    note = f'This page is a notebook: <a href="{name}" download>{name}</a>.'
    return "\n\n".join([title, note, rest, *parts[1:]]) + "\n"


def _output(output: dict[str, Any]) -> str:
    """An output as HTML: a picture, a player or a table, else text."""
    data = output.get("data", {})
    if "image/png" in data:
        picture = "".join(data["image/png"]).strip()
        return f'<img alt="figure" src="data:image/png;base64,{picture}">'
    if "text/html" in data:
        # Without the empty lines, which would end a block of HTML.
        lines = "".join(data["text/html"]).splitlines()
        return "<div>" + "".join(line.strip() + "\n" for line in lines if line.strip()) + "</div>"
    text = "".join(output.get("text") or data.get("text/plain", ""))
    return f"<pre><code>{html.escape(text.rstrip())}</code></pre>"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of the page as they are on the site; links to source files become plain text in backticks."""
    here = posixpath.dirname(_repository_path(page.file.src_uri))

    def rewritten(found: re.Match[str]) -> str:
        target = found[2]
        if ":" in target:
            return found[0]
        wanted = _site_uri(posixpath.normpath(posixpath.join(here, target)))
        return found[1] + posixpath.relpath(wanted, posixpath.dirname(page.file.src_uri) or ".") + found[3]

    return LINK.sub(rewritten, markdown)


def _repository_path(site_uri: str) -> str:
    if site_uri == "index.md":
        return "README.md"
    outside = site_uri in PAGES or site_uri.startswith("results/")
    return site_uri if outside else f"docs/{site_uri}"


def _site_uri(repository_path: str) -> str:
    if repository_path == "README.md":
        return "index.md"
    if repository_path.startswith("docs/tutorials/"):
        repository_path = repository_path.replace(".ipynb", ".md")
    return repository_path.removeprefix("docs/")
