"""Time and memory of `prepare` on ESC-10, and how memory grows with the number of clips.

    python benchmarks/prepare_esc10.py [ROOT] [--sample-rate 32000] [--times 10]

ROOT is a folder with the layout of ESC-50 (default: ../shared/data/esc10). Each measurement runs in its own process
with an empty cache, including imports; memory is the peak of that process. For the second measurement the files are
copied `--times` times, each with different bytes after its last Ogg page, so that all copies are decoded and stored. A
third process finds the store ready.
"""

import argparse
import csv
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from audiosurvey.data.store.store import prepare
from audiosurvey.data.table import Clip, Table


def load(root: Path) -> Table:
    with (root / "meta" / "esc50.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    classes = tuple(sorted({row["category"] for row in rows}))
    clips = tuple(
        Clip(
            f"audio/{row['filename']}",
            root / "audio" / row["filename"],
            (classes.index(row["category"]),),
            int(row["fold"]),
            row["src_file"],
        )
        for row in rows
    )
    return Table("esc50", root, classes, clips)


def repeat(root: Path, into: Path, times: int) -> None:
    """The data set `times` times over, every file of different content."""
    (into / "audio").mkdir(parents=True)
    (into / "meta").mkdir()
    with (root / "meta" / "esc50.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    with (into / "meta" / "esc50.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, reader.fieldnames or ())
        writer.writeheader()
        for number in range(times):
            for row in rows:
                name = f"{number}-{row['filename']}"
                content = (root / "audio" / row["filename"]).read_bytes()
                (into / "audio" / name).write_bytes(content + number.to_bytes(4, "little"))
                writer.writerow({**row, "filename": name})


def measure(root: Path, sample_rate: int) -> None:
    """The measured process: prepares, and prints its peak memory in MB, the clips and the bytes of the store."""
    store = prepare(load(root), sample_rate=sample_rate, mono="mean")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(f"{len(store)} clips, {store.nbytes / 1e6:.0f} MB stored, peak memory {peak:.0f} MB", end="")


def run(title: str, root: Path, sample_rate: int, cache: Path) -> None:
    began = time.perf_counter()
    command = [sys.executable, __file__, str(root), "--sample-rate", str(sample_rate), "--measure"]
    environment = {**os.environ, "AUDIOSURVEY_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    print(f"{title}: {time.perf_counter() - began:.2f} s, {done.stdout}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parents[2] / "shared" / "data" / "esc10"
    parser.add_argument("root", type=Path, nargs="?", default=default)
    parser.add_argument("--sample-rate", type=int, default=32000)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.root / "meta" / "esc50.csv").is_file():
        print(f"skipped: no ESC-10 at {options.root}; pass its folder as the argument")
        return
    if options.measure:
        measure(options.root, options.sample_rate)
        return
    scratch = Path(tempfile.mkdtemp(prefix="audiosurvey-benchmark-"))
    try:
        run("once", options.root, options.sample_rate, scratch / "cache")
        run("again, store ready", options.root, options.sample_rate, scratch / "cache")
        repeat(options.root, scratch / "many", options.times)
        run(f"{options.times} times the files", scratch / "many", options.sample_rate, scratch / "many-cache")
    finally:
        shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
