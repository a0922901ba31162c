"""What takes the time of a stage, as Markdown tables for the section "What holds each stage back" of the page.

    python benchmarks/performance/profiles.py [steps] [spectra] [epoch] [threads]

steps: operations of a training step of `tiny` and `small`, fp32. spectra: operations of the chain of six with mel, of
mel alone, and of a plain pipeline with torch.stft. Both are shares of one thread, by `torch.profiler`. epoch: the
training epoch of the page, its steps alone, and its data alone. threads: a step of `small` with one and two threads,
on a quiet machine and beside a busy process. All of them by default.
"""

import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from audiosurvey.cli.waiting import wait_without_spinning

# As the command line does, before torch is loaded.
wait_without_spinning(os.environ)

import epoch  # noqa: E402
import torch  # noqa: E402
from augmentation import SIX  # noqa: E402
from busy import busy  # noqa: E402
from clips import MEL, RATE, Augmented, rooms, waves  # noqa: E402
from mel import by_stft  # noqa: E402
from rounds import alternate  # noqa: E402
from step import prepared, stepping  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402

from audiosurvey.allocator import keep_freed_memory  # noqa: E402
from audiosurvey.features.mel import MelFrontEnd  # noqa: E402
from audiosurvey.model.blocks.inputs import laid_out  # noqa: E402

CALLS = 10
STEP = {
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
STEP_REST = "all else, such as AdamW"
SPECTRA = {
    "Fourier transforms": ("aten::_fft_r2c", "aten::_fft_c2r", "aten::_fft_c2c"),
    "matrix products": ("aten::mm", "aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm"),
    "products, sums and powers of whole arrays": (
        *(
            "aten::mul",
            "aten::mul_",
            "aten::addcmul",
            "aten::add",
            "aten::add_",
            "aten::sub",
            "aten::pow",
            "aten::pow_",
        ),
        *(
            "aten::linalg_vector_norm",
            "aten::abs",
            "aten::square",
            "aten::sum",
            "aten::maximum",
            "aten::where",
        ),
    ),
    "logarithms and bounds": ("aten::log10", "aten::log", "aten::clamp", "aten::clamp_min", "aten::clamp_min_"),
    "copies": (
        *("aten::copy_", "aten::cat", "aten::index_select", "aten::index_copy_", "aten::gather", "aten::fill_"),
        *("aten::constant_pad_nd", "aten::reflection_pad1d", "aten::_index_put_impl_"),
    ),
}
SPECTRA_REST = "calls, views and all else"


def shares(call: Callable[[], object], kinds: Mapping[str, tuple[str, ...]], rest: str) -> dict[str, float]:
    """Per cent of the time of a call, by kind of operation."""
    for _ in range(3):
        call()
    with profile(activities=[ProfilerActivity.CPU]) as watched:
        for _ in range(CALLS):
            call()
    kind_of = {operation: kind for kind, operations in kinds.items() for operation in operations}
    taken: dict[str, float] = defaultdict(float)
    for event in watched.key_averages():
        taken[kind_of.get(event.key, rest)] += event.self_cpu_time_total
    total = sum(taken.values())
    return {kind: 100 * taken[kind] / total for kind in (*kinds, rest)}


def table(first: str, columns: Mapping[str, Mapping[str, str]]) -> None:
    """A Markdown table; the columns have the same rows."""
    print(f"| {first} | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|", sep="\n")
    for row in next(iter(columns.values())):
        print(f"| {row} | {' | '.join(column[row] for column in columns.values())} |")
    print(flush=True)


def steps() -> None:
    torch.set_num_threads(1)
    found = {name: shares(stepping(*prepared(name), "fp32"), STEP, STEP_REST) for name in ("tiny", "small")}
    table("operation", {f"`{name}`": _percent(column) for name, column in found.items()})


def spectra() -> None:
    torch.set_num_threads(1)
    wave_BS = waves()
    tensor_BS = torch.from_numpy(wave_BS)
    front_end = MelFrontEnd(MEL, RATE)
    stft = by_stft(front_end.bank)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        reverb = {"p": 1, "folder": rooms(Path(folder) / "rooms").as_posix()}
        ways: dict[str, Callable[[], object]] = {
            "six operations and mel": Augmented({**SIX, "reverb": reverb}, wave_BS),
            "mel": lambda: front_end(tensor_BS),
            "torch.stft": lambda: stft(tensor_BS),
        }
        found = {name: _percent(shares(way, SPECTRA, SPECTRA_REST)) for name, way in ways.items()}
    table("operation", found)


def _percent(column: Mapping[str, float]) -> dict[str, str]:
    return {kind: f"{share:.0f} %" for kind, share in column.items()}


def epochs() -> None:
    """Seconds of an epoch, and of each of its parts by itself, on the clock."""
    torch.set_num_threads(max(2, torch.get_num_threads()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        epoch.write_clips(folder / "sounds")
        parts = epoch.Parts(folder / "sounds", rooms(folder / "rooms", epoch.RATE))
        batches = parts.batches()
        heard = laid_out(parts.spectrograms(batches[:1])[0])
        assert isinstance(heard, torch.Tensor), "this network has one input"
        step = stepping(parts.network, heard, "fp32", epoch.CLASSES)
        ways: dict[str, Callable[[], object]] = {
            "epoch": parts.epoch,
            "steps of the network": lambda: [step() for _ in batches],
            "augmentation and mel": lambda: parts.spectrograms(batches),
            "reading and drawing, which readers do meanwhile": parts.batches,
        }
        taken = alternate(ways, rounds=5, memory=False)
    table("part", {"seconds": {name: f"{statistics.median(seconds):.2f}" for name, seconds in taken.items()}})


def threads() -> None:
    """Milliseconds of a step, on the clock."""
    step = stepping(*prepared("small"), "fp32")

    def with_threads(count: int) -> Callable[[], None]:
        def run() -> None:
            torch.set_num_threads(count)
            for _ in range(CALLS):
                step()

        return run

    ways = {"one thread": with_threads(1), "two threads": with_threads(2)}

    def column() -> dict[str, str]:
        taken = alternate(ways, rounds=5, memory=False)
        return {name: f"{statistics.median(seconds) / CALLS * 1e3:.0f} ms" for name, seconds in taken.items()}

    quiet = column()
    with busy():
        table("step of `small`, 16 clips, fp32", {"alone": quiet, "beside a busy process": column()})


PARTS: dict[str, Callable[[], None]] = {"steps": steps, "spectra": spectra, "epoch": epochs, "threads": threads}


def main() -> None:
    if unknown := set(sys.argv[1:]) - set(PARTS):
        sys.exit(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    keep_freed_memory()
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main()
