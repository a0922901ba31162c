"""The config that `audiosurvey init` writes, against the best of ten that a search finds at the same cost.

    python benchmarks/starter.py SHARED runs/starter [--sets toy,people,outdoors] [--trials 10] [--seeds 3] [--jobs 2]
        [--make]

SHARED is a folder with `esc50-16k` and `esc10`, both in the layout of ESC-50. Three folders of class folders are made,
as a user would have them:

- toy: the ten classes of the toy set, thinned to 80, 40, 10 and 5 clips in turn: 390 clips of 1 s;
- people: 25 clips of each of six classes of ESC-50 (16 kHz), the loudest half second of each;
- outdoors: 30 clips of each of five classes of ESC-10 (44.1 kHz), the loudest half second of each.

`init` writes a config for each, with the recordings that names tell of. A survey then tries other values of eight keys,
with the same network and as many epochs. Its search (scheme `single`) scores each trial on the fold after the first,
without the first. Then the config of `init` and the best one found are trained on all folds with each seed. The score
is the balanced accuracy over the clips of all folds, mean of the seeds. One of the five test folds took part in the
choice of the second config, so the comparison is somewhat optimistic for the search. The interval of the difference is
a bootstrap over recordings.
`--make` makes the sets and configs, and trains nothing. A command that was interrupted continues.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile
import yaml

import audiosurvey
from audiosurvey.data.audio.decoding import decode
from audiosurvey.data.sets.toy_sounds import SAMPLE_RATE, SOUNDS, render
from audiosurvey.randomness import stream
from audiosurvey.runs.results.run_predictions import RunPredictions

THINNED = (80, 40, 10, 5)
PEOPLE = ("clapping", "coughing", "footsteps", "laughing", "sneezing", "snoring")
OUTDOORS = ("chainsaw", "crackling_fire", "helicopter", "rain", "sea_waves")
SPACE = {
    "train.lr": {"log": [3e-4, 1e-2]},
    "train.batch_size": {"choice": [8, 16, 32]},
    "train.weight_decay": {"log": [1e-3, 1e-1]},
    "train.sampling": {"choice": ["shuffle", "balanced"]},
    "loss.name": {"choice": ["cross_entropy", "bce"]},
    "loss.label_smoothing": {"uniform": [0, 0.2]},
    "augmentation.mixup.p": {"uniform": [0, 1]},
    "augmentation.noise.p": {"uniform": [0, 0.8]},
}
DRAWS = 2000
ROWS = ("init", "init-searched")


def make_toy(folder: Path) -> None:
    for number, name in enumerate(SOUNDS):
        for take in range(THINNED[number % len(THINNED)]):
            path = folder / name / f"{name}-{take}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, render(name, 1, f"{name}{take}", "A"), SAMPLE_RATE)


def make_excerpts(root: Path, folder: Path, classes: tuple[str, ...], count: int, seconds: float, rate: int) -> None:
    """The loudest part of the first `count` clips of each class; names keep those of the recordings."""
    with (root / "meta" / "esc50.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in classes:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row in [row for row in rows if row["category"] == name][:count]:
            wave_S = decode(root / "audio" / row["filename"], sample_rate=rate)
            energy_S = np.concatenate([[0], np.cumsum(np.square(wave_S, dtype=np.float64))])
            samples = int(seconds * rate)
            at = int(np.argmax(energy_S[samples:] - energy_S[:-samples]))
            stem = row["filename"].rsplit(".", 1)[0].split("-", 1)[1]
            soundfile.write(folder / name / f"{stem}.wav", wave_S[at : at + samples], rate)


def make_set(name: str, shared: Path, folder: Path) -> None:
    if folder.exists():
        return
    if name == "toy":
        make_toy(folder)
    elif name == "people":
        make_excerpts(shared / "esc50-16k", folder, PEOPLE, 25, 0.5, 16_000)
    else:
        make_excerpts(shared / "esc10", folder, OUTDOORS, 30, 0.5, 44_100)


def write_survey(name: str, root: Path, config: Path, trials: int) -> Path:
    """The config of `init`, and a search around it with as many epochs."""
    if not config.exists():
        overrides = [] if name == "toy" else [r"dataset.source_pattern='^(\d+)-'"]
        audiosurvey.init(config, root=root, overrides=overrides)
    survey = config.with_name(f"{name}-survey.yaml")
    epochs = audiosurvey.load_config(config).config.train.epochs
    search = {"trials": trials, "scheme": "single", "objective": "balanced_accuracy", "space": SPACE}
    plan = {
        "configs": [{"config": config.absolute().as_posix(), "name": "init", "set": {"protocol.test_every": 0}}],
        "budget": {"epochs": epochs},
        "search": search,
    }
    survey.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return survey


def write_seeds(name: str, config: Path, found: Path, seeds: list[int]) -> Path:
    """Both configs with other seeds."""
    survey = config.with_name(f"{name}-seeds.yaml")
    epochs = audiosurvey.load_config(config).config.train.epochs
    configs = [
        {"config": path.absolute().as_posix(), "name": row, "set": {"protocol.test_every": 0}}
        for path, row in zip((config, found), ROWS, strict=True)
    ]
    plan = {"configs": configs, "seeds": seeds, "budget": {"epochs": epochs}, "keep": "model"}
    survey.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    return survey


def balanced(found: RunPredictions, weight_N: np.ndarray | None = None) -> float:
    """Mean recall of the classes, over the clips of all folds."""
    weight_N = np.ones(len(found)) if weight_N is None else weight_N
    target_N, right_N = found.truth_NK.argmax(axis=1), found.scores_NK.argmax(axis=1) == found.truth_NK.argmax(axis=1)
    clips_K = np.bincount(target_N, weight_N)
    return float((np.bincount(target_N, weight_N * right_N)[clips_K > 0] / clips_K[clips_K > 0]).mean())


def difference_interval(pairs: list[tuple[RunPredictions, RunPredictions]]) -> tuple[float, float]:
    """95 % of the differences, mean of the seeds, when the recordings are drawn again."""
    first = pairs[0][0]
    assert all(run.clips == first.clips for pair in pairs for run in pair)
    _, recording_N = np.unique([s or c for s, c in zip(first.sources, first.clips, strict=True)], return_inverse=True)
    rng = stream(0, "benchmark", "starter")
    drawn = []
    for _ in range(DRAWS):
        picked = np.floor(rng.random(recording_N.max() + 1) * (recording_N.max() + 1)).astype(int)
        weight_N = np.bincount(picked, minlength=recording_N.max() + 1)[recording_N].astype(float)
        drawn.append(np.mean([balanced(ours, weight_N) - balanced(best, weight_N) for ours, best in pairs]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def measure(name: str, folders: dict[int, Path]) -> str:
    """The row of a set: the config of `init` and the best one found, over all folds, mean of the seeds.

    `folders`: the survey of each seed.
    """
    runs = [
        [audiosurvey.open_run(path / "runs" / f"{row}-seed{seed}") for seed, path in folders.items()] for row in ROWS
    ]
    pairs = [(ours.predictions(), best.predictions()) for ours, best in zip(*runs, strict=True)]
    scores = np.array([[balanced(one) for one in pair] for pair in pairs])
    low, high = difference_interval(pairs)
    minutes = sum(fold.seconds for row in runs for run in row for fold in run.results.folds) / 60
    accuracy = [np.mean([run.mean["accuracy"] or 0.0 for run in row]) for row in runs]
    ours, best = (f"{mean:.3f} ({plain:.3f})" for mean, plain in zip(scores.mean(axis=0), accuracy, strict=True))
    each = ", ".join(f"{100 * (row[0] - row[1]):+.1f}" for row in scores)
    difference = f"{100 * (scores[:, 0] - scores[:, 1]).mean():+.1f} ({100 * low:+.1f} to {100 * high:+.1f}; {each})"
    return f"| {name} | {runs[0][0].results.folds[0].epochs} | {ours} | {best} | {difference} | {minutes:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", default="toy,people,outdoors")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--make", action="store_true")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in given.sets.split(","):
        make_set(name, given.shared, given.folder / name)
        survey = write_survey(name, given.folder / name, given.folder / f"{name}.yaml", given.trials)
        if given.make:
            continue
        folder = given.folder / f"{name}-survey"
        audiosurvey.survey(survey, run_dir=folder, jobs=given.jobs, progress=True)
        folders = {0: folder}
        if others := list(range(1, given.seeds)):
            survey = write_seeds(name, given.folder / f"{name}.yaml", folder / "search" / "best.yaml", others)
            folders |= dict.fromkeys(others, given.folder / f"{name}-seeds")
            audiosurvey.survey(survey, run_dir=folders[1], jobs=given.jobs, progress=True)
        rows.append(measure(name, folders))
    print("| set | epochs | init: balanced (plain) accuracy | search | difference (95 %; each seed) | minutes |")
    print("|---|---|---|---|---|---|", *rows, sep="\n")


if __name__ == "__main__":
    main()
