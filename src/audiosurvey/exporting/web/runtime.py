"""ONNX Runtime Web, which runs models in browsers: two files of the npm package `onnxruntime-web`, cached."""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.cache import cache_folder
from audiosurvey.errors import ArgumentError, UserError

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"
_MODULE, _WASM = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
_SHA256 = {
    _MODULE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    _WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
_PATIENCE_S = 600
_USED = ("InferenceSession", "Tensor", "env")


@dataclass(frozen=True)
class WebRuntime:
    """The contents of both files."""

    module: bytes
    wasm: bytes

    @property
    def script(self) -> str:
        """The module as a classic script that defines `ort`.

        A page that is opened from disk has no origin, for which browsers load neither modules nor module workers.
        """
        text = self.module.decode("utf-8").replace("import.meta.url", "self.location.href")
        code, exports = text.rsplit("export{", 1)
        names = (pair.split(" as ") for pair in exports.split("}")[0].split(","))
        public = ",".join(f"{name}:{inside}" for inside, name in names if name in _USED)
        return f"self.ort=(()=>{{{code};return{{{public}}}}})();\n"


def find_runtime(place: Path | None) -> WebRuntime:
    """The runtime from `place` (the package, its folder `dist`, or its .tgz), else from the cache, else from npm.

    Raises UserError if it is not there, or its contents are not those of this version.
    """
    if place is not None:
        return _read_place(place)
    cached = cache_folder() / f"onnxruntime-web-{VERSION}"
    if not all((cached / name).is_file() for name in _SHA256):
        _fetch(cached)
    return _read_folder(cached)


def _read_place(place: Path) -> WebRuntime:
    if place.is_file() and place.suffix == ".tgz":
        with tempfile.TemporaryDirectory() as folder:
            _unpack(place, Path(folder))
            return _read_folder(Path(folder), place)
    for folder in (place, place / "dist", place / "package" / "dist"):
        if (folder / _WASM).is_file():
            return _read_folder(folder)
    raise ArgumentError(
        f"{{onnxruntime}}: no {_WASM} in it; give the npm package {PACKAGE}, as a folder or .tgz", onnxruntime=place
    )


def _read_folder(folder: Path, shown: Path | None = None) -> WebRuntime:
    found: dict[str, bytes] = {}
    for name, wanted in _SHA256.items():
        path = folder / name
        try:
            found[name] = path.read_bytes()
        except OSError as error:
            raise UserError(f"{shown or path}: {name} cannot be read ({error.strerror or error})") from error
        if hashlib.sha256(found[name]).hexdigest() != wanted:
            raise UserError(f"{shown or path}: {name} is not that of {PACKAGE}; give that version, or delete the file")
    return WebRuntime(found[_MODULE], found[_WASM])


def _fetch(cached: Path) -> None:
    """Both files into the cache, from npm."""
    npm = shutil.which("npm")
    mend = f"run 'npm pack {PACKAGE}' where there is a network, and give the file as {{onnxruntime}}"
    if npm is None:
        raise ArgumentError(f"the page needs {PACKAGE}, and there is no npm to get it; {mend}", onnxruntime=...)
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".onnxruntime-web-") as folder:
        try:
            subprocess.run(
                [npm, "pack", PACKAGE, "--loglevel=error", "--ignore-scripts"],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=_PATIENCE_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", None) or b"").decode("utf-8", "replace").strip().splitlines()
            reason = " ".join((said[0] if said else str(error)).split())[:120]
            raise ArgumentError(f"npm could not get {PACKAGE} ({reason}); {mend}", onnxruntime=...) from error
        unpacked = Path(folder) / "dist"
        unpacked.mkdir()
        for archive in Path(folder).glob("*.tgz"):
            _unpack(archive, unpacked)
        # Checked before it is kept.
        _read_folder(unpacked)
        shutil.rmtree(cached, ignore_errors=True)
        unpacked.rename(cached)


def _unpack(archive: Path, folder: Path) -> None:
    """The two files, and nothing else, of the package."""
    try:
        with tarfile.open(archive) as tar:
            for name in _SHA256:
                member = tar.extractfile(f"package/dist/{name}")
                if member is not None:
                    (folder / name).write_bytes(member.read())
    except (OSError, tarfile.TarError, KeyError, EOFError) as error:
        raise UserError(f"{archive}: not the npm package {PACKAGE} ({error})") from error
