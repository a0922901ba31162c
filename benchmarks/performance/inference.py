"""Inference per clip on one thread: the preset `small` in torch, as ONNX, and as ONNX with 8-bit integers.

The clip is 5 s from a 16-bit WAV at the model's sample rate. Decoding, windowing and the front end are included, and
the file is read anew each time. Processor time; the network is untrained, which does not affect the speed.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
from rounds import Row, alternate, compared

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import Model
from audiosurvey.config.loader import load_config
from audiosurvey.config.network import network_of
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.exporting.export import export

CLASSES, SECONDS = 50, 5


def untrained(preset: str) -> Model:
    config = load_config(preset, ()).config.resolved()
    facts = {
        "labels": [f"class {number}" for number in range(CLASSES)],
        "sample_rate": config.sample_rate,
        "clip_samples": config.clip_samples,
        "pad": config.dataset.pad,
        "mono": config.dataset.mono,
        "multi_label": False,
    }
    return Model(config, facts, network_of(config, CLASSES).state_dict(), Provenance({}))


def measure() -> list[Row]:
    model = untrained("small")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wav = folder / "clip.wav"
        noise_S = 0.1 * np.random.default_rng(0).standard_normal(SECONDS * model.sample_rate)
        soundfile.write(wav, noise_S, model.sample_rate, subtype="PCM_16")
        export(model, folder / "model.onnx", "onnx")
        export(model, folder / "model.int8.onnx", "onnx", int8=True, calibration=folder)
        ways: dict[str, Classifier] = {
            "torch": model,
            "ONNX": load_exported(folder / "model.onnx", threads=1),
            "int8 ONNX": load_exported(folder / "model.int8.onnx", threads=1),
        }
        taken = alternate(
            {name: partial(way.predict, wav) for name, way in ways.items()}, rounds=40, clock=time.process_time
        )
    return compared(f"`small` in torch, a clip of {SECONDS} s, decoding included", taken)
