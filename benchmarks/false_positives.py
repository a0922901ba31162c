"""How often the verdict of `audiosurvey compare` is wrong although all models are equal.

    python benchmarks/false_positives.py [--surveys 2000] [--seeds 1 5]

Each survey compares six models by five-fold cross-validation. The models are equal by construction, but not the same:

- blocks: the features of a clip are a block that all models see and six blocks with the same distribution, one for each
  model. So each model is right on other clips, and a model that is lucky with a data set is lucky with every seed.
- digits: all models are one recipe, trained on 300 of scikit-learn's images of digits; only the seeds differ.

A model is a layer of random weights (the seed), a ReLU, and a linear classifier fitted to the training folds. The data
are drawn anew for each survey; the folds of a survey share training data, as in any cross-validation. A survey counts
as a false positive if any verdict is `better` or `worse`. Shown is the share of such surveys:

- named baseline, best as baseline, all pairs: the verdicts of the command
- naive t: the same with the ordinary paired t-test over folds and seeds (Holm-corrected), all pairs
- no Holm: the corrected t-test without Holm's correction, all pairs
"""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from audiosurvey.comparison.stats.significance import corrected_t, holm
from audiosurvey.comparison.stats.verdicts import ALPHA, FoldTest, against, all_pairs

MODELS, FOLDS, RATIO = 6, 5, 1 / 4
CLIPS, CLASSES, HIDDEN = 300, 5, 24
SHARED, OWN, NOISE = 6, 6, 2.2
BOUND = 0.0615
"""99 % quantile of the share that a true rate of 5 % gives in 2,000 surveys."""

Data = tuple[list[np.ndarray], np.ndarray]
"""The features (N, D) that each model sees, and the classes (N)."""


def blocks(rng: np.random.Generator) -> Data:
    target_N = rng.integers(0, CLASSES, CLIPS)
    shared_KD, own_KD = rng.normal(0, 1, (CLASSES, SHARED)), rng.normal(0, 1, (CLASSES, OWN))
    centres_KD = np.hstack([shared_KD, *[own_KD] * MODELS])
    x_ND = centres_KD[target_N] + rng.normal(0, NOISE, (CLIPS, centres_KD.shape[1]))
    own = [x_ND[:, SHARED + OWN * model : SHARED + OWN * (model + 1)] for model in range(MODELS)]
    return [np.hstack([x_ND[:, :SHARED], part]) for part in own], target_N


def digits() -> Callable[[np.random.Generator], Data]:
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    x_ND, target_N = found.data, found.target
    x_ND = (x_ND - x_ND.mean(axis=0)) / 8

    def draw(rng: np.random.Generator) -> Data:
        rows = rng.choice(len(x_ND), CLIPS, replace=False)
        return [x_ND[rows]] * MODELS, target_N[rows]

    return draw


def fold_scores(x_ND: np.ndarray, target_N: np.ndarray, seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Accuracies (S, J) of classifiers, each with a random layer of its own; folds are blocks of the clips."""
    inputs, clips = x_ND.shape[1], len(x_ND)
    shape = (seeds, FOLDS, inputs, HIDDEN)
    weights_SJDH = rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(inputs))
    hidden_SJNH = np.maximum(x_ND.astype(np.float32) @ weights_SJDH, 0)
    tested_JN = np.repeat(np.eye(FOLDS, dtype=bool), clips // FOLDS, axis=1)
    trained_SJHN = (hidden_SJNH * ~tested_JN[:, :, None]).swapaxes(2, 3)
    gram_SJHH = trained_SJHN @ hidden_SJNH + np.eye(HIDDEN, dtype=np.float32)
    one_hot_NK = np.eye(target_N.max() + 1, dtype=np.float32)[target_N]
    linear_SJHK = np.linalg.solve(gram_SJHH, trained_SJHN @ one_hot_NK)
    correct_SJN = (hidden_SJNH @ linear_SJHK).argmax(axis=3) == target_N
    return (correct_SJN & tested_JN).sum(axis=2) * FOLDS / clips


def survey(draw: Callable[[np.random.Generator], Data], seeds: int, rng: np.random.Generator) -> np.ndarray:
    """Accuracies (M, S, J) of six equal models on one data set."""
    views, target_N = draw(rng)
    return np.stack([fold_scores(x_ND, target_N, seeds, rng) for x_ND in views])


def false_positives(scores_MSJ: np.ndarray) -> dict[str, bool]:
    """Whether each kind of verdict finds a difference in a survey."""
    means_MJ, ratios = scores_MSJ.mean(axis=1), [RATIO] * MODELS
    best, pairs = int(means_MJ.mean(axis=1).argmax()), all_pairs(means_MJ, ratios)
    return {
        "named baseline": _any(against(means_MJ, ratios, 0)),
        "best as baseline": _any(against(means_MJ, ratios, best)),
        "all pairs": _any(pairs),
        "naive t": min(holm([_naive_p(scores_MSJ[one.first] - scores_MSJ[one.second]) for one in pairs])) < ALPHA,
        "no Holm": any(one.difference.p is not None and one.difference.p < ALPHA for one in pairs),
    }


def rates(draw: Callable[[np.random.Generator], Data], seeds: int, surveys: int) -> dict[str, float]:
    """Share of surveys with a false positive, by kind of verdict."""
    rng = np.random.default_rng(0)
    found = [false_positives(survey(draw, seeds, rng)) for _ in range(surveys)]
    return {kind: float(np.mean([one[kind] for one in found])) for kind in found[0]}


def _any(tests: Sequence[FoldTest]) -> bool:
    return any(one.verdict in ("better", "worse") for one in tests)


def _naive_p(difference_SJ: np.ndarray) -> float:
    p = corrected_t(difference_SJ.ravel(), 0).p
    assert p is not None
    return p


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--surveys", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 5])
    options = parser.parse_args()
    print(f"{MODELS} equal models, {FOLDS} folds, {options.surveys} surveys: share with a false verdict")
    for name, draw in (("blocks", blocks), ("digits", digits())):
        for seeds in options.seeds:
            found = rates(draw, seeds, options.surveys)
            shown = ", ".join(f"{kind} {100 * rate:.2f} %" for kind, rate in found.items())
            print(f"{name}, {seeds} seed{'s' if seeds > 1 else ''}: {shown}", flush=True)


if __name__ == "__main__":
    main()
