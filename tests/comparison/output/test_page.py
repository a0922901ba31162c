"""The page: self-contained, text is text, and plots whose numbers lie inside them."""

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from audiosurvey.comparison.compare import compare_paths
from audiosurvey.comparison.leaderboard import CompareOptions
from audiosurvey.comparison.output import page

EVIL = "<script>alert(1)</script>"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def made(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.fixture
def comparison(make_run, make_foreign, make_survey):
    rows = {
        ("swept", 0): {"sweep": {"lr": 1}, "accuracy": 0.9, "config": "small"},
        ("swept 2", 0): {"sweep": {"lr": 2}, "accuracy": 0.85, "config": "small"},
    }
    paths = [make_survey(rows), make_run(EVIL.replace("/", "_"), 0.8), make_foreign("theirs", 0.5)]
    return compare_paths(paths, CompareOptions(pairs=True))


def test_the_page_needs_nothing_from_elsewhere(comparison):
    html = page.comparison_page(comparison)
    tags = made(html)
    assert len(html) < 60_000
    names = [tag for tag, _ in tags.found]
    assert "script" not in names
    assert not any(tag in ("link", "img", "iframe") for tag in names)
    assert not re.search(r"""(src|href)=|url\(|@import""", html)
    assert EVIL.replace("/", "_") in tags.text
    assert {"viewport"} <= {attrs.get("name") for tag, attrs in tags.found if tag == "meta"}
    for tag, attrs in tags.found:
        if tag == "svg":
            assert attrs["aria-label"]


def test_every_model_and_verdict_is_there(comparison):
    text = made(page.comparison_page(comparison)).text
    (dataset,) = comparison.datasets
    for model in dataset.models:
        assert model.name in text
    for pair in dataset.against_baseline:
        assert pair.verdict in text
    assert "Main effects of the sweep" in text
    assert "All 6 pairs" in text


def test_everything_in_a_plot_is_inside_it(comparison):
    tags = made(page.comparison_page(comparison))
    width = height = 0.0
    for tag, attrs in tags.found:
        if tag == "svg":
            width, height = map(float, str(attrs["viewbox"]).split()[2:])
        for name in ("x", "x1", "x2", "cx"):
            assert 0 <= float(attrs.get(name) or 0) <= width
        for name in ("y", "y1", "y2", "cy"):
            assert 0 <= float(attrs.get(name) or 0) <= height


def test_models_without_costs_have_no_pareto_plot(make_foreign):
    found = compare_paths([make_foreign("a"), make_foreign("b", 0.9)], CompareOptions())
    assert "Pareto" not in page.comparison_page(found)


@pytest.mark.parametrize(("low", "high"), [(0, 100), (79.2, 81.3), (50, 50), (33.3, 91.7)])
def test_ticks_are_round_and_enclose_the_range(low, high):
    ticks = page._ticks(low, high)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 9


def test_models_that_do_not_differ_share_a_bar():
    assert page._cliques([1.0, 1.5, 2.5, 4.0], 1.2) == [(0, 1), (1, 2)]
    assert page._cliques([1.0, 3.0], 1.2) == []


@pytest.mark.parametrize("width", [1200, 390])
def test_in_a_browser(launch_browser: Callable[..., Any], comparison, tmp_path: Path, width):
    file = tmp_path / "page.html"
    file.write_text(page.comparison_page(comparison), encoding="utf-8")
    tab = launch_browser().new_page(viewport={"width": width, "height": 800})
    faults: list[str] = []
    tab.on("console", lambda message: faults.append(message.text))
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(file.as_uri())
    # Tables scroll in their own boxes; the page itself does not scroll sideways.
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert faults == []
    tab.close()


@pytest.mark.parametrize("width", [1200, 390])
def test_labels_of_the_pareto_plot_stay_inside_and_differ(
    launch_browser: Callable[..., Any], make_survey, tmp_path: Path, width
):
    names = ["toy_lr=0.001", "toy_lr=0.003", "toy_lr=0.01-wide-mel-of-a-rather-long-name", "toy_lr=0.03-w"]
    costs = (900_000, 910_000, 120_000, 4_000_000)
    rows = {
        (name, 0): {"accuracy": 0.9 - 0.1 * number, "macs": macs, "sweep": {"lr": number}}
        for number, (name, macs) in enumerate(zip(names, costs, strict=True))
    }
    file = tmp_path / "page.html"
    found = compare_paths([make_survey(rows)], CompareOptions())
    file.write_text(page.comparison_page(found), encoding="utf-8")
    tab = launch_browser().new_page(viewport={"width": width, "height": 800})
    tab.goto(file.as_uri())
    inside = """(svg) => [...svg.querySelectorAll("g text")].map((text) => {
        const box = text.getBBox();
        return [text.textContent, box.x, box.x + box.width, box.y, box.y + box.height];
    })"""
    labels = tab.eval_on_selector('svg[aria-label*="against MACs"]', inside)
    intervals = tab.eval_on_selector("svg", inside)
    # The first table is wider than a phone: an edge shows that it goes on.
    assert "local" in tab.eval_on_selector(".scroll", "(box) => getComputedStyle(box).backgroundAttachment")
    tab.close()
    assert len({text for text, *_ in labels}) == 4
    assert {"toy_lr=0.001", "toy_lr=0.003"} <= {text for text, *_ in labels}
    for text, left, right, top, bottom in (*labels, *intervals):
        assert 0 <= left < right <= 640, text
        assert 0 <= top < bottom
    for one, (_, left, right, top, bottom) in enumerate(labels):
        for text, l2, r2, t2, b2 in labels[one + 1 :]:
            assert right <= l2 or r2 <= left or bottom <= t2 + 4 or b2 <= top + 4, text
