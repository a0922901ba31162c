"""Exported files (.onnx, .pt2, .pte, .tflite, .mlpackage) as classifiers: the labels and scores of the original model.

Labels, sample rate and windows are stored in the file, so that the file alone is enough.
"""

import json
import platform
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.arrays import waves_of
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.extras import matching_torch, require_installed
from audiosurvey.model.encoders.onnx_external import has_external_data
from audiosurvey.silence import silenced, without_output

Runner = Callable[[np.ndarray], np.ndarray]
"""float32 waves (B, S) to scores (B, K)."""
_REQUIRED = ("labels", "sample_rate", "clip_samples", "pad", "mono", "least_samples")
FACTS = "audiosurvey"
"""Name of the facts in files that store them as one text; ONNX has a property for each."""
LITERT_FACTS = f"{FACTS}.json"
"""Name of the facts in the archive at the end of a .tflite file."""
CORE_ML = ".mlpackage"
"""Suffix of Core ML packages, which are folders."""
SUFFIXES = (".onnx", ".pt2", ".pte", ".tflite", CORE_ML)


class ExportedModel(Classifier):
    """A model in one file, run by onnxruntime, torch, ExecuTorch, LiteRT or Core ML."""

    def __init__(self, facts: dict[str, Any], run: Runner) -> None:
        activation = facts.get("activation")
        super().__init__(facts, binary=None if activation is None else activation == "sigmoid")
        self._run = run
        self._least: int = facts["least_samples"]
        self._most: int | None = facts["most_samples"]

    def scores(self, wave: Any) -> np.ndarray:
        """Calibrated probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window.

        Raises UserError for waves of another shape, that are not finite, or of a length that the file does not accept.
        """
        wave_BS = waves_of(wave, self.facts["mono"])
        samples = wave_BS.shape[1]
        if self._most is not None and not self._least <= samples <= self._most:
            raise UserError(f"a wave of {samples} samples: this file takes windows of {self._most} samples only")
        if samples < self._least:
            raise UserError(
                f"a wave of {samples} samples is too short for this network, which needs {self._least}; pad it to "
                f"{self.clip_samples / self.sample_rate:g} s, as predict does"
            )
        return self._run(np.ascontiguousarray(wave_BS))


