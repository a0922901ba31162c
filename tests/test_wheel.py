"""The wheel: what is inside, and that it works away from the checkout."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def run(*words: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that no build folder is left in the checkout; nothing is fetched."""
    pytest.importorskip("setuptools", minversion="77", reason="builds without fetching anything")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, source)
    shutil.copytree(REPOSITORY / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    run("-m", "pip", "wheel", ".", "--no-build-isolation", "--no-deps", "--no-index", "-w", "dist", cwd=source)
    (built,) = (source / "dist").glob("audiosurvey-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("site")
    run("-m", "pip", "install", "--no-deps", "--no-index", "--target", target, wheel, cwd=target)
    return target


def test_everything_that_is_no_python_is_inside(wheel: Path):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    source = REPOSITORY / "src"
    wanted = {
        path.relative_to(source).as_posix()
        for path in (source / "audiosurvey").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
    }
    assert wanted - names == set()
    expected = {"py.typed", "config/manual/schema.json", "presets/original.yaml"}
    assert {f"audiosurvey/{name}" for name in expected} <= names
    assert any(name.endswith("entry_points.txt") for name in names)
    assert any(name.endswith("LICENSE") for name in names)
    assert not any(name.startswith(("tests", "data", "docs")) for name in names)


def test_it_trains_the_toy_preset_outside_the_checkout(installed: Path, tmp_path):
    place = {"PYTHONPATH": str(installed), "AUDIOSURVEY_CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    found = run("-c", "import audiosurvey; print(audiosurvey.__file__)", cwd=tmp_path, **place)
    assert Path(found.strip()).is_relative_to(installed)
    words = ("train", "toy", "--run-dir", "run", "--folds", "1", "--set", "train.epochs=1", "--json", "--device", "cpu")
    results = json.loads(run("-m", "audiosurvey", *words, cwd=tmp_path, **place))
    assert results["dataset"]["name"] == "toy"
    assert results["dataset"]["clips"] == 300
    assert (tmp_path / "data" / "toy" / "meta" / "esc50.csv").is_file()
    code = "import audiosurvey, numpy; print(len(audiosurvey.load('run/fold-1').predict(numpy.zeros(16000))))"
    assert run("-c", code, cwd=tmp_path, **place) == "10\n"
