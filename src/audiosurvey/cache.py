"""Where what can be made again is kept: stores and content hashes, never inside a data set."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The user's cache: `AUDIOSURVEY_CACHE` where it is set, else the platform's place. Not created here."""
    chosen = os.environ.get("AUDIOSURVEY_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("audiosurvey", appauthor=False))
