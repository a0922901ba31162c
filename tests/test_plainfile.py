"""Pipes, devices and sockets are told apart without being opened."""

import os
import socket
from pathlib import Path

import pytest

from audiosurvey.plainfile import not_plain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="no named pipes in the file system")


def test_pipes_devices_and_sockets_are_not_plain(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "s"))
    assert not_plain(tmp_path / "pipe") == "not a plain file (named pipe)"
    assert not_plain(tmp_path / "link") == "not a plain file (device)"
    assert not_plain(tmp_path / "s") == "not a plain file (socket)"


def test_files_folders_and_missing_paths_are_left_to_those_who_open_them(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "lost").symlink_to("nowhere")
    for name in ("file", "link", "lost", "", "missing", "\0"):
        assert not_plain(tmp_path / name) is None
