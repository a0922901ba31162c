"""Settings that change nothing are told at their line; where they act, or stand at their default, nothing is said."""

import pytest

from audiosurvey.config.loader import load_config, load_text
from audiosurvey.config.presets import preset_names

MIXED = "augmentation: {mixup: {p: 0.5}}\n"
SGD = "optimizer: {name: sgd, %s}\n"
ADAM = "optimizer: {%s}\n"
RATE = "schedule: {%s}\n"
FIRST = "pretrain: {%s}\n"
URBAN = "pretrain_urban: true\n"
AUG = "augmentation: {%s}\n"
LOSS = "loss: {%s}\n"
BY_PATIENCE = "train: {patience: 5}\n"
BOTH = "train: {patience: 5, epochs: 30}\n"
UNION = "mixed: union, union_below: 0.5"
INIT = "model: {preset: mn04, init: efficientat/mn04_as}\n"


def told(text: str) -> list[tuple[str, str]]:
    """(dotted path, message) of every warning."""
    return [(line.split(": ")[1], line.split(": ", 2)[2]) for line in load_text(text, "x").warnings]


@pytest.mark.parametrize(
    ("idle", "key", "said", "acts"),
    [
        (ADAM % "momentum: 0.8", "optimizer.momentum", "optimizer.name: adamw", SGD % "momentum: 0.8"),
        (ADAM % "nesterov: true", "optimizer.nesterov", "adamw; only sgd uses it", SGD % "nesterov: true"),
        (SGD % "nesterov: true, momentum: 0", "optimizer.nesterov", "momentum: 0", ""),
        (SGD % "beta1: 0.8", "optimizer.beta1", "name: sgd", ADAM % "beta1: 0.8"),
        (SGD % "beta2: 0.8", "optimizer.beta2", "name: sgd", ADAM % "beta2: 0.8, beta1: 0.9"),
        (ADAM % "layer_decay: 0.7", "optimizer.layer_decay", "give model.init", ADAM % "layer_decay: 0.7" + URBAN),
        (ADAM % "layer_decay: 0.7", "optimizer.layer_decay", "give model.init", ADAM % "layer_decay: 0.7" + INIT),
        (RATE % "name: cosine" + BY_PATIENCE, "schedule.name", "patience alone", RATE % "name: cosine" + BOTH),
        (
            RATE % "start: 0.5",
            "schedule.start",
            "cosine; only one_cycle uses it",
            RATE % "name: one_cycle, start: 0.5",
        ),
        (RATE % "name: constant, warmup: 0.2", "schedule.warmup", "schedule.name: constant", RATE % "warmup: 0.2"),
        (RATE % "name: one_cycle" + BOTH, "train.patience", "may end training", RATE % "name: cosine" + BOTH),
        (FIRST % "epochs: 3", "pretrain.epochs", "give pretrain.dataset", FIRST % "epochs: 3" + URBAN),
        (FIRST % "patience: 3", "pretrain.patience", "give pretrain.dataset", FIRST % "patience: 3, dataset: null"),
        (FIRST % "lr: 0.1", "pretrain.lr", "give pretrain.dataset", FIRST % "lr: 0.1" + "pretrain_urban: false\n"),
        (LOSS % "mixed: union", "loss.mixed", "no clip is mixed", LOSS % "mixed: union" + MIXED),
        (LOSS % "union_below: 0.5" + MIXED, "loss.union_below", "loss.mixed: weighted", MIXED + LOSS % UNION),
        (AUG % "mix_waves: last", "augmentation.mix_waves", "no waves", AUG % "mix_waves: last, mixup: {p: 1}"),
        (
            AUG % "noise: {min_snr_db: 5}",
            "augmentation.noise",
            "is off",
            AUG % "noise: {p: 0, min_snr_db: 5}",
        ),
    ],
)
def test_what_changes_nothing_is_told(idle: str, key: str, said: str, acts: str) -> None:
    ((path, message),) = told(idle)
    assert path == key
    assert said in message
    assert told(acts) == []


@pytest.mark.parametrize("name", ["mixup", "timemix", "freqmix", "phmix", "mel_mixup", "cutmix"])
def test_a_mixing_that_never_begins(name: str) -> None:
    text = f"augmentation: {{{name}: {{p: 0.2, start_epoch: %d}}}}\ntrain: {{epochs: 9}}\n"
    # Epochs are counted from 1: the ninth is the last.
    assert told(text % 9) == []
    ((path, message),) = told(text % 10)
    assert path == f"augmentation.{name}.start_epoch"
    assert message == "10 is never reached: train.epochs is 9"
    assert told(text % 10 + "pretrain: {epochs: 20}\npretrain_urban: true\n") == []
    assert told((text % 10).replace("epochs", "patience")) == []


def test_dropped_blocks_larger_than_the_map() -> None:
    # 5 s in steps of 10 ms, 64 bands: after a maximum over two frames 250 x 64.
    text = "model: {blocks: [max_pool: [2, 2], drop: %s, pooling: {flat: true}]}\n"
    assert told(text % "[1, 0.1, 250, 64]") == []
    assert told(text % "[0, 0.1, 251, 64]") == []
    for numbers in ("[1, 0.1, 251, 64]", "{p: 1, dp: 0.1, t: 250, f: 65}"):
        ((path, message),) = told(text % numbers)
        assert path == "model.blocks.1.drop"
        assert "larger than the map here, 250 x 64" in message
    # A step hears 2 s of it.
    ((_, message),) = told(text % "[1, 0.1, 101, 64]" + "train: {crop_seconds: 2}\n")
    assert "100 x 64" in message


def test_a_probe_trains_on_no_sections_and_freezes_nothing_more() -> None:
    text = INIT.replace("}", ", freeze: body, keep_statistics: true}") + "train: {head_only: true, crop_seconds: 2}\n"
    lines = [(path, "train.head_only: true" in message) for path, message in told(text)]
    assert sorted(lines) == [("model.freeze", True), ("model.keep_statistics", True), ("train.crop_seconds", True)]


@pytest.mark.parametrize("name", preset_names())
def test_nothing_is_said_of_presets(name: str) -> None:
    loaded = load_config(name)
    assert [line for line in loaded.warnings if "f_max" not in line] == []
    again = load_text(loaded.resolved_yaml(), name)
    assert [line for line in again.warnings if "f_max" not in line] == []
