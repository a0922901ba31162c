"""Export of a model as a web page: the verified ONNX file within a page that runs it."""

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from audiosurvey.artefact.card import add_export
from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import find_model, load_artefact
from audiosurvey.artefact.load import model_name
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.exporting.export import export
from audiosurvey.exporting.result import ExportResult
from audiosurvey.exporting.web.page import new_page, write_page
from audiosurvey.exporting.web.runtime import find_runtime
from audiosurvey.targets import check_target_folder

_FILES = {"index.html", "model.onnx", "ort-wasm-simd-threaded.wasm"}
"""All that a page may consist of."""


def export_web(
    model: Path,
    output: Path | None = None,
    *,
    int8: bool = False,
    calibration: Path | None = None,
    onnxruntime: Path | None = None,
    force: bool = False,
) -> ExportResult:
    """Write the page of the model in a folder or run, and note it in the model's card.

    `output`: a folder; None: `web` in the model folder. `onnxruntime`: see `find_runtime`. Raises UserError as `export`
    does, without the runtime, and for an `output` that must not be written.
    """
    folder = find_model(model)
    target = output or folder / "web"
    _check_target(target, own=output is None, force=force)
    runtime = find_runtime(onnxruntime)
    loaded = load_artefact(folder)
    with tempfile.TemporaryDirectory() as temporary, _naming(target, temporary):
        path = Path(temporary) / "model.onnx"
        outcome = export(loaded, path, "onnx", int8=int8, calibration=calibration)
        with new_page(target) as made:
            write_page(made, load_exported(path), path.read_bytes(), runtime, model_name(folder))
            megabytes = sum(file.stat().st_size for file in made.iterdir()) / 1e6
    outcome = replace(outcome, path=target, format=f"web page, {outcome.format}", megabytes=megabytes)
    if (folder / "README.md").is_file():
        add_export(folder / "README.md", target.name, outcome.lines())
    return outcome


@contextmanager
def _naming(target: Path, temporary: str) -> Iterator[None]:
    """Faults of files in the folder `temporary` name the target."""
    try:
        yield
    except UserError as fault:
        lines = [re.sub(rf"{re.escape(temporary)}[^\s:]*", lambda _: str(target), line) for line in fault.lines]
        if tuple(lines) == fault.lines:
            raise
        raise UserError(*lines) from fault


def _check_target(target: Path, *, own: bool, force: bool) -> None:
    """Raise UserError for a folder that holds anything else, or a page, unless it may be replaced."""
    if not own:
        check_target_folder("output", target)
        if target.name in ("", ".."):
            raise ArgumentError("{output}: cannot be replaced by a page; give the name of a folder", output=target)
        if not target.absolute().parent.is_dir():
            raise ArgumentError(f"{{output}}: the folder {target.parent} is missing", output=target)
    if not target.exists():
        return
    inside = {path.name for path in target.iterdir()} if target.is_dir() else {target.name}
    if inside - _FILES:
        raise ArgumentError("{output}: not a page, and would be replaced; give another folder", output=target)
    if inside and not (own or force):
        text = "{output}: already exists; give another name, or {force} to overwrite it"
        raise ArgumentError(text, output=target, force=True)
