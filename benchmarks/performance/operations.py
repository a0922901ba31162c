"""Which operations take the time of a training step, as a Markdown table: shares of one thread, by `torch.profiler`.

    python benchmarks/performance/operations.py [PRESET ...]

The presets are `tiny` and `small` by default; batches of 16 clips of 5 s, fp32.
"""

import sys
from collections import defaultdict

import torch
from step import prepared, stepping
from torch.profiler import ProfilerActivity, profile

from audiosurvey.training.allocator import keep_freed_memory

STEPS = 10
KINDS = {
    "convolutions, backward": ("aten::convolution_backward",),
    "convolutions, forward": ("aten::mkldnn_convolution",),
    "gradient of the spectrogram": ("aten::_convolution", "_InputGradientBackward"),
    "batch norms, backward": ("aten::native_batch_norm_backward",),
    "batch norms, forward": ("aten::native_batch_norm",),
    "activations, both": ("aten::clamp_min", "aten::threshold_backward"),
    "average pooling, both, with zeroed gradients": ("aten::avg_pool2d", "aten::avg_pool2d_backward", "aten::fill_"),
    "additions": ("aten::add", "aten::add_"),
    "copies": ("aten::copy_",),
}


def shares(name: str) -> dict[str, float]:
    """Per cent of the processor time of a step, by kind of operation."""
    step = stepping(*prepared(name), "fp32")
    for _ in range(3):
        step()
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for _ in range(STEPS):
            step()
    kinds = {operation: kind for kind, operations in KINDS.items() for operation in operations}
    taken: dict[str, float] = defaultdict(float)
    for event in watched.key_averages():
        taken[kinds.get(event.key, "all else, such as AdamW")] += event.self_cpu_time_total
    total = sum(taken.values())
    return {kind: 100 * time / total for kind, time in taken.items()}


def main() -> None:
    torch.set_num_threads(1)
    keep_freed_memory()
    names = sys.argv[1:] or ["tiny", "small"]
    found = [shares(name) for name in names]
    print(f"| operation | {' | '.join(f'`{name}`' for name in names)} |", "|---" * (len(names) + 1) + "|", sep="\n")
    for kind in [*KINDS, "all else, such as AdamW"]:
        print(f"| {kind} | {' | '.join(f'{one.get(kind, 0):.0f} %' for one in found)} |")


if __name__ == "__main__":
    main()
