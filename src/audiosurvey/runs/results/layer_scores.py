"""The layers of a fold's encoder: the form of `layers` in results.json, their table layers.csv, and their means."""

from collections.abc import Sequence

from audiosurvey.runs.results.stored import StoredPart

LAYERS = "layers.csv"
"""In the folder of a fold."""
LAYER_METRICS = ("accuracy", "map")


class LayerScore(StoredPart):
    """A layer of an encoder with `layer: all`."""

    layer: int
    """Counted from 1; 0: what enters the first layer."""
    weight: float
    """Its learned share in the mixture."""
    accuracy: float | None = None
    """Of a linear probe on this layer alone, cross-validated within the training clips; only with `train.head_only`."""
    map: float | None = None
    """In place of the accuracy, for several labels."""

    @property
    def score(self) -> float | None:
        return self.map if self.accuracy is None else self.accuracy


def layer_scores(
    weights: Sequence[float], scores: Sequence[float] | None = None, *, multi_label: bool = False
) -> list[LayerScore]:
    """`scores`: of a probe on each layer alone, where there are any."""
    name = LAYER_METRICS[multi_label]
    rows = []
    for layer, weight in enumerate(weights):
        score = {} if scores is None else {name: scores[layer]}
        rows.append(LayerScore.model_validate({"layer": layer, "weight": round(weight, 6), **score}))
    return rows


def mean_layers(folds: Sequence[Sequence[LayerScore]]) -> list[LayerScore]:
    """Means over folds; empty unless all have the same layers."""
    if not folds or any(len(rows) != len(folds[0]) for rows in folds):
        return []
    names = [name for name in LAYER_METRICS if all(getattr(row, name) is not None for rows in folds for row in rows)]
    found = []
    for rows in zip(*folds, strict=True):
        means = {name: sum(getattr(row, name) for row in rows) / len(rows) for name in ("weight", *names)}
        found.append(LayerScore.model_validate({"layer": rows[0].layer, **means}))
    return found


def layers_csv(rows: Sequence[LayerScore]) -> str:
    names = ["layer", "weight", *(name for name in LAYER_METRICS if getattr(rows[0], name) is not None)]
    lines = [",".join([str(row.layer), *(f"{getattr(row, name):.6f}" for name in names[1:])]) for row in rows]
    return "\n".join([",".join(names), *lines]) + "\n"


def layers_line(rows: Sequence[LayerScore]) -> str:
    """The learned weights in a line."""
    weights = ", ".join(f"{row.layer} {row.weight:.3f}" for row in rows)
    return f"weights of the encoder's layers (0: before the first): {weights}"
