from pathlib import Path

import pytest
from typer.testing import CliRunner

from audiosurvey.cli.main import app
from audiosurvey.config.loader import load_text
from audiosurvey.errors import UserError
from audiosurvey.runs.plan import TrainOptions
from audiosurvey.runs.quick import shortened
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.runs.train import train
from audiosurvey.runs.validity import caveats


def test_a_tenth_of_the_epochs_of_each_stage(tiny_yaml: str):
    def epochs(*overrides: str) -> int | None:
        return shortened(load_text(tiny_yaml, "t", overrides)).config.train.epochs

    assert [epochs(f"train.epochs={n}") for n in (1, 5, 40, 96)] == [1, 1, 4, 10]
    patient = shortened(load_text(tiny_yaml, "t", ["train.epochs=0", "train.patience=5"])).config
    assert (patient.train.epochs, patient.train.patience, patient.protocol.selection) == (4, None, "last")
    text = tiny_yaml + "pretrain: {epochs: 30, dataset: {name: toy}}\n"
    assert shortened(load_text(text, "t")).config.pretrain.epochs == 3
    assert shortened(load_text("dataset: {name: toy}\n", "t")).config.train.epochs == 4


def test_one_fold_marked_as_a_quick_look(tiny_yaml: str, tmp_path: Path):
    (tmp_path / "my.yaml").write_text(tiny_yaml.replace("epochs: 2", "epochs: 30"), encoding="utf-8")
    run = tmp_path / "run"
    done = CliRunner().invoke(
        app,
        ["train", str(tmp_path / "my.yaml"), "--quick", "--run-dir", str(run)],
    )
    assert done.exit_code == 0, done.output
    results = RunFolder(run).require_results()
    assert (results.done, results.folds[0].epochs, results.quick) == ([1], 3, 30)
    assert caveats(results)[0].startswith("quick look")
    told = " ".join(done.output.split())
    assert "on fold 1 after 3 of 30 epochs (always 'high' would give 0.250); the training loss went from" in told


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"final": True}, "^quick=True: trains one fold for a tenth of the epochs, and nothing else; leave final out$"),
        ({"resume": True}, "leave resume out$"),
        ({"folds": [1, 2]}, r"give one number in folds$"),
    ],
)
def test_what_does_not_go_with_it(options: dict, line: str, tiny_yaml: str, tmp_path: Path):
    with pytest.raises(UserError, match=line):
        train(load_text(tiny_yaml, "t"), TrainOptions(tmp_path / "run", quick=True, **options))
    assert not (tmp_path / "run").exists()
