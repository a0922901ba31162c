"""Export a model as one file (or, for Core ML, one package) for other runtimes, verified against the model."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from audiosurvey.artefact.card import add_export
from audiosurvey.artefact.exported import ExportedModel, load_exported, runs_here
from audiosurvey.artefact.folder import Model, find_model, load_artefact
from audiosurvey.artefact.golden import check_golden
from audiosurvey.atomic import naming
from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.errors import ArgumentError, UserError, is_full
from audiosurvey.exporting.coreml import check_package_target
from audiosurvey.exporting.formats import EXPORT_WRITERS, OPSET, SUFFIXES, Format
from audiosurvey.exporting.graph import Scorer, exported_facts, least_samples
from audiosurvey.exporting.int8 import write_int8
from audiosurvey.exporting.litert import write_litert_int8
from audiosurvey.exporting.parity import (
    INT8_TOLERANCE,
    LENGTHS_S,
    TOLERANCE,
    BatchDifference,
    compare_batches,
    probes,
    processor_ms,
)
from audiosurvey.exporting.result import ExportResult
from audiosurvey.model.encoders.file_encoder import FileEncoder
from audiosurvey.silence import silenced
from audiosurvey.targets import check_target

MOST_WINDOWS = 256
"""Most windows used to measure the ranges of 8-bit integers."""
_NAMES: dict[Format, str] = {
    "onnx": f"ONNX, opset {OPSET}",
    "torch": "torch.export program",
    "executorch": "ExecuTorch program",
    "litert": "LiteRT (TensorFlow Lite) model",
    "coreml": "Core ML package (ML program, float32)",
}
_INT8_WRITERS: dict[Format, Callable[[Path, np.ndarray, Path], None]] = {
    "onnx": write_int8,
    "litert": write_litert_int8,
}


def export_model(
    model: Path,
    format: Format,
    output: Path | None = None,
    *,
    int8: bool = False,
    calibration: Path | None = None,
    force: bool = False,
) -> ExportResult:
    """Export the model in a folder or run, and note it in its card. `output` None: into the model folder.

    Raises UserError as `export` does, and for an `output` that must not be written.
    """
    folder = find_model(model)
    path = output or folder / f"model{'.int8' if int8 else ''}{SUFFIXES[format]}"
    check_suffix(path, format)
    if format == "coreml":
        check_package_target(path, force=force or output is None, own_folder=folder)
    else:
        check_target("output", path, force=force or output is None, own_folder=folder)
    return export(load_artefact(folder), path, format, int8=int8, calibration=calibration, card=folder / "README.md")


def export(
    model: Model,
    output: Path,
    format: Format,
    *,
    calibration: Path | None = None,
    int8: bool = False,
    card: Path | None = None,
) -> ExportResult:
    """Write `model` to `output` if the exported file gives the same scores.

    A Core ML package is run, and compared, on macOS only; elsewhere it is written without, and the result says so.
    `int8`: ONNX or LiteRT with 8-bit integers, whose ranges are measured on the sounds in the folder `calibration`
    (default: on the golden clips); `card`: README.md to which the export is added. Raises UserError, and writes
    nothing, for a network that the format does not support, a missing runtime, and scores that differ.
    """
    check_suffix(output, format)
    _refuse_encoder_file(model)
    _refuse_changed(model)
    windows_WS = _calibration_windows(model, calibration) if int8 else None
    # In the folder of the target, so that it is renamed atomically; loaders need the suffix.
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as folder:
        written = Path(folder) / f"model{output.suffix}"
        _write(model, format, windows_WS, written)
        outcome = _measure(model, format, windows_WS, written, output)
        _place(written, output)
    if card is not None and card.is_file():
        add_export(card, output.name, outcome.lines())
    return outcome


def check_suffix(output: Path, format: Format) -> None:
    """Raise UserError for a name without the suffix of this format."""
    if output.suffix != SUFFIXES[format]:
        raise ArgumentError(f"{{output}}: files of {format} end in {SUFFIXES[format]}", output=output)


def takes_one_length(model: Model, format: Format) -> bool:
    """Whether a file accepts only waves of one window.

    ExecuTorch, LiteRT and Core ML plan their memory ahead. Networks on waveforms shorten them a dozen times, and
    torch.export does not finish simplifying the resulting expression of a dynamic length.
    """
    return format in ("executorch", "litert", "coreml") or "wave" in model.config.model.hears


def _write(model: Model, format: Format, windows_WS: np.ndarray | None, path: Path) -> None:
    scorer, samples = Scorer(model), model.clip_samples
    one_length = takes_one_length(model, format)
    least = samples if one_length else least_samples(scorer, samples)
    facts = exported_facts(model, least, samples if one_length else None)
    try:
        with silenced(), naming(path):
            EXPORT_WRITERS[format](scorer, samples, facts, path)
            if windows_WS is not None:
                _INT8_WRITERS[format](path, windows_WS, path)
    except UserError:
        raise
    except OSError as error:
        if is_full(error):
            raise
        raise UserError(f"this network cannot be exported to {format}: {error.strerror or error}") from error
    # Exporters raise different exceptions for unsupported operations.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"this network cannot be exported to {format}: {reason}") from error


def _measure(model: Model, format: Format, windows_WS: np.ndarray | None, written: Path, output: Path) -> ExportResult:
    """The file run and compared; for one that this system cannot run, its size only. Raises UserError as `export`."""
    made = ExportResult(
        path=output,
        format=_NAMES[format] + ("" if windows_WS is None else f", int8 (ranges of {len(windows_WS)} windows)"),
        megabytes=_size(written) / 1e6,
        tolerance=TOLERANCE if windows_WS is None else INT8_TOLERANCE,
        clip_seconds=model.clip_samples / model.sample_rate,
        one_length=takes_one_length(model, format),
    )
    if not runs_here(written):
        return made
    exported = load_exported(written, threads=1, trust=True)
    if windows_WS is None:
        compared, same = compare_batches(model, exported, _lengths(model, exported)), None
    else:
        compared, same = _compare_windows(model, exported, windows_WS)
    ms, torch_ms = processor_ms(exported, model, probes(model)[0])
    golden = _golden(model, exported)
    outcome = replace(made, golden=golden, compared=compared, same_label=same, ms=ms, torch_ms=torch_ms)
    difference = outcome.difference
    assert difference is not None
    if not difference <= outcome.tolerance:
        raise UserError(
            f"{output}: its scores differ from the model's by {difference:.2g} (allowed: {outcome.tolerance:g}); "
            "nothing was written"
        )
    return outcome


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def _place(written: Path, output: Path) -> None:
    """Give what was written its name. A package there is moved aside first: a folder cannot be renamed onto another."""
    if not (written.is_dir() and output.is_dir()):
        written.replace(output)
        return
    before = output.rename(written.with_name("before"))
    try:
        written.rename(output)
    except OSError:
        before.rename(output)
        raise


def _refuse_encoder_file(model: Model) -> None:
    for block in model.network.blocks:
        if isinstance(block, FileEncoder):
            raise UserError(
                f"this network cannot be exported: its encoder {block.name} is run by its own runtime; use the model "
                "folder, which contains the file, with predict, serve, demo or audiosurvey.load"
            )


def _refuse_changed(model: Model) -> None:
    """Raise UserError for a model whose golden clips give other logits: it cannot verify an exported file."""
    if model.golden is None:
        return
    difference = check_golden(model)
    if not difference <= model.golden.tolerance:
        raise UserError(
            f"the model's golden clips give other logits than when it was written (difference {difference:.2g}, "
            f"allowed {model.golden.tolerance:.2g}); nothing was written"
        )


def _golden(model: Model, exported: ExportedModel) -> float | None:
    if model.golden is None:
        return None
    pairs = [(exported.scores(wave_S), model.scores(wave_S)) for wave_S in model.golden.wave_BS]
    return float(max(np.abs(given - wanted).max() for given, wanted in pairs))


def _lengths(model: Model, exported: ExportedModel) -> tuple[int, ...]:
    if exported.facts["most_samples"] is not None:
        return (model.clip_samples,)
    lengths = sorted({seconds * model.sample_rate for seconds in LENGTHS_S} | {model.clip_samples})
    return tuple(samples for samples in lengths if samples >= exported.facts["least_samples"])


def _compare_windows(
    model: Model, exported: ExportedModel, windows_WS: np.ndarray
) -> tuple[list[BatchDifference], float]:
    """The mean over windows of the largest difference of scores, and the share with the same best label."""
    pairs = [(model.scores(window_S)[0], exported.scores(window_S)[0]) for window_S in windows_WS]
    difference = float(np.mean([np.abs(wanted_K - given_K).max() for wanted_K, given_K in pairs]))
    same = float(np.mean([wanted_K.argmax() == given_K.argmax() for wanted_K, given_K in pairs]))
    return [BatchDifference(len(windows_WS), model.clip_samples / model.sample_rate, difference)], same


def _calibration_windows(model: Model, folder: Path | None) -> np.ndarray:
    """Windows (W, S) of the sounds in a folder, one for each sound, or the golden clips."""
    if folder is None:
        if model.golden is None or model.golden.made:
            text = "{int8}: this model has no golden clips; give {calibration}, a folder of sounds like the model's"
            raise ArgumentError(text, int8=True, calibration=...)
        return model.golden.wave_BS
    if not folder.is_dir():
        raise ArgumentError("{calibration}: no such folder; give one with sounds like the model's", calibration=folder)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in AUDIO_EXTENSIONS)
    if not paths:
        text = "{calibration}: no audio files found; give a folder of sounds like the model's"
        raise ArgumentError(text, calibration=folder)
    # Evenly spaced, to include all classes, which are usually folders.
    chosen = paths[:: -(-len(paths) // MOST_WINDOWS)]
    return np.stack([model.windows(model.decoded(path))[0] for path in chosen])
