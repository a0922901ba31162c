"""Core ML packages (ML programs in float32), for apps on iOS and macOS.

A package is a folder. The facts of the model are an entry of its metadata, as JSON.
"""

import json
from pathlib import Path
from typing import Any

import torch

from audiosurvey.artefact.exported import FACTS
from audiosurvey.errors import ArgumentError
from audiosurvey.exporting.graph import Scorer
from audiosurvey.extras import matching_torch, require_installed
from audiosurvey.silence import without_output
from audiosurvey.targets import check_target, holder_of

_PARTS = {"Data", "Manifest.json"}
"""All that a package consists of."""
_ATEN = torch.ops.aten
_DECOMPOSED = (
    *(_ATEN.lerp.Scalar, _ATEN.lerp.Tensor),
    *(_ATEN.where.Scalar, _ATEN.where.ScalarSelf, _ATEN.where.ScalarOther),
)
"""Operations that coremltools 9 does not convert; it converts those that they consist of."""
_DEBUGGING = "executorch_debug_handle_mapping.json"


def write_coreml(scorer: Scorer, samples: int, facts: dict[str, Any], path: Path) -> None:
    """A package with the input `waveform`, one wave of `samples` samples, and the output `scores`; iOS 16, macOS 13."""
    require_installed("coremltools", extra="coreml")
    program = _program(scorer, samples)
    with without_output():
        with matching_torch("coremltools"):
            import coremltools  # pyright: ignore[reportMissingImports]

        package: Any = coremltools.convert(
            program,
            inputs=[coremltools.TensorType(name="waveform", shape=(1, samples))],
            outputs=[coremltools.TensorType(name="scores")],
            convert_to="mlprogram",
            # In half precision the power of a spectrogram overflows, and its logarithm loses quiet sounds.
            compute_precision=coremltools.precision.FLOAT32,
            minimum_deployment_target=coremltools.target.iOS16,
            skip_model_load=True,
        )
        package.short_description = f"Sound classifier: {len(facts['labels'])} classes"
        package.input_description["waveform"] = f"{samples} samples at {facts['sample_rate']} Hz, full scale 1"
        package.output_description["scores"] = "A score per class, in the order of the labels in the metadata"
        package.user_defined_metadata[FACTS] = json.dumps(facts, ensure_ascii=False)
        package.save(str(path))
    (path / _DEBUGGING).unlink(missing_ok=True)


def check_package_target(path: Path, *, force: bool, own_folder: Path) -> None:
    """Raise UserError if a package must not be written to `path`; as `check_target` does, but for a folder.

    A folder is replaced only if it is a package, and with `force`.
    """
    if path.is_dir():
        if holder := holder_of(path, own_folder):
            text = f"{{output}}: lies in {holder[1]} {holder[0]}; give a path outside of it"
            raise ArgumentError(text, output=path)
        if {entry.name for entry in path.iterdir()} - _PARTS:
            text = "{output}: holds more than a Core ML package, and would be replaced; give another name"
            raise ArgumentError(text, output=path)
        if not force:
            text = "{output}: already exists; give another name, or {force} to overwrite it"
            raise ArgumentError(text, output=path, force=True)
    elif path.exists():
        raise ArgumentError("{output}: is a file, but a Core ML package is a folder; give another name", output=path)
    else:
        check_target("output", path, own_folder=own_folder)


def _program(scorer: Scorer, samples: int) -> torch.export.ExportedProgram:
    """An exported program of operations that coremltools 9 converts."""
    known = torch.export.default_decompositions()
    table: dict[Any, Any] = {operation: known[operation] for operation in _DECOMPOSED}
    table[_ATEN.reciprocal.default] = _reciprocal
    program = torch.export.export(scorer, (torch.zeros(1, samples),)).run_decompositions(table)
    # Another name for the same tensor.
    for node in list(program.graph.nodes):
        if node.target is _ATEN.alias.default:
            node.replace_all_uses_with(node.args[0])
            program.graph.erase_node(node)
    return program


def _reciprocal(x: torch.Tensor) -> torch.Tensor:
    """1 / x as a division: coremltools 9 converts a reciprocal to 1 / (x + 1e-4)."""
    return torch.ones_like(x) / x
