"""Cost of each command against the size of the data: time on the clock, processor time, memory, and their exponents.

    python benchmarks/scale.py [AXIS=N,N,...] [--step NAME ...] [--folder FOLDER]

AXIS is `clips` (default: 400,4000,40000), `seconds`, `batch`, `classes`, `folds` or `cells`; all else stays the same.
Each step runs in a process of its own. Exponents are slopes between the last two sizes, on logarithmic axes, after the
time (or memory) of the first size is taken off both as the cost of starting: 1 is linear. The data are made in FOLDER
(a temporary one by default) and removed.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import soundfile

RATE = 16_000
COMMAND = [sys.executable, "-m", "audiosurvey"]
SURVEY = """
configs: [tiny]
datasets: [{{name: folder, root: "{root}", num_folds: {folds}, clip_seconds: {seconds}}}]
seeds: {seeds}
"""


@dataclass(frozen=True)
class Size:
    clips: int = 400
    seconds: float = 0.5
    batch: int = 32
    classes: int = 10
    folds: int = 2
    """Made folds. Where this axis varies, all of them are trained, otherwise the first."""
    cells: int = 20


@dataclass(frozen=True)
class Cost:
    """Of one step: seconds on the clock and of processors, and the peak memory of the process with its children."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def sound(seed: int, seconds: float) -> np.ndarray:
    """Noise whose level and colour wander, so that no two seeds are alike."""
    rng = np.random.default_rng(seed)
    frames = max(1, round(seconds * 40))
    spectra = np.fft.rfft(rng.standard_normal((frames, 400)))
    shape = np.repeat(np.exp(1.2 * rng.standard_normal((frames, 21))), 10, axis=1)[:, : spectra.shape[1]]
    wave_S = np.fft.irfft(spectra * shape, 400).ravel()
    return 0.5 * wave_S / np.abs(wave_S).max()


def write_clips(root: Path, size: Size, numbers: range) -> None:
    """Every hundredth clip is a copy of the one before, every hundredth of the others a softer copy."""
    for number in numbers:
        path = root / f"class {number % size.classes:03}" / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        copied = number % 100 in (50, 75)
        wave_S = sound(number - copied, size.seconds) * (0.5 if number % 100 == 75 else 1)
        soundfile.write(path, wave_S, RATE)


