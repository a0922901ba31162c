"""A function for each export format that writes the graph and the facts of the model (labels, rate, ...) to one file.

ONNX       metadata properties, each value as JSON
torch      `torch.export`'s archive with the facts as an extra file; runs with torch alone
ExecuTorch the facts as the program's method `audiosurvey`; waves of one window, one at a time
LiteRT     the facts as a file in a zip archive at the end, as TFLite Metadata has them; one window at a time, too
Core ML    a folder; the facts as an entry of its metadata; one window at a time, too
"""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch

from audiosurvey.artefact.exported import FACTS
from audiosurvey.exporting.coreml import write_coreml
from audiosurvey.exporting.graph import Scorer, shortest
from audiosurvey.exporting.litert import write_litert
from audiosurvey.extras import matching_torch, require_installed

Format = Literal["onnx", "torch", "executorch", "litert", "coreml"]
SUFFIXES: dict[Format, str] = {
    "onnx": ".onnx",
    "torch": ".pt2",
    "executorch": ".pte",
    "litert": ".tflite",
    "coreml": ".mlpackage",
}
OPSET = 18
"""ONNX operator set, supported since onnxruntime 1.14."""


def write_onnx(scorer: Scorer, samples: int, facts: dict[str, Any], path: Path) -> None:
    """Input `waveform` (B, S), output `scores` (B, K). B is dynamic, and S unless the facts have `most_samples`."""
    require_installed("onnx", "onnxscript", "onnxruntime", extra="onnx")
    program = torch.onnx.export(
        _program(scorer, samples, facts),
        (),
        input_names=["waveform"],
        output_names=["scores"],
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    # Drop the positions in our source.
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    del proto.graph.value_info[:]
    free = ["batch"] if _one_length(facts) else ["batch", "samples"]
    for value, names in ((proto.graph.input[0], free), (proto.graph.output[0], ["batch"])):
        del value.metadata_props[:]
        for dimension, name in zip(value.type.tensor_type.shape.dim, names, strict=False):
            dimension.dim_param = name
    del proto.metadata_props[:]
    for name, value in facts.items():
        proto.metadata_props.add(key=name, value=json.dumps(value, ensure_ascii=False))
    path.write_bytes(proto.SerializeToString())


def write_torch(scorer: Scorer, samples: int, facts: dict[str, Any], path: Path) -> None:
    """An exported program. `torch.export.load(path).module()` takes waves (B, S) as in ONNX."""
    program = _program(scorer, samples, facts)
    network = program.module()
    if not _one_length(facts):
        # torch specialises on feature maps of one frame, so that its shortest wave is longer.
        facts = facts | {"least_samples": shortest(lambda length: network(torch.zeros(1, length)), samples)}
    program.example_inputs = None
    for node in program.graph.nodes:
        # Drop the positions in our source.
        node.meta.pop("stack_trace", None)
    archive = io.BytesIO()
    torch.export.save(program, archive, extra_files={FACTS: json.dumps(facts, ensure_ascii=False)})
    path.write_bytes(archive.getvalue())


def write_executorch(scorer: Scorer, samples: int, facts: dict[str, Any], path: Path) -> None:
    """A program for phones and embedded devices: one wave of `samples` samples, by XNNPACK where possible."""
    require_installed("executorch", extra="mobile")
    with matching_torch("executorch"):
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import (  # pyright: ignore[reportMissingImports]
            XnnpackPartitioner,
        )
        from executorch.exir import to_edge_transform_and_lower  # pyright: ignore[reportMissingImports]

    lowered = to_edge_transform_and_lower(
        torch.export.export(scorer, (torch.zeros(1, samples),)),
        partitioner=[XnnpackPartitioner()],
        constant_methods={FACTS: json.dumps(facts, ensure_ascii=False)},
    )
    path.write_bytes(lowered.to_executorch().buffer)


EXPORT_WRITERS: dict[Format, Callable[[Scorer, int, dict[str, Any], Path], None]] = {
    "onnx": write_onnx,
    "torch": write_torch,
    "executorch": write_executorch,
    "litert": write_litert,
    "coreml": write_coreml,
}


def _program(scorer: Scorer, samples: int, facts: dict[str, Any]) -> torch.export.ExportedProgram:
    free = torch.export.Dim.DYNAMIC
    # torch specialises on a batch of one and on round lengths.
    if _one_length(facts):
        return torch.export.export(scorer, (torch.zeros(2, samples),), dynamic_shapes=({0: free},))
    return torch.export.export(scorer, (torch.zeros(2, samples + 37),), dynamic_shapes=({0: free, 1: free},))


def _one_length(facts: dict[str, Any]) -> bool:
    return facts["most_samples"] is not None
