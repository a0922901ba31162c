"""What `check` and `train` stop at although the config is sound: each at its line, and nothing that is there."""

from pathlib import Path

import pytest

from audiosurvey.augment.wave import reverb
from audiosurvey.config.checks import obstacles
from audiosurvey.config.loader import LoadedConfig, load_text
from audiosurvey.data.sets.toy import CLASSES
from audiosurvey.errors import UserError


def told(text: str) -> tuple[str, ...]:
    return refused(load_text(text, "x"))


def refused(loaded: LoadedConfig) -> tuple[str, ...]:
    try:
        loaded.refuse_obstacles()
    except UserError as error:
        return error.lines
    return ()


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    (line,) = told("model:\n  init: nowhere/weights.pt\n")
    assert line.startswith("x:2: model.init: nowhere/weights.pt: no such file or folder, and no weights of that name")
    # A name or an address is fetched when it is needed, and not before.
    assert told("model: {preset: mn04, init: efficientat/mn04_as}\n") == ()
    assert told("model: {preset: mn04, init: 'https://example.org/w.pt'}\n") == ()


@pytest.mark.parametrize("section", ["dataset", "pretrain.dataset"])
@pytest.mark.parametrize(
    ("key", "names", "said"),
    [
        ("classes", CLASSES[:1], f"'{CLASSES[0]}' is the only class left"),
        ("exclude_classes", CLASSES[1:], f"'{CLASSES[0]}' is the only class left"),
        ("exclude_classes", CLASSES, "no class is left"),
        ("exclude_classes", CLASSES[2:], None),
    ],
)
def test_too_few_classes(section: str, key: str, names: tuple[str, ...], said: str | None) -> None:
    loaded = load_text("", "x", [f"{section}={{name: toy, {key}: [{', '.join(names)}]}}"])
    if said is None:
        assert refused(loaded) == ()
    else:
        (line,) = refused(loaded)
        assert f"{section}.{key}: {said}" in line


def test_classes_of_own_data_once_it_is_there(tones: Path, tmp_path: Path) -> None:
    text = "dataset:\n  name: folder\n  root: '{}'\n  {}\n"
    assert told(text.format(tones.as_posix(), "classes: [low, mid]")) == ()
    (line,) = told(text.format(tones.as_posix(), "exclude_classes: [low, mid, high]"))
    assert line.startswith("x:4: dataset.exclude_classes: 'noise' is the only class left")
    (line,) = told(text.format(tones.as_posix(), "classes: [low, mit]"))
    assert line.startswith("x:4: dataset.classes: unknown class 'mit'; did you mean 'mid'?")
    assert told(text.format((tmp_path / "later").as_posix(), "classes: [low]")) == ()


def test_rooms_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "augmentation:\n  reverb:\n    p: {}\n    folder: '{}'\n"
    (line,) = told(text.format(0.5, (tmp_path / "rooms").as_posix()))
    assert line.startswith("x:4: augmentation.reverb.folder: ")
    assert "no such folder" in line
    (line,) = told(text.format(0.5, tmp_path.as_posix()))
    assert "no sound files in" in line
    assert told(text.format(0, (tmp_path / "rooms").as_posix())) == ()
    monkeypatch.setattr(reverb, "find_spec", lambda package: None)
    (line,) = told("augmentation:\n  reverb: {p: 1}\n")
    assert line.startswith("x:2: augmentation.reverb.folder: synthesised rooms need pyroomacoustics")


def test_trackers_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told("tracking: [tensorboard]\n") == told("tracking: []\n") == ()
    monkeypatch.setattr(obstacles, "find_spec", lambda package: None)
    assert told("tracking:\n  - wandb\n  - mlflow\n") == (
        "x:2: tracking.0: wandb is not installed; run 'pip install wandb' or take it out",
        "x:3: tracking.1: mlflow is not installed; run 'pip install mlflow' or take it out",
    )


def test_they_are_refused_all_at_once() -> None:
    loaded = load_text("model: {init: no.pt}\ndataset: {classes: [dog]}\n", "x")
    with pytest.raises(UserError) as error:
        loaded.refuse_obstacles()
    assert [line.split(": ")[:2] for line in error.value.lines] == [["x:1", "model.init"], ["x:2", "dataset.classes"]]


def test_synchronised_norms_need_a_gpu() -> None:
    loaded = load_text("seed: 1\ntrain:\n  sync_batchnorm: true\n", "x")
    assert refused(loaded) == ()
    loaded.refuse_device("cuda")
    with pytest.raises(UserError) as error:
        loaded.refuse_device("cpu")
    (line,) = error.value.lines
    assert line.startswith("x:3: train.sync_batchnorm: torch's SyncBatchNorm needs a GPU, and this run is on cpu; ")
    load_text("train: {sync_batchnorm: false}\n", "x").refuse_device("cpu")


def test_a_pretraining_that_is_not_run_asks_for_no_gpu() -> None:
    load_text("pretrain: {sync_batchnorm: true}\n", "x").refuse_device("cpu")
    with pytest.raises(UserError, match=r"x:1: pretrain\.sync_batchnorm: "):
        load_text("pretrain: {sync_batchnorm: true}\npretrain_urban: true\n", "x").refuse_device("cpu")