def measured(command: list[str], folder: Path) -> tuple[Cost, str]:
    """The cost of a process with its children, and what it printed."""
    environment = {**os.environ, "AUDIOSURVEY_CACHE": str(folder / "cache")}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (folder / "printed").open("w+b") as printed, (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=printed, stderr=log)
        peak, ended = [0], threading.Event()
        watching = threading.Thread(target=_watch, args=(process.pid, peak, ended))
        watching.start()
        status = process.wait()
        ended.set()
        watching.join()
        printed.seek(0)
        text = printed.read().decode(errors="replace")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    # `doctor` ends with 1 where it has found something.
    if status not in (0, 1) or (status == 1 and "doctor" not in command):
        raise RuntimeError(f"{command} ended with {status}: {(folder / 'log').read_text(errors='replace')[-2000:]}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - started, cpu_s, peak[0] / 1e6), text


def _watch(pid: int, peak: list[int], ended: threading.Event) -> None:
    while not ended.wait(0.05):
        try:
            process = psutil.Process(pid)
            memory = [one.memory_info().rss for one in (process, *process.children(recursive=True))]
        except psutil.Error:
            continue
        peak[0] = max(peak[0], sum(memory))


def steps(
    size: Size, folder: Path, all_folds: bool = False
) -> Iterator[tuple[str, list[str], Callable[[], None] | None]]:
    """Name, command, and what is done before it."""
    root = folder / "clips"
    dataset = (
        f"dataset={{name: folder, root: '{root.as_posix()}', num_folds: {size.folds}, clip_seconds: {size.seconds}}}"
    )
    config = ["tiny", "--set", dataset, "--set", f"train.batch_size={size.batch}", "--set", "train.epochs=1"]
    added = range(size.clips, size.clips + max(1, size.clips // 100))
    seeds = list(range(size.cells // size.folds))

    def add() -> None:
        write_clips(root, size, added)

    def survey() -> None:
        text = SURVEY.format(root=root.as_posix(), folds=size.folds, seconds=size.seconds, seeds=seeds)
        (folder / "survey.yaml").write_text(text, encoding="utf-8")

    yield "prepare", [*COMMAND, "prepare", *config[:3]], None
    yield "prepare again", [*COMMAND, "prepare", *config[:3]], None
    yield "prepare, 1 % more files", [*COMMAND, "prepare", *config[:3]], add
    yield "check", [*COMMAND, "check", *config], None
    yield "doctor", [sys.executable, __file__, "--doctor", str(root)], None
    trained = [] if all_folds else ["--folds", "1"]
    train = [*COMMAND, "train", *config, "--set", "tracking=[]", *trained, "--run-dir", "run"]
    yield f"train, one epoch of tiny, {'all folds' if all_folds else 'one fold'}", train, None
    yield "evaluate", [*COMMAND, "evaluate", "run"], None
    yield "report", [*COMMAND, "report", "run", "--force"], None
    yield "predict", [*COMMAND, "predict", "run/fold-1/model", str(root), "--output", "predicted.csv"], None
    yield "plan of a survey", [sys.executable, __file__, "--plan", "survey.yaml"], survey


def measure(size: Size, folder: Path, wanted: list[str], all_folds: bool = False) -> dict[str, Cost]:
    """The cost of each step. `doctor` tells the processor time of its own steps."""
    folder.mkdir(parents=True, exist_ok=True)
    write_clips(folder / "clips", size, range(size.clips))
    costs: dict[str, Cost] = {}
    for name, command, before in steps(size, folder, all_folds):
        if before:
            before()
        if wanted and not any(name.startswith(one) for one in wanted):
            continue
        costs[name], text = measured(command, folder)
        print(f"  {name}: {costs[name]}", file=sys.stderr, flush=True)
        if name == "doctor":
            for stage, (wall_s, cpu_s) in json.loads(text).items():
                costs[f"doctor: {stage}"] = Cost(wall_s, cpu_s, math.nan)
                print(f"    {stage}: {wall_s:.2f} s, {cpu_s:.2f} s of processors", file=sys.stderr, flush=True)
    return costs


def doctor_stages(root: Path) -> dict[str, tuple[float, float]]:
    """Seconds on the clock, and of processors, of each stage of an audit."""
    from audiosurvey.data.layout import dataset_at
    from audiosurvey.diagnosis import duplicates
    from audiosurvey.diagnosis.audit import audit_dataset

    marks = {"begin": _now()}
    within: dict[str, tuple[float, float]] = {}

    def timed(name: str) -> None:
        function = getattr(duplicates, name)

        @wraps(function)
        def timing(*arguments: Any, **options: Any) -> Any:
            begin = _now()
            result = function(*arguments, **options)
            within[name.replace("_", " ").strip()] = _since(begin)
            return result

        setattr(duplicates, name, timing)

    def progress(done: int, total: int) -> None:
        marks.setdefault("first", _now())
        marks["last"] = _now()

    for name in ("likely_pairs", "_matching_pairs"):
        timed(name)
    audit_dataset(dataset_at(root), progress=progress)
    marks["end"] = _now()
    names = {"listing": ("begin", "first"), "listening": ("first", "last"), "all comparisons": ("last", "end")}
    return {name: _since(marks[one], marks[two]) for name, (one, two) in names.items()} | within


def plan_survey(file: Path) -> None:
    from audiosurvey.surveys.survey import SurveyOptions, open_survey

    open_survey(file, SurveyOptions(run_dir=Path("survey")))


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(begin: tuple[float, float], end: tuple[float, float] | None = None) -> tuple[float, float]:
    later = end or _now()
    return later[0] - begin[0], later[1] - begin[1]


def exponent(sizes: list[float], values: list[float]) -> float | None:
    """The slope between the last two of three sizes or more, without what the first one takes."""
    if len(sizes) < 3 or math.isnan(values[0]):
        return None
    low, high = (value - values[0] for value in values[-2:])
    if low <= 0.02 * values[0] or high <= 0:
        return None
    first, last = (size - sizes[0] for size in sizes[-2:])
    return math.log(high / low) / math.log(last / first)


def table(axis: str, sizes: list[float], costs: list[dict[str, Cost]]) -> list[str]:
    """Markdown: for each size, seconds on the clock / of processors and peak memory; per unit at the largest."""
    cells = " | ".join(f"{size:g}" for size in sizes)
    lines = [f"| {axis} | {cells} | CPU per unit | exponent: CPU | memory |", "|---" * (len(sizes) + 4) + "|"]
    for name in costs[-1]:
        row = [cost[name] for cost in costs]
        texts = [
            f"{one.wall_s:.3g} s / {one.cpu_s:.3g} s" + ("" if math.isnan(one.peak_mb) else f" / {one.peak_mb:.0f} MB")
            for one in row
        ]
        unit = (row[-1].cpu_s - row[0].cpu_s) / (sizes[-1] - sizes[0]) if len(sizes) > 1 else math.nan
        slopes = [exponent(sizes, [getattr(one, key) for one in row]) for key in ("cpu_s", "peak_mb")]
        shown = ["" if slope is None else f"{slope:.2f}" for slope in slopes]
        lines.append(f"| {name} | {' | '.join(texts)} | {1000 * unit:.3g} ms | {' | '.join(shown)} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axis", nargs="?", default="clips=400,4000,40000", metavar="AXIS=N,N,...")
    parser.add_argument("--clips", type=int, default=400, help="number of clips where another axis varies")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of clips where another axis varies")
    parser.add_argument("--step", action="append", default=[], help="only steps that begin so; may be repeated")
    parser.add_argument("--folder", type=Path, help="folder for the data")
    parser.add_argument("--doctor", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--plan", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.doctor:
        print(json.dumps(doctor_stages(options.doctor)))
        return
    if options.plan:
        plan_survey(options.plan)
        return
    axis, _, text = options.axis.partition("=")
    kind = float if axis == "seconds" else int
    sizes = [kind(part) for part in text.split(",")]
    base = Size(clips=options.clips, seconds=options.seconds)
    costs = []
    for number in sizes:
        print(f"{axis}={number:g}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=options.folder) as name:
            costs.append(measure(replace(base, **{axis: number}), Path(name), options.step, axis == "folds"))
    print("\n".join(table(axis, [float(size) for size in sizes], costs)))


if __name__ == "__main__":
    main()
