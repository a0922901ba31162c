"""The table of contents: complete, and loaded as far as it is used."""

import subprocess
import sys

import pytest

from audiosurvey import pipeline


@pytest.mark.parametrize("name", pipeline.__all__)
def test_every_name_is_there_and_described(name: str):
    assert getattr(pipeline, name).__doc__


def test_another_name_is_an_error():
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        pipeline.trian  # pyright: ignore[reportAttributeAccessIssue] # noqa: B018


@pytest.mark.parametrize(
    ("used", "not_loaded"),
    [
        ("__all__", ["torch", "numpy"]),
        ("train", ["matplotlib", "sklearn", "audiosurvey.reporting", "audiosurvey.comparison"]),
        ("open_survey", ["matplotlib", "ray", "optuna", "audiosurvey.reporting", "audiosurvey.analysis"]),
    ],
)
def test_commands_do_not_wait_for_what_they_do_not_need(used: str, not_loaded: list[str]):
    program = f"import sys; from audiosurvey import pipeline; pipeline.{used}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not set(not_loaded) & set(said)
