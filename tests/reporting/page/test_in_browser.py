"""The pages in headless Chromium, opened from disk without a network."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from audiosurvey.reporting.page.writing import write_report as report

CLASS = "<script>alert(1)<"


@dataclass
class Visit:
    """A page, what it asked for, and what it complained of."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def written(named_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return report(named_run, tmp_path_factory.mktemp("page") / "report.html").path


@pytest.fixture
def visit(browser: Any, written: Path) -> Iterator[Visit]:
    page = browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    one = Visit(page)
    page.on("request", lambda request: one.requests.append(request.url))
    page.on("console", lambda message: one.complaints.append(message.text))
    page.on("pageerror", lambda error: one.complaints.append(str(error)))
    page.goto(written.as_uri())
    yield one
    page.close()
    assert one.complaints == []
    assert [url for url in one.requests if not url.startswith(("file:", "data:", "blob:"))] == []


def test_players_play_and_the_cursor_follows(visit: Visit):
    card = visit.page.locator("article.mistake").first
    audio = card.locator("audio").first
    assert visit.page.wait_for_function("a => a.readyState >= 1", arg=audio.element_handle())
    assert audio.evaluate("a => a.duration") == pytest.approx(0.5, abs=0.1)
    audio.evaluate("a => a.play()")
    visit.page.wait_for_function("a => a.currentTime > 0.1 || a.ended", arg=audio.element_handle())
    place = card.locator(".cursor").evaluate("c => parseFloat(c.style.left)")
    assert 0 < place <= 100
    # All other players load too.
    handles = visit.page.locator("audio").element_handles()
    assert len(handles) > 5
    for handle in handles:
        visit.page.wait_for_function("a => a.readyState >= 1 && !a.error", arg=handle)


def test_one_player_at_a_time(visit: Visit):
    first, second = visit.page.locator("article.mistake audio").element_handles()[:2]
    for audio in (first, second):
        audio.evaluate("a => { a.loop = true; return a.play(); }")
    visit.page.wait_for_function("a => a.paused", arg=first)
    assert not second.evaluate("a => a.paused")


def test_cells_open_their_clips_by_keyboard(visit: Visit):
    page = visit.page
    table = page.locator("table.confusion")
    assert table.locator("button[tabindex='0']").count() == 1
    first = table.locator("tbody button").first
    first.focus()
    count = int(first.inner_text())
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    assert dialog.locator("li").count() == count
    assert CLASS in dialog.locator("h2").inner_text()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    # The arrow keys move on, and Tab leaves the table.
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.closest('thead') !== null")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('tbody') !== null")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('table.confusion')") is None


def test_the_tab_key_reaches_everything(visit: Visit):
    page = visit.page
    wanted = "a[href], button, input, summary, select, audio, [tabindex='0']"
    players = page.locator("audio").count()
    others = page.locator(wanted).count() - players
    # A player has several buttons of its own.
    for _ in range(others + 12 * players):
        page.keyboard.press("Tab")
        page.evaluate("document.activeElement.dataset.seen = 'yes'")
    left = page.evaluate(
        "wanted => [...document.querySelectorAll(wanted)]"
        ".filter(e => e.tabIndex >= 0 && e.checkVisibility() && !e.dataset.seen).map(e => e.outerHTML.slice(0, 80))",
        wanted,
    )
    assert left == []


def test_tables_sort(visit: Visit):
    page = visit.page
    table = page.locator("#classes ~ div table.sorts").first
    header = table.locator("thead button", has_text="recall")
    values = lambda: [float(text) for text in table.locator("tbody td:nth-child(4)").all_inner_texts()]  # noqa: E731
    header.click()
    assert values() == sorted(values(), reverse=True)
    header.click()
    assert values() == sorted(values())
    assert table.locator("th[aria-sort='ascending']").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(scheme: str, visit: Visit):
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth === 390")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(245, 247, 250)") == (scheme == "light")


def test_it_prints(visit: Visit):
    visit.page.emulate_media(media="print")
    assert visit.page.locator("audio").first.is_hidden()
    assert visit.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert len(visit.page.pdf()) > 10_000


def test_what_is_dimmed_can_be_shown(visit: Visit):
    shade = visit.page.locator(".shade").first
    assert shade.is_visible()
    visit.page.locator("#dim").uncheck()
    assert shade.is_hidden()


def test_images_and_fields_have_names(visit: Visit):
    unnamed = "img:not([alt]), audio:not([aria-label]), svg:not([aria-label]):not([aria-hidden])"
    assert visit.page.locator(unnamed).count() == 0
    buttons = visit.page.locator("button:visible").all()
    assert all(button.inner_text() or button.get_attribute("aria-label") for button in buttons)
