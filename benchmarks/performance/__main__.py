"""Speed of each stage compared with other packages, on this machine.

    python benchmarks/performance [STAGE ...] [--write docs/performance.md]

Needs `pip install -e '.[onnx,bench]'`. All ways of one comparison are measured in turns within one run. Single stages
use one thread and processor time; whole trainings use all cores and time on the clock.
"""

import argparse
import importlib
import time
from pathlib import Path

import torch
from machine import described
from rounds import Row

from audiosurvey.training.allocator import keep_freed_memory

ONE_THREAD = ("mel", "augmentation", "inference")
STAGES = ("machine", "mel", "augmentation", "prepare", "step", "epoch", "inference", "start_up", "busy")


def table(rows: list[Row]) -> list[str]:
    """Rows as Markdown: measured values alone, or compared with others."""
    if not any(row.peer for row in rows):
        return ["| what | value |", "|---|---|", *(f"| {row.what} | {row.ours} |" for row in rows)]
    head = ["| what | ours | compared with | takes | ratio (range) |", "|---|---|---|---|---|"]
    return [*head, *(f"| {row.what} | {row.ours} | {row.peer} | {row.other} | {row.ratio_text} |" for row in rows)]


def section(name: str) -> list[str]:
    module = importlib.import_module(name)
    torch.set_num_threads(1 if name in ONE_THREAD else max(2, torch.get_num_threads()))
    title, _, more = (module.__doc__ or "").strip().partition("\n")
    lines = [f"## {name.replace('_', '-').capitalize()}", "", f"{title}{more}", "", *table(module.measure()), ""]
    print("\n".join(lines), flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join(STAGES)}; default: all")
    parser.add_argument("--write", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    if unknown := set(options.stages) - set(STAGES):
        parser.error(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    # As `train` does; all ways of a comparison profit from it.
    keep_freed_memory()
    lines = [line for name in options.stages or STAGES for line in section(name)]
    if options.write:
        head, tail = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("head.md", "tail.md"))
        about = f"{described()}; {time.strftime('%Y-%m-%d')}, median of several rounds."
        options.write.write_text("\n".join([head.format(about=about), *lines, tail]), encoding="utf-8")


if __name__ == "__main__":
    main()
