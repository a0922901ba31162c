"""The page: one HTML file with script, runtime and model in it, or with the last two beside it if they are large.

Within the page they are compressed (gzip) and in base64. A page of one file also works from disk, where browsers do not
let a page read files beside it.
"""

import base64
import gzip
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.data.store.spool import SILENT_PEAK
from audiosurvey.exporting.web.runtime import VERSION, WebRuntime
from audiosurvey.version import __version__

ONE_FILE_MB = 25
"""The largest page with everything in it."""
_SCRIPTS = ("scoring.js", "sound.js", "spectrogram.js", "network.js", "microphone.js", "page.js")


def write_page(folder: Path, model: Classifier, onnx: bytes, runtime: WebRuntime, name: str) -> None:
    """Write the page of a model into an empty folder. `onnx`: its exported file; `name`: its title."""
    parts = {"runtime": runtime.script.encode(), "wasm": runtime.wasm, "model": onnx}
    packed = {key: base64.b64encode(gzip.compress(content, mtime=0)).decode() for key, content in parts.items()}
    beside: dict[str, str] = {}
    if sum(map(len, packed.values())) > ONE_FILE_MB * 1e6:
        beside = {"wasm": "ort-wasm-simd-threaded.wasm", "model": "model.onnx"}
        for key, file in beside.items():
            (folder / file).write_bytes(parts[key])
    holders = [{"id": key, "file": beside.get(key), "content": packed[key]} for key in parts]
    page = (
        _environment()
        .get_template("index.html")
        .render(
            name=name,
            version=__version__,
            runtime_version=VERSION,
            megabytes=f"{sum(map(len, parts.values())) / 1e6:.3g}",
            labels=model.labels,
            sample_rate=model.sample_rate,
            window_s=f"{model.clip_samples / model.sample_rate:g}",
            licence=(model.facts.get("licence") or {}).get("weights"),
            holders=holders,
            style=_asset("page.css"),
            worker=_asset("worker.js"),
            model=_json(page_facts(model)),
            script=Markup("\n").join(map(_asset, _SCRIPTS)),
        )
    )
    (folder / "index.html").write_text(page, encoding="utf-8")


def page_facts(model: Classifier) -> dict[str, Any]:
    """What the script of the page knows of the model."""
    temperatures, thresholds = model.temperatures, model.own_threshold if model.rejects_others else None
    return {
        "labels": model.labels,
        "sample_rate": model.sample_rate,
        "clip_samples": model.clip_samples,
        "pad": model.facts["pad"],
        "mono": model.facts["mono"],
        "multi_label": model.multi_label,
        "binary": temperatures.binary,
        "window_temperature": temperatures.window,
        "sound_temperature": temperatures.sound,
        "thresholds": None if thresholds is None else dict(thresholds.window),
        "sound_thresholds": None if thresholds is None else dict(thresholds.sound),
        "silent_peak": SILENT_PEAK,
    }


def _asset(name: str) -> Markup:
    """A file of the page, not to be escaped."""
    return Markup((files("audiosurvey.exporting.web") / "page" / name).read_text(encoding="utf-8"))


def _json(value: Any) -> Markup:
    """JSON within a script: nothing in it ends the script."""
    return Markup(json.dumps(value, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c"))


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("audiosurvey.exporting.web", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@contextmanager
def new_page(folder: Path) -> Iterator[Path]:
    """Yields an empty folder, which replaces `folder` when the block succeeds."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        made, old = Path(temporary) / "made", Path(temporary) / "old"
        made.mkdir()
        yield made
        if folder.exists():
            folder.rename(old)
        try:
            made.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
