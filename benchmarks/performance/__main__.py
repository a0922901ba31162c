"""Speed of each stage compared with other packages, on this machine.

    python benchmarks/performance [STAGE ...] [--busy] [--write docs/performance.md] [--render]

Needs `pip install -e '.[onnx,bench]'`. All ways of one comparison are measured in turns within one run. Single stages
use one thread and processor time; whole trainings use all cores and time on the clock. `--busy` measures each stage a
second time, beside a process that keeps a core busy. `--write` keeps the results in results.json, and writes the page
and its picture from all results there, also those of stages measured before; with `--render` from these alone.
"""

import argparse
import importlib
import time
from dataclasses import replace
from pathlib import Path

import torch
from busy import busy
from machine import described
from plot import draw
from results import Section, lines, load, save
from rounds import Row

from audiosurvey.allocator import keep_freed_memory

ONE_THREAD = ("mel", "augmentation", "step", "stacked", "inference")
ALONE = ("machine", "start_up", "busy")
"""Stages without a second time beside a busy process."""
STAGES = ("machine", "mel", "augmentation", "prepare", "step", "stacked", "epoch", "inference", "start_up", "busy")
RESULTS = Path(__file__).with_name("results.json")


def measured(name: str, beside_busy: bool) -> Section:
    module = importlib.import_module(name)
    torch.set_num_threads(1 if name in ONE_THREAD else max(2, torch.get_num_threads()))
    rows: list[Row] = module.measure()
    if beside_busy and name not in ALONE:
        with busy():
            again = {(row.what, row.peer): row.ratio_text for row in module.measure()}
        rows = [replace(row, beside_busy=again.get((row.what, row.peer), "")) for row in rows]
    section = Section((module.__doc__ or "").strip(), f"{time.strftime('%Y-%m-%d')}: {described()}", rows)
    print("\n".join(lines(name, section)), flush=True)
    return section


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"of {', '.join(STAGES)}; default: all")
    parser.add_argument("--busy", action="store_true", help="also beside a process that keeps a core busy")
    parser.add_argument("--write", type=Path, help="Markdown file to write, with a picture beside it")
    parser.add_argument("--render", action="store_true", help="measure nothing: write the page from earlier results")
    options = parser.parse_args()
    if options.render and (options.stages or not options.write):
        parser.error("--render needs --write, and no stages")
    if unknown := set(options.stages) - set(STAGES):
        parser.error(f"no stage {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    # As `train` does; all ways of a comparison profit from it.
    keep_freed_memory()
    sections = load(RESULTS) if options.write else {}
    for name in () if options.render else options.stages or STAGES:
        sections[name] = measured(name, options.busy)
        if options.write:
            save(RESULTS, sections)
    if options.write:
        write(options.write, sections)


def write(path: Path, sections: dict[str, Section]) -> None:
    """The page and its picture, in the order of STAGES."""
    sections = {name: sections[name] for name in STAGES if name in sections}
    head, tail = (Path(__file__).with_name(name).read_text(encoding="utf-8") for name in ("head.md", "tail.md"))
    parts = [head.replace("{picture}", path.with_suffix(".svg").name)]
    parts += [line for name, section in sections.items() for line in lines(name, section)]
    path.write_text("\n".join([*parts, tail]), encoding="utf-8")
    draw(sections, path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
