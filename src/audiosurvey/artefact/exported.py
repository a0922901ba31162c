"""Exported files as classifiers: .onnx, .pt2 and .pte give labels and scores as the model that they were made from.

What a file says of itself (labels, rate, windows) stands inside it, so the file alone is enough. A runner is what
computes: waves (B, S) float32 in, scores (B, K) float32 out.
"""

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.arrays import waves_of
from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.extras import fitting, needed
from audiosurvey.artefact.onnx_external import has_external_data
from audiosurvey.errors import UserError

Runner = Callable[[np.ndarray], np.ndarray]
_NEEDED = ("labels", "sample_rate", "clip_samples", "pad", "mono", "least_samples")
FACTS = "audiosurvey"
"""Where the facts stand in files that hold them as one text; ONNX has a property for each."""


class Exported(Classifier):
    """A model in one file, run by onnxruntime, torch or ExecuTorch."""

    def __init__(self, facts: dict[str, Any], run: Runner) -> None:
        activation = facts.get("activation")
        super().__init__(facts, binary=None if activation is None else activation == "sigmoid")
        self._run = run
        self._least: int = facts["least_samples"]
        self._most: int | None = facts["most_samples"]

    def scores(self, wave: Any) -> np.ndarray:
        """Calibrated probabilities (B, K) of waves (S) or (B, S) at `sample_rate`; the whole input is one window.

        Raises UserError for waves of another shape, that are not numbers, or of a length that the file cannot take.
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


def load_exported(path: Path, *, threads: int | None = None, trust: bool = False) -> Exported:
    """Load an exported file. `threads`: for onnxruntime, all processors if None.

    `trust`: also open a .pt2 file. Its loader unpickles data and evaluates expressions from the file, so it can run
    any code that the author of the file put there.

    Raises UserError for a .pt2 file that is not trusted, a missing, damaged or foreign file, or a missing runtime.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected one that 'audiosurvey export' wrote")
    if path.suffix == ".pt2" and not trust:
        raise UserError(
            f"{path}: opening a .pt2 file can run code that its author put into it; use the model folder or an ONNX "
            "file instead, or, if you trust the author, give --trust (in Python: trust=True)"
        )
    return _OPENERS[path.suffix](path, threads)


def is_exported(path: Path) -> bool:
    """Whether a path is named as exported files are."""
    return path.suffix in _OPENERS


def _onnx(path: Path, threads: int | None) -> Exported:
    needed("onnxruntime", extra="onnx")
    import onnxruntime

    try:
        external = has_external_data(path)
    except ValueError as error:
        raise _unreadable(path, "an ONNX file", error) from error
    if external:
        raise UserError(f"{path}: takes weights from other files, which is not allowed; export the model again")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    # onnxruntime's exceptions have no base of their own.
    except Exception as error:
        raise _unreadable(path, "an ONNX file", error) from error
    properties = session.get_modelmeta().custom_metadata_map
    facts = _facts(path, {name: properties.get(name) for name in properties})
    return Exported(facts, lambda wave_BS: np.asarray(session.run(["scores"], {"waveform": wave_BS})[0]))


def _torch(path: Path, threads: int | None) -> Exported:
    import torch

    said = {FACTS: ""}
    try:
        # Of a damaged file torch itself says at length what the exception says.
        with quiet():
            program = torch.export.load(path, extra_files=said)
        network = program.module()
    except Exception as error:
        raise _unreadable(path, "an exported program of torch", error) from error

    def run(wave_BS: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.from_numpy(wave_BS)).numpy()

    return Exported(_facts(path, _texts(said[FACTS])), run)


def _executorch(path: Path, threads: int | None) -> Exported:
    needed("executorch", extra="mobile")
    import torch

    with fitting("executorch"):
        from executorch.runtime import Runtime  # pyright: ignore[reportMissingImports]

    try:
        program = Runtime.get().load_program(path)
        forward = program.load_method("forward")
        said = program.load_method(FACTS).execute([])[0] if FACTS in program.method_names else ""
    except Exception as error:
        raise _unreadable(path, "an ExecuTorch program", error) from error

    def run(wave_BS: np.ndarray) -> np.ndarray:
        return np.concatenate([forward.execute([torch.from_numpy(row[None])])[0].numpy() for row in wave_BS])

    return Exported(_facts(path, _texts(said)), run)


_OPENERS: dict[str, Callable[[Path, int | None], Exported]] = {".onnx": _onnx, ".pt2": _torch, ".pte": _executorch}


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps to themselves what torch and exporters say of torchvision, which nobody asked for, of their own old ways,
    and of files that they cannot read."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _texts(facts: str) -> dict[str, str]:
    """The facts of one text, each as JSON again, as ONNX holds them."""
    try:
        return {name: json.dumps(value) for name, value in json.loads(facts).items()}
    except (ValueError, AttributeError):
        return {}


def _facts(path: Path, texts: dict[str, str]) -> dict[str, Any]:
    try:
        facts = {name: json.loads(text) for name, text in texts.items()}
    except ValueError:
        facts = {}
    if any(name not in facts for name in _NEEDED):
        raise UserError(f"{path}: does not say what it hears; only files that 'audiosurvey export' wrote can be used")
    return facts


def _unreadable(path: Path, what: str, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:120]
    return UserError(f"{path}: cannot be read as {what} ({reason or type(error).__name__})")
