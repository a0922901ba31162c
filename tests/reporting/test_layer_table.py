"""The table of an encoder's layers: means over folds, and on which clips they were measured."""

import io

from rich.console import Console

from audiosurvey.reporting.layer_table import print_layers
from audiosurvey.runs.results.layer_scores import LayerScore, layer_scores
from audiosurvey.runs.results.results import FoldRow, RunResults


def shown(*folds: list[LayerScore]) -> list[str]:
    facts = {"clips": 8, "epochs": 1, "chosen_epoch": 1, "seconds": 1.0}
    rows = [FoldRow.model_validate({"fold": fold, "layers": rows, **facts}) for fold, rows in enumerate(folds, 1)]
    console = Console(file=io.StringIO(), width=100, highlight=False)
    print_layers(RunResults.model_construct(folds=rows, multi_label=False), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_means_and_the_best_layer() -> None:
    lines = shown(layer_scores([0.25, 0.75], [0.5, 0.9]), layer_scores([0.75, 0.25], [0.7, 0.3]))
    assert lines[0] == "layers of the encoder, mean over folds (0: before the first)"
    rows = [line.split() for line in lines if line[:1] in ("0", "1")]
    assert rows == [["0", "0.500", "0.6000"], ["1", "0.500", "0.6000"]]
    assert any(line.startswith("Best layer: 0. 'accuracy alone' is that of a linear probe") for line in lines)
    assert any("the labels of all clips" in line and "protocol.tuned_on: [1, 2]" in line for line in lines)


def test_with_one_fold_its_test_clips_had_no_part() -> None:
    lines = shown(layer_scores([0.25, 0.75], [0.5, 0.9]))
    assert lines[-1] == "No test clip of fold 1 was used; the labels of the other folds were"


def test_weights_alone_claim_no_best_layer() -> None:
    lines = shown(layer_scores([0.25, 0.75]))
    assert lines[0] == "layers of the encoder (0: before the first)"
    assert not any("accuracy" in line or "best" in line for line in lines)
    assert shown([]) == []
