"""Models: exporting, publishing, demonstrating and serving them. `audiosurvey.load` is in artefact/load.py."""

import math
from collections.abc import Callable
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING

from audiosurvey.api.arguments import PathLike, need_at_least, path_or_none
from audiosurvey.api.progress import say
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import ArgumentError

if TYPE_CHECKING:
    from audiosurvey.artefact.hub import Pushed
    from audiosurvey.exporting.result import ExportResult

_OTHER_NAMES = {"tflite": "litert", "tensorflow": "litert", "mlpackage": "coreml", "apple": "coreml", "ios": "coreml"}
"""Formats by names that users may try."""


@keeps_state
def export(
    model: PathLike,
    format: str = "onnx",
    *,
    output: PathLike | None = None,
    int8: bool = False,
    calibration: PathLike | None = None,
    onnxruntime: PathLike | None = None,
    force: bool = False,
) -> "ExportResult":
    """Exports a model, from waveform to scores, to a file or a web page, after checking that its scores are the same.

    Args:
        model: a model folder, or a run with a final model.
        format: `onnx`, `torch`, `executorch`, `litert`, `coreml`, or `web`, a folder with a page for the browser.
        output: the file or folder to write; None: model.onnx, model.int8.onnx, web, ... in the model folder.
        int8: ONNX, also in a page, or LiteRT with 8-bit integers, about a third of the size.
        calibration: with `int8`: a folder of sounds to calibrate on; None: the model's golden clips.
        onnxruntime: with `web`: the npm package onnxruntime-web, as a folder or .tgz; None: from the cache, or npm.
        force: overwrite an existing file or page.

    Returns:
        The file, and its differences to the model; for `coreml` on another system than macOS, only the file.

    Raises:
        UserError: if there is no such model, a package is missing, or the scores differ.
    """
    if int8 and format not in ("onnx", "litert", "web"):
        raise ArgumentError("{int8}: goes with {format} onnx, litert and web, not " + format, int8=True, format=...)
    if onnxruntime is not None and format != "web":
        raise ArgumentError("{onnxruntime}: is for {format} web; leave it out", onnxruntime=..., format=...)
    if calibration is not None and not int8:
        text = "{calibration}: is for {int8}, which measures ranges on these sounds; leave it out"
        raise ArgumentError(text, calibration=..., int8=True)
    from audiosurvey.config.reading.faults import nearest
    from audiosurvey.exporting.export import export_model
    from audiosurvey.exporting.formats import SUFFIXES, Format

    if format == "web":
        from audiosurvey.exporting.web.export import export_web

        return export_web(
            Path(model),
            path_or_none(output),
            int8=int8,
            calibration=path_or_none(calibration),
            onnxruntime=path_or_none(onnxruntime),
            force=force,
        )
    known: dict[str, Format] = {name: name for name in SUFFIXES}
    if format not in known:
        near = _OTHER_NAMES.get(format.lower()) or nearest(format, [*known, "web"])
        mend = f"did you mean {near}?" if near else "most other runtimes convert an ONNX file"
        raise ArgumentError(f"{{format}}: not one of {', '.join(known)}, web; {mend}", format=format)
    return export_model(
        Path(model), known[format], path_or_none(output), int8=int8, calibration=path_or_none(calibration), force=force
    )


@keeps_state
def push(model: PathLike, repo: str, *, private: bool = False, golden_clips: bool = True) -> "Pushed":
    """Publishes a model on the Hugging Face Hub, after checking it with its golden clips.

    Args:
        model: a model folder, or a run with a final model.
        repo: `user/name`; it is created if necessary.
        private: visible to you only.
        golden_clips: publish the model's windows of training clips; otherwise made sounds in their place.

    Returns:
        The address, and what was published under which licence.

    Raises:
        UserError: for a damaged model, without a token or a network, and if the repository cannot be written.
    """
    from audiosurvey.artefact.hub import push as upload

    return upload(Path(model), repo, private=private, golden_clips=golden_clips)


@keeps_state
def serve_demo(
    model: PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_mb: float = 100,
    max_minutes: float = 10,
    threshold: float | None = None,
    top: int = 5,
    examples: PathLike | None = None,
    trust: bool = False,
    opened: Callable[[str], object] = say,
) -> None:
    """Serves a local web page for trying models, until Ctrl-C. The function of the command `demo`.

    Args:
        model: a model, an exported file, or a folder with several.
        host: address to listen on; `0.0.0.0` allows other computers.
        port: port to listen on; 0: any free one.
        max_mb: largest upload in MB.
        max_minutes: longest sound in minutes.
        threshold: least score of the best class, else `unknown`; None: the model's own.
        top: classes to show.
        examples: folder of example sounds.
        trust: also open .pt2 files, which can run code of their author.
        opened: called with the address once it can be opened; by default it is logged.

    Raises:
        UserError: without Gradio or a model, and for an address that cannot be used.
    """
    from audiosurvey.demo.server import DemoOptions, serve
    from audiosurvey.serving.limits import UploadLimits

    need_at_least(1, top=top)
    _need_port(port)
    _need_above_0(max_mb=max_mb, max_minutes=max_minutes)
    options = DemoOptions(host, port, UploadLimits(max_mb, max_minutes), threshold, top, path_or_none(examples), trust)
    serve(str(model), options, opened)


@keeps_state
def serve_api(
    model: PathLike,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    max_mb: float = 100,
    max_minutes: float = 10,
    max_waiting: int = 256,
    batch_size: int = 16,
    device: str = "auto",
    threads: int | None = None,
    trust: bool = False,
    opened: Callable[[str], object] = say,
) -> None:
    """Serves a model as an HTTP API, until Ctrl-C. The function of the command `serve`.

    Args:
        model: a model folder, a run with one, or an exported file.
        host: address to listen on; `0.0.0.0` allows other computers.
        port: port to listen on; 0: any free one.
        max_mb: largest upload in MB.
        max_minutes: longest sound in minutes.
        max_waiting: most requests at a time; others are answered with status 503.
        batch_size: most windows and sounds scored together.
        device: as in `train`.
        threads: processor threads; None: as many as torch uses now.
        trust: also open .pt2 files, which can run code of their author.
        opened: called with the address once it can be asked; by default it is logged.

    Raises:
        UserError: without the extra `serve` or a model, and for an address that cannot be used.
    """
    from audiosurvey.serving.limits import UploadLimits
    from audiosurvey.serving.server import ServeOptions, serve

    need_at_least(1, max_waiting=max_waiting, batch_size=batch_size, threads=threads)
    _need_port(port)
    _need_above_0(max_mb=max_mb, max_minutes=max_minutes)
    limits = UploadLimits(max_mb, max_minutes)
    serve(str(model), ServeOptions(host, port, limits, max_waiting, batch_size, device, threads, trust), opened)


def _need_port(port: int) -> None:
    if not isinstance(port, Integral) or not 0 <= port <= 65535:
        raise ArgumentError("{port}: expected a number from 0 to 65535", port=port)


def _need_above_0(**arguments: float) -> None:
    for name, value in arguments.items():
        if not isinstance(value, Real) or not math.isfinite(value) or value <= 0:
            raise ArgumentError(f"{{{name}}}: expected a number above 0", **{name: value})
