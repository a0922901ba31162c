"""What labels are worth that `audiosurvey suggest` asks for: accuracy by the number of labelled clips.

    python benchmarks/suggest.py ESC10

Folds 2 to 5 of a data set in the layout of ESC-50 are a pool without labels, fold 1 is the test. A linear probe
(`probe-mn04`) starts with `--number` labelled clips drawn at random; then, in each of four rounds, as many are added
from the pool, and it is fitted anew. Compared are the clips that `suggest` gives, those with the smallest margin
between the two best classes, and clips at random, each from the same start. In a round, no
test clip takes part in the choice of clips; the rule of `suggest` itself was settled with the accuracy on fold 1 of
ESC-10 in view, so that figures on ESC-10 are from development.
Columns: labelled clips, the mean accuracy over the seeds, its standard error, and the mean difference to random.
"""

import argparse
import csv
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np

import audiosurvey

Choose = Callable[[audiosurvey.AudioClassifier, list[str], int, int], list[str]]


def suggested(probe: audiosurvey.AudioClassifier, pool: list[str], number: int, seed: int) -> list[str]:
    return [clip.name for clip in audiosurvey.suggest(probe.model_, pool, number=number, seed=seed)]


def smallest_margin(probe: audiosurvey.AudioClassifier, pool: list[str], number: int, seed: int) -> list[str]:
    best_N2 = np.sort(probe.predict_proba(pool), axis=1)[:, -2:]
    return [pool[row] for row in np.argsort(best_N2[:, 1] - best_N2[:, 0], kind="stable")[:number]]


def at_random(probe: audiosurvey.AudioClassifier, pool: list[str], number: int, seed: int) -> list[str]:
    rng = np.random.default_rng([seed, len(pool)])
    return [pool[row] for row in rng.choice(len(pool), number, replace=False)]


METHODS: dict[str, Choose] = {"suggest": suggested, "margin": smallest_margin, "random": at_random}


def curve(
    choose: Choose, label_of: dict[str, str], test: list[str], number: int, rounds: int, seed: int
) -> list[float]:
    """The accuracy after the start and after each round."""
    pool = sorted(set(label_of) - set(test))
    start = np.random.default_rng(seed).choice(len(pool), number, replace=False)
    labelled = [pool[row] for row in start]
    found = []
    for done in range(rounds + 1):
        probe = audiosurvey.AudioClassifier().fit(labelled, [label_of[one] for one in labelled])
        found.append(float(np.mean(probe.predict(test) == [label_of[one] for one in test])))
        if done < rounds:
            known = set(labelled)
            labelled += choose(probe, [one for one in pool if one not in known], number, seed)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--number", type=int, default=20, help="clips at the start, and added in each round")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with (given.root / "meta" / "esc50.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    label_of = {str(given.root / "audio" / row["filename"]): row["category"] for row in rows}
    test = [str(given.root / "audio" / row["filename"]) for row in rows if row["fold"] == "1"]
    curves: defaultdict[str, list[list[float]]] = defaultdict(list)
    for seed in range(given.seeds):
        for name, choose in METHODS.items():
            curves[name].append(curve(choose, label_of, test, given.number, given.rounds, seed))
            print(f"seed {seed}, {name}: {' '.join(f'{value:.3f}' for value in curves[name][-1])}", flush=True)
    random_SR = np.array(curves["random"])
    for name, values in curves.items():
        score_SR = np.array(values)
        mean_R, gain_R = score_SR.mean(axis=0), (score_SR - random_SR).mean(axis=0)
        error_R = score_SR.std(axis=0, ddof=1) / len(score_SR) ** 0.5
        for done in range(given.rounds + 1):
            labels = given.number * (done + 1)
            print(f"{name:8} {labels:4} {mean_R[done]:.3f} {error_R[done]:.3f} {gain_R[done]:+.3f}")


if __name__ == "__main__":
    main()
