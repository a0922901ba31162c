"""The public names: complete, and loaded as far as they are used."""

import subprocess
import sys
from pathlib import Path

import pytest

import audiosurvey


def loaded(program: str) -> set[str]:
    """The modules that a program loads."""
    program = f"import sys; {program}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("name", audiosurvey.__all__)
def test_every_name_is_there_and_described(name: str):
    assert name in dir(audiosurvey)
    assert name == "__version__" or getattr(audiosurvey, name).__doc__


def test_another_name_is_an_error():
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        audiosurvey.trian  # pyright: ignore[reportAttributeAccessIssue] # noqa: B018


def test_no_name_becomes_a_module_when_others_are_loaded():
    program = "import audiosurvey.cli.main; "
    program += "audiosurvey.load_config('toy'); names = [name for name in audiosurvey.__all__ if name[0] != '_']; "
    program += "assert not [name for name in names if hasattr(getattr(audiosurvey, name), '__path__')]"
    loaded(program)
    folders = {path.name for path in Path(audiosurvey.__file__).parent.iterdir() if (path / "__init__.py").exists()}
    assert not folders & set(audiosurvey.__all__)


def test_the_package_alone_loads_next_to_nothing():
    found = loaded("import audiosurvey; dir(audiosurvey)")
    assert not {"torch", "numpy", "yaml", "pydantic", "typer", "rich"} & found
    assert {name for name in found if name.startswith("audiosurvey")} == {"audiosurvey", "audiosurvey.version"}


@pytest.mark.parametrize(
    ("used", "not_loaded"),
    [
        ("open_run", ["torch", "matplotlib"]),
        ("compare", ["torch", "matplotlib"]),
        ("list_presets", ["torch", "numpy"]),
        ("train", ["torch", "audiosurvey.reporting", "audiosurvey.comparison"]),
        ("survey", ["torch", "ray", "optuna", "audiosurvey.analysis"]),
    ],
)
def test_functions_load_what_they_need_when_they_are_called(used: str, not_loaded: list[str]):
    assert not set(not_loaded) & loaded(f"import audiosurvey; audiosurvey.{used}")
