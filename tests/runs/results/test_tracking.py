"""What reaches TensorBoard, and that a tracker that is not installed is told before anything starts."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from audiosurvey.config.checks import obstacles
from audiosurvey.errors import UserError


@pytest.fixture(scope="module")
def events(finished_run: Path) -> EventAccumulator:
    return EventAccumulator(str(finished_run / "fold-2"), size_guidance={"images": 0}).Reload()


def test_scalars_of_training_and_test(events: EventAccumulator, finished_run: Path):
    tags = set(events.Tags()["scalars"])
    wanted = {"train/loss", "train/accuracy", "test/loss", "test/accuracy", "test/top3_accuracy", "test/auroc", "lr"}
    assert wanted <= tags
    lines = (finished_run / "fold-2" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    shown = [(event.step, event.value) for event in events.Scalars("test/accuracy")]
    assert [step for step, _ in shown] == [1, 2, 3, 4, 5, 6]
    assert [value for _, value in shown] == pytest.approx([record["test_accuracy"] for record in records])


def test_one_picture_of_an_augmented_batch(events: EventAccumulator):
    (tag,) = events.Tags()["images"]
    (picture,) = events.Images(tag)
    assert tag.startswith("augmented batch")
    image = Image.open(io.BytesIO(picture.encoded_image_string))
    assert min(image.size) > 300
    assert len(set(image.convert("L").tobytes())) > 20


def test_no_tracker_no_events(train_tiny, tmp_path):
    train_tiny(tmp_path / "run", "tracking=[]", "train.epochs=1", folds=[1])
    assert not list((tmp_path / "run").rglob("events*"))


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_tracker_that_is_not_installed_is_one_line(name, monkeypatch, train_tiny, tmp_path):
    monkeypatch.setattr(obstacles, "find_spec", lambda package: None)
    with pytest.raises(UserError, match=f"{name} is not installed; run 'pip install {name}'") as error:
        train_tiny(tmp_path / "run", f"tracking=[{name}]")
    assert len(error.value.lines) == 1
    assert not (tmp_path / "run").exists()
