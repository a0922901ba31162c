"""Files for LiteRT (TensorFlow Lite), float and with 8-bit integers.

The facts of the model are a file in a zip archive at the end, as TFLite Metadata has them: runtimes ignore it.
"""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiosurvey.artefact.exported import LITERT_FACTS
from audiosurvey.exporting.graph import Scorer
from audiosurvey.extras import matching_torch, require_installed
from audiosurvey.silence import without_output

_INPUT = "waveform"
_SIGNATURE = "serving_default"


def write_litert(scorer: Scorer, samples: int, facts: dict[str, Any], path: Path) -> None:
    """A model with the input `waveform`, one wave of `samples` samples."""
    require_installed("litert_torch", "ai_edge_litert", extra="litert")
    with without_output():
        with matching_torch("litert-torch"):
            import litert_torch  # pyright: ignore[reportMissingImports]

        model = litert_torch.convert(scorer, sample_kwargs={_INPUT: torch.zeros(1, samples)})
        model.export(str(path))
    _append(path, json.dumps(facts, ensure_ascii=False))


def write_litert_int8(float_path: Path, windows_WS: np.ndarray, path: Path) -> None:
    """Quantise the convolutions of a file, with the extreme values over `windows_WS` as ranges.

    Depthwise convolutions and the last layer remain float, as in ONNX, and so does the front end.
    """
    require_installed("ai_edge_quantizer", extra="litert")
    with zipfile.ZipFile(float_path) as archive:
        facts = archive.read(LITERT_FACTS).decode("utf-8")
    with tempfile.TemporaryDirectory() as folder, without_output():
        from ai_edge_quantizer import qtyping, quantizer  # pyright: ignore[reportMissingImports]

        made = quantizer.Quantizer(str(float_path))
        made.add_static_config(".*", qtyping.TFLOperationName.CONV_2D, activation_num_bits=8, weight_num_bits=8)
        ranges = made.calibrate({_SIGNATURE: [{_INPUT: window_S[None]} for window_S in windows_WS]})
        target = Path(folder) / "int8.tflite"
        made.quantize(ranges).export_model(str(target))
        path.write_bytes(target.read_bytes())
    _append(path, facts)


def _append(path: Path, facts: str) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        # A fixed time: the same model gives the same file.
        archive.writestr(zipfile.ZipInfo(LITERT_FACTS, (1980, 1, 1, 0, 0, 0)), facts, zipfile.ZIP_DEFLATED)
