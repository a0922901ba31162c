"""Peak memory of training with and without gradient checkpointing, above weights, gradients and optimizer state.

    python benchmarks/checkpointing.py [--model cnn14] [--batch-size 32] [--steps 3] [--seconds 5] [--precision fp32]

Each mode runs in its own process: full training steps (mel, forward, backward, AdamW) on random sound. The resident
memory is sampled every few milliseconds; environment variables of glibc make the allocator return freed memory at once,
so that resident memory is memory in use. Reported is the peak, minus the memory before the network was built, minus
weights, gradients and optimizer state. `--steps 200 --seconds 0.35` shows whether memory stays constant; `--only with`
runs one of the two modes.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

import psutil

_GIVES_BACK = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "131072"}


def run(arguments: argparse.Namespace) -> dict[str, float]:
    # Import torch first, so that its memory is not counted as the network's.
    from steps import training_step

    process = psutil.Process()
    before = process.memory_info().rss
    network, step = training_step(
        arguments.model,
        batch_size=arguments.batch_size,
        seconds=arguments.seconds,
        checkpoint=arguments.checkpoint,
        precision=arguments.precision,
    )
    sampler = Sampler(process)
    peaks, started = [], time.perf_counter()
    for _ in range(arguments.steps):
        sampler.peak = 0
        step()
        peaks.append(sampler.peak)
    seconds = (time.perf_counter() - started) / arguments.steps
    sampler.stop()
    weights = sum(p.numel() * p.element_size() for p in network.parameters())
    # Gradients and the two moments of AdamW each have the size of the weights.
    fixed = before + 4 * weights
    # The first step has no optimizer state yet.
    above = [peak - fixed for peak in peaks[1:] or peaks]
    half = max(1, len(above) // 2)
    return {
        "peak_above_gb": max(above) / 1e9,
        "first_half_gb": max(above[:half]) / 1e9,
        "second_half_gb": max(above[-half:]) / 1e9,
        "seconds_a_step": seconds,
    }


class Sampler:
    """The greatest resident memory since `peak` was last set to 0."""

    def __init__(self, process: psutil.Process) -> None:
        self.process, self.peak, self._running = process, 0, True
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._running = False
        self._thread.join()

    def _watch(self) -> None:
        while self._running:
            self.peak = max(self.peak, self.process.memory_info().rss)
            time.sleep(0.003)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="cnn14")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--only", choices=("with", "without"))
    parser.add_argument("--checkpoint", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run(arguments)))
        return
    found = {}
    for name, words in (("without", []), ("with", ["--checkpoint"])):
        if arguments.only not in (None, name):
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--one", *words]
        printed = subprocess.run(
            command, check=True, capture_output=True, text=True, env=os.environ | _GIVES_BACK
        ).stdout
        found[name] = json.loads(printed.splitlines()[-1])
        print(
            f"{name}: {found[name]['peak_above_gb']:.2f} GB above weights, gradients and optimizer state; "
            f"first half of the steps {found[name]['first_half_gb']:.2f}, second {found[name]['second_half_gb']:.2f}; "
            f"{found[name]['seconds_a_step']:.1f} s a step",
            flush=True,
        )
    if len(found) == 2:
        print(f"{found['without']['peak_above_gb'] / found['with']['peak_above_gb']:.2f} times less with checkpointing")


if __name__ == "__main__":
    main()
