"""Static quantisation of an ONNX file to 8-bit integers, to a third of the size.

Weights (per output channel) and inputs of convolutions and linear layers are quantised, as QDQ nodes. The front end,
the first convolution, depthwise convolutions and the last layer remain float: depthwise convolutions have few weights
and very different ranges (they alone double the error of a MobileNet).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from audiosurvey.extras import require_installed


def write_int8(float_path: Path, windows_WS: np.ndarray, path: Path) -> None:
    """Quantise `float_path`, an exported ONNX file, with the extreme values over `windows_WS` as ranges."""
    require_installed("onnx", "onnxruntime", extra="onnx")
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    whole = onnx.load(str(float_path))
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_static(
            str(float_path),
            str(target),
            _CalibrationReader(windows_WS),  # pyright: ignore[reportArgumentType]: asks for get_next, which it has
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            nodes_to_quantize=_quantised(whole.graph.node),
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        small = onnx.load(str(target))
    del small.graph.value_info[:]
    # The quantiser replaces the metadata.
    del small.metadata_props[:]
    small.metadata_props.extend(whole.metadata_props)
    path.write_bytes(small.SerializeToString())


def _quantised(nodes: Any) -> list[str]:
    convolutions = [node for node in nodes if node.op_type == "Conv"][1:]
    linear = [node for node in nodes if node.op_type == "Gemm"][:-1]
    return [node.name for node in convolutions if _groups(node) == 1] + [node.name for node in linear]


def _groups(convolution: Any) -> int:
    return next((attribute.i for attribute in convolution.attribute if attribute.name == "group"), 1)


class _CalibrationReader:
    """The inputs for the quantiser."""

    def __init__(self, windows_WS: np.ndarray) -> None:
        self._windows: Iterator[np.ndarray] = iter(windows_WS)

    def get_next(self) -> dict[str, np.ndarray] | None:
        window_S = next(self._windows, None)
        return None if window_S is None else {"waveform": window_S[None]}