def load_exported(path: Path, *, threads: int | None = None, trust: bool = False) -> ExportedModel:
    """Load an exported file. `threads`: for onnxruntime and LiteRT, None: as many as they choose.

    `trust`: also open a .pt2 file. Its loader unpickles data and evaluates expressions from the file, so that it can
    run any code of its author.

    Raises UserError for a .pt2 file without `trust`, a missing, damaged or foreign file, and a missing runtime.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file; expected one written by 'audiosurvey export'")
    if path.suffix == ".pt2" and not trust:
        raise ArgumentError(
            f"{path}: opening a .pt2 file can run code of its author; use the model folder or an ONNX file instead, "
            "or give {trust} if you trust the author",
            trust=True,
        )
    openers = {".onnx": _open_onnx, ".pt2": _open_torch, ".pte": _open_executorch, ".tflite": _open_litert}
    openers[CORE_ML] = _open_coreml
    facts, run = openers[path.suffix](path, threads)
    if any(name not in facts for name in _REQUIRED):
        raise UserError(f"{path}: contains no labels; only files written by 'audiosurvey export' can be used")
    return ExportedModel(facts, run)


def is_exported(path: Path) -> bool:
    """Whether a path has the suffix of an exported file; of folders, only Core ML packages have."""
    return path.suffix in SUFFIXES and (path.suffix == CORE_ML or not path.is_dir())


def runs_here(path: Path) -> bool:
    """Whether this system has a runtime for an exported file: Core ML is part of macOS, the others run anywhere."""
    return path.suffix != CORE_ML or platform.system() == "Darwin"


def _open_onnx(path: Path, threads: int | None) -> tuple[dict[str, Any], Runner]:
    require_installed("onnxruntime", extra="onnx")
    import onnxruntime

    try:
        external = has_external_data(path)
    except ValueError as error:
        raise _unreadable(path, "an ONNX file", error) from error
    if external:
        raise UserError(f"{path}: loads weights from other files, which is not allowed; export the model again")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # The exceptions of onnxruntime have no common base.
    except Exception as error:
        raise _unreadable(path, "an ONNX file", error) from error
    properties = session.get_modelmeta().custom_metadata_map
    try:
        facts = {name: json.loads(text) for name, text in properties.items()}
    except ValueError:
        facts = {}
    return facts, lambda wave_BS: np.asarray(session.run(["scores"], {"waveform": wave_BS})[0])


def _open_torch(path: Path, threads: int | None) -> tuple[dict[str, Any], Runner]:
    import torch

    extra = {FACTS: ""}
    try:
        # For a damaged file torch logs what the exception says.
        with silenced():
            program = torch.export.load(path, extra_files=extra)
        network = program.module()
    except Exception as error:
        raise _unreadable(path, "an exported program of torch", error) from error

    def run(wave_BS: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(wave_BS)).numpy()

    return _parse(extra[FACTS]), run


def _open_executorch(path: Path, threads: int | None) -> tuple[dict[str, Any], Runner]:
    require_installed("executorch", extra="mobile")
    import torch

    with matching_torch("executorch"):
        from executorch.runtime import Runtime  # pyright: ignore[reportMissingImports]

    try:
        program = Runtime.get().load_program(path)
        forward = program.load_method("forward")
        text = program.load_method(FACTS).execute([])[0] if FACTS in program.method_names else ""
    except Exception as error:
        raise _unreadable(path, "an ExecuTorch program", error) from error
    lock = threading.Lock()

    def run(wave_BS: np.ndarray) -> np.ndarray:
        # The method has one set of buffers.
        with lock:
            return np.concatenate([forward.execute([torch.from_numpy(row[None])])[0].numpy() for row in wave_BS])

    return _parse(text), run


def _open_litert(path: Path, threads: int | None) -> tuple[dict[str, Any], Runner]:
    require_installed("ai_edge_litert", extra="litert")
    with without_output():
        from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

    try:
        with without_output():
            interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads)
            runner = interpreter.get_signature_runner()
            names = runner.get_input_details()
            # The runtime prints what it uses when it runs first.
            runner(**{name: np.zeros(about["shape"], np.float32) for name, about in names.items()})
        with zipfile.ZipFile(path) as archive:
            text = archive.read(LITERT_FACTS).decode("utf-8")
    except (zipfile.BadZipFile, KeyError):
        text, names, runner = "", {}, None
    except Exception as error:
        raise _unreadable(path, "a LiteRT model", error) from error
    lock = threading.Lock()

    def run(wave_BS: np.ndarray) -> np.ndarray:
        assert runner is not None
        (name,) = names
        # The interpreter has one set of buffers.
        with lock:
            return np.concatenate([next(iter(runner(**{name: row[None]}).values())).copy() for row in wave_BS])

    return _parse(text), run


def _open_coreml(path: Path, threads: int | None) -> tuple[dict[str, Any], Runner]:
    if not runs_here(path):
        text = "Core ML runs on macOS only; give the model folder, or an .onnx or .tflite file of the model"
        raise UserError(f"{path}: {text}")
    require_installed("coremltools", extra="coreml")
    with without_output():
        import coremltools  # pyright: ignore[reportMissingImports]

    try:
        with without_output():
            # The processor computes in float32, as the file says; other units may round.
            package = coremltools.models.MLModel(str(path), compute_units=coremltools.ComputeUnit.CPU_ONLY)
        text = dict(package.user_defined_metadata).get(FACTS, "")
    except Exception as error:
        raise _unreadable(path, "a Core ML package", error) from error

    def run(wave_BS: np.ndarray) -> np.ndarray:
        return np.concatenate([package.predict({"waveform": row[None]})["scores"] for row in wave_BS])

    return _parse(text), run


def _parse(text: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _unreadable(path: Path, what: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:120]
    return UserError(f"{path}: cannot be read as {what} ({reason or type(error).__name__})")
