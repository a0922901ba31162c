"""Inference time per clip on one core: the preset `small` in torch, as ONNX, and as ONNX with 8-bit integers.

    python benchmarks/inference.py [--preset small] [--rounds 40]

The clip is 5 s from a 16-bit WAV at the model's sample rate. Decoding, windowing and the front end are included, and
the file is read anew each time. The three alternate. Reported are medians over rounds of CPU time, and of wall time,
which is longer on a busy machine. The network is untrained, which does not affect the speed.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import soundfile
import torch

from audiosurvey.artefact.classifier import Classifier
from audiosurvey.artefact.exported import load_exported
from audiosurvey.artefact.folder import Model
from audiosurvey.config.loader import load_config
from audiosurvey.data.splits.provenance import Provenance
from audiosurvey.export.export import export
from audiosurvey.model.network import build_network

CLASSES, SECONDS = 50, 5


def untrained(preset: str) -> Model:
    config = load_config(preset, ()).config.resolved()
    network = build_network(
        config.model,
        input_shape=config.input_shape,
        classes=CLASSES,
        seed=0,
        standardize=config.mel_spectrogram.standardize,
    )
    facts = {
        "labels": [f"class {number}" for number in range(CLASSES)],
        "sample_rate": config.sample_rate,
        "clip_samples": config.clip_samples,
        "pad": config.dataset.pad,
        "mono": config.dataset.mono,
        "multi_label": False,
    }
    return Model(config, facts, network.state_dict(), Provenance({}))


def milliseconds(call: Callable[[], object]) -> tuple[float, float]:
    processor, clock = time.process_time(), time.perf_counter()
    call()
    return (time.process_time() - processor) * 1e3, (time.perf_counter() - clock) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model = untrained(options.preset)
    with tempfile.TemporaryDirectory() as folder:
        wav = Path(folder) / "clip.wav"
        noise_S = 0.1 * np.random.default_rng(0).standard_normal(SECONDS * model.sample_rate)
        soundfile.write(wav, noise_S, model.sample_rate, subtype="PCM_16")
        export(model, Path(folder) / "model.onnx", "onnx")
        export(model, Path(folder) / "model.int8.onnx", "onnx", int8=True, calibration=Path(folder))
        ways: dict[str, Classifier] = {
            "torch": model,
            "ONNX": load_exported(Path(folder) / "model.onnx", threads=1),
            "int8 ONNX": load_exported(Path(folder) / "model.int8.onnx", threads=1),
        }
        for way in ways.values():
            way.predict(wav)
        rounds = [
            {name: milliseconds(partial(way.predict, wav)) for name, way in ways.items()} for _ in range(options.rounds)
        ]
    print(f"{options.preset}, a clip of {SECONDS} s, one core: median of {options.rounds} rounds")
    for name in ways:
        processor, clock = (statistics.median(one[name][place] for one in rounds) for place in (0, 1))
        print(
            f"{name:10} {processor:6.2f} ms of the processor, {SECONDS * 1e3 / processor:5.0f} times faster than real "
            f"time; {clock:6.2f} ms on the clock, {SECONDS * 1e3 / clock:5.0f} times"
        )


if __name__ == "__main__":
    main()
