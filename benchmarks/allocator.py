"""Training steps on the CPU, with freed memory kept (as `train` does) or returned to the system (glibc's default).

    python benchmarks/allocator.py [NAME ...] [--steps 5] [--rounds 3] [--batch-size 16]

Each measurement runs in its own process: full training steps (mel, forward, backward, AdamW) on random clips of 5 s,
after two warm-up steps. The two modes alternate for `--rounds` rounds. Reported are the ratio of the milliseconds per
clip and step, with its range, and the proportion of CPU time spent in the kernel.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

NAMES = ("small", "base", "mn04", "erann-0-1")


def run(name: str, steps: int, batch_size: int, keep: bool) -> dict[str, float]:
    from audiosurvey.allocator import keep_freed_memory
    from steps import training_step

    if keep:
        keep_freed_memory()
    _, step = training_step(name, batch_size=batch_size)
    for _ in range(2):
        step()
    before, started = os.times(), time.perf_counter()
    for _ in range(steps):
        step()
    taken, after = time.perf_counter() - started, os.times()
    kernel, user = after.system - before.system, after.user - before.user
    return {"ms": 1000 * taken / steps / batch_size, "kernel": kernel / (kernel + user)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--one", choices=("kept", "given back"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run(arguments.names[0], arguments.steps, arguments.batch_size, arguments.one == "kept")))
        return
    options = [f"--steps={arguments.steps}", f"--batch-size={arguments.batch_size}"]
    for name in arguments.names:
        found: dict[str, list[dict[str, float]]] = {"given back": [], "kept": []}
        for _ in range(arguments.rounds):
            for way, measured in found.items():
                command = [sys.executable, __file__, name, *options, "--one", way]
                printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                measured.append(json.loads(printed.splitlines()[-1]))
        ratios = [slow["ms"] / fast["ms"] for slow, fast in zip(found["given back"], found["kept"], strict=True)]
        ways = "; ".join(
            f"{way} {statistics.median(one['ms'] for one in measured):.1f} ms a clip and step, "
            f"{statistics.median(one['kernel'] for one in measured):.0%} in the kernel"
            for way, measured in found.items()
        )
        print(
            f"{name}: {statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f}); {ways}",
            flush=True,
        )


if __name__ == "__main__":
    main()
