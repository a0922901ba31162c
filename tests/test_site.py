"""The documentation as a site: links are those of the repository, and the strict build finds all of them."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from scripts import load_script

pytest.importorskip("mkdocs")
pytest.importorskip("material")
pytest.importorskip("mkdocstrings")

from mkdocs.commands.build import build
from mkdocs.config import load_config

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    ("page", "link", "on_the_site"),
    [
        ("index.md", "docs/config.md", "config.md"),
        ("index.md", "docs/measurements.md#accuracy", "measurements.md#accuracy"),
        ("index.md", "results/README.md", "results/README.md"),
        ("survey.md", "../README.md#surveys", "index.md#surveys"),
        ("measurements.md", "../results/esc10/small.json", "results/esc10/small.json"),
        ("measurements.md", "config.md", "config.md"),
        ("results/README.md", "../docs/config.md", "../config.md"),
        ("config.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("python.md", "tutorials/augmentation.ipynb", "tutorials/augmentation.md"),
        ("tutorials/own-sounds.md", "comparing.ipynb", "comparing.md"),
        ("tutorials/own-sounds.md", "../own-sounds.md", "../own-sounds.md"),
    ],
)
def test_links_of_the_repository_are_links_of_the_site(page: str, link: str, on_the_site: str):
    hooks = load_script(REPOSITORY / "docs" / "site_hooks.py")
    about = SimpleNamespace(file=SimpleNamespace(src_uri=page))
    assert hooks.on_page_markdown(f"See [this]({link}).", about, None, None) == f"See [this]({on_the_site})."


def test_the_site_builds_without_a_warning_or_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    build(load_config(str(REPOSITORY / "mkdocs.yml"), site_dir=str(tmp_path)))
    for name in ("index", "config", "api", "CHANGELOG", "results/README"):
        page = tmp_path / (f"{name}.html" if name != "results/README" else "results/index.html")
        text = page.read_text(encoding="utf-8")
        assert "https://fonts." not in text
        assert 'src="http' not in text
    page = (tmp_path / "tutorials" / "augmentation.html").read_text(encoding="utf-8")
    assert page.count("<audio") > 3
    assert (tmp_path / "tutorials" / "augmentation.ipynb").exists()
    assert (tmp_path / "results" / "esc10" / "small.json").exists()
    assert (tmp_path / "search" / "search_index.json").exists()
