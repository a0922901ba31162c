from pathlib import Path

import pytest

from audiosurvey.config.loader import load_text
from audiosurvey.data.sounds import prepare_sounds as prepare
from audiosurvey.runs.advice import advice
from audiosurvey.runs.evaluation.heldout import fold_split


def told(tiny_yaml: str, *overrides: str) -> list[str]:
    config = load_text(tiny_yaml, "tiny.yaml", overrides).config
    sounds = prepare(config.dataset, config.sample_rate)
    return advice(config, sounds, fold_split(config, sounds.table, 1))


def test_few_steps(tiny_yaml: str):
    # 24 clips in 3 folds: 16 train, in 2 batches of 8, for 2 epochs.
    (line,) = told(tiny_yaml)
    assert line.startswith("4 training steps (16 clips in batches of 8, 2 epochs) are few")
    assert line.endswith("set train.epochs: 300")
    assert told(tiny_yaml, "train.epochs=150") == []
    assert told(tiny_yaml, "train.epochs=0", "train.patience=3") == []


@pytest.mark.parametrize(("pad", "words"), [("repeat", "repeats of the clip"), ("zeros", "padding")])
def test_mostly_padding(pad: str, words: str, tiny_yaml: str):
    (line,) = told(tiny_yaml, "dataset.clip_seconds=2", f"dataset.pad={pad}", "train.epochs=150")
    assert line.startswith(f"75% of the network's input is {words}: half of the clips last 0.5 s at most")
    assert line.endswith("set dataset.clip_seconds: 0.5")
    assert told(tiny_yaml, "dataset.clip_seconds=0.9", "train.epochs=150") == []


def test_train_says_it(tiny_yaml: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    from audiosurvey.reporting.listener import TerminalListener
    from audiosurvey.runs.plan import TrainOptions
    from audiosurvey.runs.train import train

    loaded = load_text(tiny_yaml, "tiny.yaml", ["train.epochs=1"])
    train(loaded, TrainOptions(tmp_path / "run", folds=[1]), TerminalListener())
    assert "classes: high 6, low 6, mid 6, noise 6\n" in (err := capfd.readouterr().err)
    assert "note: 2 training steps (16 clips" in err
