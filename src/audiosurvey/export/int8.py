"""8-bit integers in place of floats: an ONNX file a third the size, its ranges measured on real sounds.

Quantised are the weights and inputs of convolutions and of linear layers, in ONNX's form of pairs of quantise and
dequantise nodes, weights by output channel. Float stay: the front end, whose range is that of sound itself; the first
convolution, which hears it; convolutions a channel by itself, which have few weights and whose ranges differ most (they
alone double the error of a MobileNet); and the last layer, which is the classes.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.artefact.extras import needed


def write_int8(float_path: Path, windows_WS: np.ndarray, path: Path) -> None:
    """`float_path`, an ONNX file of ours, quantised; ranges are the extremes met in `windows_WS`."""
    needed("onnx", "onnxruntime", extra="onnx")
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    whole = onnx.load(str(float_path))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            str(float_path),
            str(target),
            _Windows(windows_WS),  # pyright: ignore[reportArgumentType]: asks for get_next, which it has
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            nodes_to_quantize=_quantised(whole.graph.node),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        small = onnx.load(str(target))
    del small.graph.value_info[:]
    # The quantiser has put a word of its own in place of what the file says of itself.
    del small.metadata_props[:]
    small.metadata_props.extend(whole.metadata_props)
    path.write_bytes(small.SerializeToString())


def _quantised(nodes: Any) -> list[str]:
    convolutions = [node for node in nodes if node.op_type == "Conv"][1:]
    linear = [node for node in nodes if node.op_type == "Gemm"][:-1]
    return [node.name for node in convolutions if _groups(node) == 1] + [node.name for node in linear]


def _groups(convolution: Any) -> int:
    return next((attribute.i for attribute in convolution.attribute if attribute.name == "group"), 1)


class _Windows:
    """What the quantiser asks for the next input, until there is none."""

    def __init__(self, windows_WS: np.ndarray) -> None:
        self._windows: Iterator[np.ndarray] = iter(windows_WS)

    def get_next(self) -> dict[str, np.ndarray] | None:
        window_S = next(self._windows, None)
        return None if window_S is None else {"waveform": window_S[None]}
