"""Threads that wait must not take the processors from others; what the user has set stays."""

import subprocess
import sys

import pytest

from audiosurvey.cli.waiting import wait_without_spinning


def test_threads_sleep_soon():
    environment = {"PATH": "/bin"}
    wait_without_spinning(environment)
    assert environment == {"PATH": "/bin", "GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}


@pytest.mark.parametrize("name", ["OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "KMP_LIBRARY"])
def test_the_choice_of_the_user_stays(name: str):
    environment = {name: "active"}
    wait_without_spinning(environment)
    assert environment == {name: "active"}


def test_it_is_set_before_torch_is_loaded():
    program = """
import os, sys
from audiosurvey.cli import main, waiting
def seen(environment):
    print("torch" in sys.modules)
    raise SystemExit
main.wait_without_spinning = seen
main.main()
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "False\n"
