"""Fixtures for all tests: where the real data is, and a cache of the test's own."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data and specifications; its tests are skipped where it is absent."""
    folder = Path(os.environ.get("AUDIOSURVEY_SHARED", REPOSITORY.parent / "shared")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is absent (AUDIOSURVEY_SHARED says where it is)")
    return folder


@pytest.fixture(autouse=True)
def tmp_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stores and caches of a test go to a folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("AUDIOSURVEY_CACHE", str(folder))
    return folder
