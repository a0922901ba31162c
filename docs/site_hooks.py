"""Hooks of mkdocs: pages of the repository that lie outside of docs/, and links between them.

README.md becomes the first page of the site; CHANGELOG.md, CONTRIBUTING.md, SECURITY.md and results/ are added as they
are. Links are written for readers of the repository, relative to each file, and rewritten here for the site.
"""

import posixpath
import re
from pathlib import Path

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
    return files


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
    return repository_path.removeprefix("docs/")
