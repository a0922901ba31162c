"""ONNX files as encoders, run by onnxruntime on the CPU."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from audiosurvey.errors import UserError
from audiosurvey.model.encoders.model_file import ModelFile, Run, TensorInfo, rate_in, unreadable
from audiosurvey.model.encoders.onnx_external import content_is_external

_WHAT = "an ONNX file"


class OnnxFile(ModelFile):
    """The content of an ONNX file. Weights in other files are refused: the content stands alone in a model folder."""

    def __init__(self, content: bytes) -> None:
        import onnx

        try:
            external = content_is_external(content)
            self._model = onnx.load_model_from_string(content)
        # The exceptions of protobuf differ between versions.
        except Exception as error:
            raise unreadable(_WHAT, error) from None
        if not self._model.graph.node:
            raise UserError(f"cannot be read as {_WHAT} (there is no graph in it)")
        if external:
            raise UserError("loads weights from other files; write it anew with all weights in the one file")
        self._content = content
        graph = self._model.graph
        constants = {tensor.name for tensor in graph.initializer}
        # Older versions of the format list constants as inputs too.
        self.inputs = [_tensor(value) for value in graph.input if value.name not in constants]
        self.outputs = [_tensor(value) for value in graph.output]
        self.sample_rate = rate_in({entry.key: entry.value for entry in self._model.metadata_props})
        self.parameters = sum(prod(tensor.dims) for tensor in graph.initializer)

    def inner(self) -> Sequence[TensorInfo]:
        import onnx

        try:
            graph = onnx.shape_inference.infer_shapes(self._model).graph
        # Shapes are only shown: without them, names are.
        except Exception:
            graph = self._model.graph
        shapes = {value.name: _tensor(value) for value in graph.value_info}
        outputs = {one.name for one in self.outputs}
        names = [name for node in graph.node for name in node.output if name and name not in outputs]
        return [shapes.get(name, TensorInfo(name, None, "float32")) for name in names]

    def runner(self, output: str, threads: int) -> Run:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(self._ending_in(output), options, providers=["CPUExecutionProvider"])
        # The exceptions of onnxruntime have no common base.
        except Exception as error:
            raise unreadable(_WHAT, error) from None
        name, kind = self.inputs[0].name, self.inputs[0].kind

        def run(given: np.ndarray) -> np.ndarray:
            return np.asarray(session.run([output], {name: given.astype(kind, copy=False)})[0])

        return run

    def _ending_in(self, output: str) -> bytes:
        """The model with an inner tensor as its only output, so that what follows is not computed."""
        if any(one.name == output for one in self.outputs):
            return self._content
        import onnx

        changed = onnx.ModelProto()
        changed.CopyFrom(self._model)
        del changed.graph.output[:]
        changed.graph.output.append(onnx.ValueInfoProto(name=output))
        return changed.SerializeToString()


def _tensor(value: Any) -> TensorInfo:
    import onnx

    tensor = value.type.tensor_type
    try:
        kind = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    except (KeyError, TypeError):
        kind = "unknown"
    if not tensor.HasField("shape"):
        return TensorInfo(value.name, None, kind)
    sizes = tuple(
        size.dim_value if size.HasField("dim_value") and size.dim_value > 0 else None for size in tensor.shape.dim
    )
    return TensorInfo(value.name, sizes, kind)
