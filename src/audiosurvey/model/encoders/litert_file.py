"""LiteRT (TensorFlow Lite) files as encoders, run by ai-edge-litert on the CPU.

Source of the field numbers: schema.fbs of LiteRT, and metadata_schema.fbs of TFLite Metadata.
"""

import io
import json
import struct
import threading
import zipfile
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from audiosurvey.model.encoders.flat_table import FlatTable
from audiosurvey.model.encoders.model_file import ModelFile, Run, TensorInfo, rate_in, unreadable
from audiosurvey.silence import without_output

_WHAT = "a LiteRT file"
_DAMAGED = (struct.error, IndexError, UnicodeDecodeError)
_KINDS = ("float32", "float16", "int32", "uint8", "int64", "str", "bool", "int16", "complex64", "int8", "float64")
_SUBGRAPHS, _BUFFERS, _METADATA, _SIGNATURES = 2, 4, 6, 7
_TENSORS, _INPUTS, _OUTPUTS = 0, 1, 2
_AUDIO_PROPERTIES = 4


class LiteRTFile(ModelFile):
    """The content of a LiteRT file."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        try:
            model = FlatTable.root(content)
            graph = model.tables(_SUBGRAPHS)[0]
            buffers = model.tables(_BUFFERS)
            tensors = graph.tables(_TENSORS)
            self._constant = [buffers[tensor.number(2, "<I")].vector(0)[1] > 0 for tensor in tensors]
            self._tensors = [_tensor(tensor) for tensor in tensors]
            self._inputs, self._outputs = graph.numbers(_INPUTS), graph.numbers(_OUTPUTS)
            self._first_output = graph.vector(_OUTPUTS)[0]
            self._name_outputs(model)
            self.inputs = [self._tensors[index] for index in self._inputs]
            self.outputs = [self._tensors[index] for index in self._outputs]
            self.sample_rate = _metadata_rate(model, buffers) or _archive_rate(content)
        except _DAMAGED as error:
            raise unreadable(_WHAT, error) from None
        sizes = [one.shape or () for one, constant in zip(self._tensors, self._constant, strict=True) if constant]
        self.parameters = sum(prod(size or 1 for size in shape) for shape in sizes)

    def _name_outputs(self, model: FlatTable) -> None:
        """Outputs have the names of the signature, if there is one."""
        for signature in model.tables(_SIGNATURES)[:1]:
            for output in signature.tables(1):
                index, old = output.number(1, "<I"), self._tensors[output.number(1, "<I")]
                self._tensors[index] = TensorInfo(output.text(0), old.shape, old.kind)

    def inner(self) -> Sequence[TensorInfo]:
        outer = {*self._inputs, *self._outputs}
        return [
            one
            for index, one in enumerate(self._tensors)
            if index not in outer and not self._constant[index] and one.kind == "float32"
        ]

    def runner(self, output: str, threads: int) -> Run:
        with without_output():
            from ai_edge_litert.interpreter import Interpreter  # pyright: ignore[reportMissingImports]

        index = self._index(output)
        try:
            with without_output():
                interpreter = Interpreter(model_content=self._ending_in(index), num_threads=threads)
                interpreter.allocate_tensors()
        # The interpreter raises ValueError and RuntimeError, and others for what it cannot load.
        except Exception as error:
            raise unreadable(_WHAT, error) from None
        return _Runner(interpreter, self._inputs[0], index)

    def _index(self, output: str) -> int:
        named = [index for index, one in enumerate(self._tensors) if one.name == output and not self._constant[index]]
        # The name of an output may also be that of an inner tensor.
        return next((index for index in named if index in self._outputs), named[-1])

    def _ending_in(self, index: int) -> bytes:
        """The model with the tensor among its outputs: the runtime keeps no others. An output gives way to it."""
        if index in self._outputs:
            return self._content
        at = self._first_output
        return self._content[:at] + struct.pack("<i", index) + self._content[at + 4 :]


class _Runner:
    """An interpreter, which has one set of tensors, for inputs of changing size."""

    def __init__(self, interpreter: Any, given: int, taken: int) -> None:
        self._interpreter, self._given, self._taken = interpreter, given, taken
        self._shape = tuple(interpreter.get_input_details()[0]["shape"])
        self._lock = threading.Lock()

    def __call__(self, given: np.ndarray) -> np.ndarray:
        with self._lock:
            if given.shape != self._shape:
                self._interpreter.resize_tensor_input(self._given, given.shape)
                self._interpreter.allocate_tensors()
                self._shape = given.shape
            self._interpreter.set_tensor(self._given, given)
            self._interpreter.invoke()
            return self._interpreter.get_tensor(self._taken)


def _tensor(tensor: FlatTable) -> TensorInfo:
    kind = tensor.number(1, "<b")
    shape = tensor.numbers(7) or tensor.numbers(0)
    sizes = tuple(size if size > 0 else None for size in shape)
    return TensorInfo(tensor.text(3), sizes, _KINDS[kind] if kind < len(_KINDS) else "unknown")


def _metadata_rate(model: FlatTable, buffers: Sequence[FlatTable]) -> int | None:
    """The rate in TFLite Metadata: of the content of the first input, if that is audio."""
    stored = [entry for entry in model.tables(_METADATA) if entry.text(0) == "TFLITE_METADATA"]
    if not stored:
        return None
    start, size = buffers[stored[0].number(1, "<I")].vector(0)
    try:
        (graph, *_) = FlatTable.root(model.content[start : start + size]).tables(3)
        content = graph.tables(2)[0].table(3)
        audio = content.table(1) if content and content.number(0, "<B") == _AUDIO_PROPERTIES else None
        return rate_in({"sample_rate": audio.number(0, "<I")}) if audio else None
    # Metadata only helps.
    except (*_DAMAGED, ValueError):
        return None


def _archive_rate(content: bytes) -> int | None:
    """The rate in the archive that `audiosurvey export` appends."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return rate_in(json.loads(archive.read("audiosurvey.json")))
    except (zipfile.BadZipFile, KeyError, ValueError, AttributeError):
        return None
