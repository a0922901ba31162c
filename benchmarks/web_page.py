"""Scores of an exported web page in headless Chromium, beside those of the model.

    python benchmarks/web_page.py MODEL PAGE SOUND ... [--screenshot FOLDER]

PAGE is the folder that `audiosurvey export MODEL --format web --output PAGE` wrote; it is opened from disk. Prints the
largest difference of scores of each sound, whether the best class is the same, and the median time to score a window.
With --screenshot: pictures of the page at the width of a desktop and of a phone.
"""

import argparse
import base64
import shutil
import statistics
from pathlib import Path

from playwright.sync_api import sync_playwright

import audiosurvey

OPEN = """async ([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  const found = await audiosurvey.open(new File([bytes], name));
  return { ...found, scores: Array.from(found.scores) };
}"""
WIDTHS = {"desktop": 1100, "phone": 390}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("model", "page"):
        parser.add_argument(name, type=Path)
    parser.add_argument("sounds", type=Path, nargs="+")
    parser.add_argument("--screenshot", type=Path)
    words = parser.parse_args()
    model = audiosurvey.load(words.model)
    wanted = {path: model.predict(path) for path in words.sounds}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"], timeout=300_000
        )
        page = browser.new_page()
        page.set_default_timeout(600_000)
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto((words.page / "index.html").resolve().as_uri())
        page.evaluate("() => audiosurvey.ready")
        differences, same, ms = [], 0, []
        for path, scores in wanted.items():
            found = page.evaluate(OPEN, [base64.b64encode(path.read_bytes()).decode(), path.name])
            given = dict(zip(model.labels, found["scores"], strict=True))
            differences.append(max(abs(given[label] - score) for label, score in scores.items()))
            same += max(given, key=given.__getitem__) == next(iter(scores))
            ms.append(found["ms"])
            print(f"{path.name}: {max(given, key=given.__getitem__)}, difference {differences[-1]:.1e}", flush=True)
        if words.screenshot is not None:
            for name, width in WIDTHS.items():
                page.set_viewport_size({"width": width, "height": 900})
                page.screenshot(path=words.screenshot / f"{name}.png", full_page=True)
        browser.close()
    size = sum(path.stat().st_size for path in words.page.iterdir()) / 1e6
    outside = [url for url in requests if not url.startswith(("file:", "blob:", "data:"))]
    print(
        f"{size:.1f} MB; {len(wanted)} sounds: {same} with the same class, largest difference {max(differences):.1e}, "
        f"{statistics.median(ms):.0f} ms a window; requests to other places: {outside or 'none'}"
    )


if __name__ == "__main__":
    main()
