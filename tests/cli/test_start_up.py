"""What each command loads: it should not wait for libraries that it does not use."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_survey import MakeSurvey

from audiosurvey.surveys.survey import SurveyOptions, open_survey

HEAVY = (
    "torch",
    "torch._dynamo",
    "sympy",
    "accelerate",
    "matplotlib",
    "scipy",
    "sklearn",
    "tensorboard",
    "gradio",
    "fastapi",
    "onnxruntime",
    "ray",
    "optuna",
)
PROGRAM = """
import sys
from audiosurvey.cli.main import main
sys.argv = ["audiosurvey", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert (end.code or 0) == {status}, end.code
print(*(name for name in {names} if name in sys.modules), sep=" ", file=sys.stderr)
"""


def loaded(folder: Path, *words: str | Path, status: int = 0) -> set[str]:
    """The heavy libraries that a command loads, which ends with this exit status."""
    program = [sys.executable, "-c", PROGRAM.format(names=HEAVY, status=status), *map(str, words)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "train --help",
        "similar --help",
        "suggest --help",
        "demo --help",
        "serve --help",
        "presets",
        "init",
        "cache",
        "check --schema",
    ],
    ids=lambda words: words,
)
def test_without_torch(words: str, tmp_path: Path):
    assert loaded(tmp_path, *words.split()) == set()


def test_data_is_looked_at_without_torch(tones: Path, tmp_path: Path):
    assert loaded(tmp_path, "init", "--root", tones) == set()


def test_results_are_listed_and_compared_without_torch(finished_run: Path, tmp_path: Path):
    assert loaded(tmp_path, "runs", finished_run.parent) == set()
    # The t distribution is SciPy's.
    assert loaded(tmp_path, "compare", finished_run) == {"scipy"}


def test_where_a_survey_stands_is_read_without_torch(make_survey: MakeSurvey, tmp_path: Path):
    opened = open_survey(make_survey("folds: [1]", configs="configs: [net.yaml]"), SurveyOptions())
    opened.train()
    assert loaded(tmp_path, "survey", "my.yaml", "--status") == set()
    assert loaded(tmp_path, "survey", "surveys/my", "--status", "--json") == set()


@pytest.mark.parametrize(
    "words",
    [
        "survey my.yaml --shard 5/3",
        "survey none.yaml",
        "survey none --status",
        "survey my.yaml --run-dir net.yaml",
        "report none",
        "report . --folds 1;2",
        "report . --folds 1",
        "report . --output net.yaml",
    ],
)
def test_mistakes_are_told_without_torch(make_survey: MakeSurvey, tmp_path: Path, words: str):
    make_survey()
    assert loaded(tmp_path, *words.split(), status=2) == set()


def test_configs_are_checked_and_described_without_the_compiler(tiny_yaml: str, tmp_path: Path):
    (tmp_path / "tiny.yaml").write_text(tiny_yaml, encoding="utf-8")
    assert loaded(tmp_path, "check", "tiny.yaml") <= {"torch", "sklearn", "scipy"}
    assert loaded(tmp_path, "describe", "tiny.yaml") == {"torch"}


def test_a_prediction_loads_torch_alone(finished_run: Path, tones: Path, tmp_path: Path):
    assert loaded(tmp_path, "predict", finished_run / "fold-1" / "model", tones / "low" / "0.wav") == {"torch"}


def test_sounds_are_searched_with_torch_alone(finished_run: Path, tones: Path, tmp_path: Path):
    model = finished_run / "fold-1" / "model"
    assert loaded(tmp_path, "similar", model, tones / "low" / "0.wav", tones) == {"torch"}
    assert loaded(tmp_path, "suggest", model, tones, "--output", "ask.csv") == {"torch"}
