"""The pictures of a run folder: that they are drawn, show what they are given, and close their figures."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from audiosurvey.reporting.figures import confusion_figure, curves_figure, draw_batch, save_figure
from audiosurvey.reporting.run_figures import confusion_of
from audiosurvey.runs.results.results import RunResults


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("classes", [2, 10, 50])
def test_a_confusion_of_any_size_is_readable(tmp_path, classes):
    counts = np.eye(classes, dtype=int) * 38 + 1
    names = [f"a_rather_long_name_{k}" for k in range(classes)]
    save_figure(
        confusion_figure(counts.tolist(), names, "esc50, folds 1, 2: accuracy 0.500 (optimistic)"),
        tmp_path / "confusion.png",
    )
    picture = pixels(tmp_path / "confusion.png")
    height, width, _ = picture.shape
    assert min(height, width) >= 12 * classes + 200
    # The diagonal is the darkest blue.
    assert (picture == picture.reshape(-1, 3).min(axis=0)).any()
    assert [path.name for path in tmp_path.iterdir()] == ["confusion.png"]


def test_uneven_classes_are_told_in_the_title():
    results = RunResults.model_validate(
        {
            "dataset": {"name": "folder", "subset": None, "hash": "abc"},
            "official": False,
            "not_official": None,
            "selection": "last",
            "optimistic": False,
            "leaking": False,
            "all_folds": [1],
            "as_published": False,
            "classes": ["robin", "owl"],
            "multi_label": False,
            "folds": [],
            "mean": {"accuracy": 0.9, "balanced_accuracy": 0.5},
            "std": {},
            "seconds": 1.0,
            "confusion": [[90, 0], [10, 0]],
            "skipped": [],
            "notes": [],
        }
    )
    title = confusion_of(results).get_suptitle().replace("\n", " ")
    assert "accuracy 0.900 (always 'robin': 0.900), balanced accuracy 0.500" in title
    even = confusion_of(results.changed(confusion=[[9, 0], [9, 1]])).get_suptitle()
    assert "always" not in even


def test_a_class_without_clips_is_no_division_by_zero(tmp_path):
    with np.errstate(all="raise"):
        save_figure(confusion_figure([[0, 0], [1, 3]], ["a", "b"], "x"), tmp_path / "confusion.png")
    assert pixels(tmp_path / "confusion.png").size


def history(epochs: int, side: str = "test", metric: str = "accuracy") -> list[dict[str, Any]]:
    return [
        {"epoch": e, "train_loss": 1 / e, "train_accuracy": 0.5, f"{side}_loss": 2 / e, f"{side}_{metric}": 0.4}
        for e in range(1, epochs + 1)
    ]


@pytest.mark.parametrize(
    "histories",
    [
        {1: history(5), 2: history(5)},
        {1: history(1)},
        {1: history(5, "val"), 2: history(9, "val")},
        {1: history(4, metric="map")},
        {1: [{"epoch": 1, "train_loss": 0.5, "train_accuracy": 0.5}]},
        {},
    ],
)
def test_curves_of_every_kind_of_run(tmp_path, histories):
    save_figure(curves_figure(histories, "toy, folds 1, 2"), tmp_path / "curves.png")
    assert pixels(tmp_path / "curves.png").shape[1] > 600


def test_more_epochs_draw_something_else(tmp_path):
    for epochs in (3, 30):
        save_figure(curves_figure({1: history(epochs)}, "toy"), tmp_path / f"{epochs}.png")
    assert not np.array_equal(pixels(tmp_path / "3.png"), pixels(tmp_path / "30.png"))


@pytest.mark.parametrize("clips", [1, 3, 8, 12])
def test_a_batch_is_a_picture(clips):
    mel_BCTF = np.random.default_rng(0).random((clips, 1, 50, 16)).astype(np.float32)
    picture = draw_batch(mel_BCTF, [f"a/very/long/way/to/a/clip-{n}.wav" for n in range(clips)])
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert len(np.unique(picture)) > 20


def test_no_figure_is_left_in_the_global_state(tmp_path):
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    save_figure(curves_figure({1: history(3)}, "x"), tmp_path / "curves.png")
    assert pyplot.get_fignums() == before
    assert matplotlib.get_backend()


def test_the_ticks_of_a_single_epoch_are_whole(tmp_path):
    figure = curves_figure({1: history(1)}, "x")
    save_figure(figure, tmp_path / "curves.png")
    for axes in figure.axes:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]
