"""ONNX Runtime Web is taken from where it is said to be, and only if it is the known version."""

import hashlib
import tarfile
from pathlib import Path

import pytest

from audiosurvey.errors import UserError
from audiosurvey.exporting.web import runtime
from audiosurvey.exporting.web.runtime import find_runtime

CONTENTS = {"ort.wasm.bundle.min.mjs": b"export {};", "ort-wasm-simd-threaded.wasm": b"\0asm"}


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """These contents are the known version."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(runtime, "_SHA256", digests)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """The npm package, unpacked."""
    dist = tmp_path / "onnxruntime-web" / "dist"
    dist.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (dist / name).write_bytes(content)
    return dist.parent


def packed(package: Path, path: Path) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        tar.add(package, "package")
    return path


def test_the_package_its_folder_and_its_archive(known: None, package: Path, tmp_path: Path):
    places = (package, package / "dist", packed(package, tmp_path / "onnxruntime-web.tgz"))
    for place in places:
        found = find_runtime(place)
        assert (found.module, found.wasm) == tuple(CONTENTS.values())


def test_another_version_is_refused(package: Path):
    with pytest.raises(UserError, match=r"ort.wasm.bundle.min.mjs is not that of onnxruntime-web@\d+\.\d+\.\d+; give"):
        find_runtime(package)


@pytest.mark.parametrize("name", ["nowhere", "other.tgz", "."])
def test_what_is_no_package(known: None, tmp_path: Path, name: str):
    (tmp_path / "other.tgz").write_bytes(b"other")
    with pytest.raises(UserError) as fault:
        find_runtime(tmp_path / name)
    assert len(fault.value.lines) == 1
    assert "onnxruntime-web@" in fault.value.lines[0]


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"there is no npm to get it; run 'npm pack .*' where there is a network"):
        find_runtime(None)


def fake_npm(folder: Path, script: str) -> str:
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_npm_is_asked_once(
    known: None, package: Path, tmp_path: Path, tmp_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    archive = packed(package, tmp_path / "onnxruntime-web.tgz")
    monkeypatch.setenv("PATH", fake_npm(tmp_path / "bin", f'test "$1" = pack && cp {archive} .'))
    assert find_runtime(None).wasm == b"\0asm"
    archive.unlink()
    assert find_runtime(None).wasm == b"\0asm"
    assert [path.name for path in tmp_cache.iterdir()] == [f"onnxruntime-web-{runtime.VERSION}"]


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo 'npm error: no network' >&2; exit 1", "npm could not get"), ("exit 0", "cannot be read")],
)
def test_npm_fails(tmp_path: Path, tmp_cache: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str):
    monkeypatch.setenv("PATH", fake_npm(tmp_path / "bin", script))
    with pytest.raises(UserError, match=said) as fault:
        find_runtime(None)
    assert len(fault.value.lines) == 1
    assert list(tmp_cache.iterdir()) == []
