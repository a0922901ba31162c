"""The run folder: who may write into it, and what it was made with."""

import os
import platform
import shutil
import socket
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from filelock import FileLock, Timeout

from audiosurvey.atomic import write_text
from audiosurvey.config.root import Config
from audiosurvey.config.stored import read_stored
from audiosurvey.errors import Interrupted, UserError
from audiosurvey.runs.results.results import Results, read_json, read_results, write_json
from audiosurvey.training.devices import number_format
from audiosurvey.training.precision import Precision
from audiosurvey.version import __version__

_BEFORE_THE_CONFIG = ("lock", "environment.json", "environment.json.tmp", "config.yaml.tmp")
"""What a process that died in its first moments may leave: such a folder holds no run."""


class RunFolder:
    """A run on disk. Each fold has its own folder, made when the fold starts."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def config_path(self) -> Path:
        return self.path / "config.yaml"

    @property
    def environment_path(self) -> Path:
        return self.path / "environment.json"

    @property
    def results_path(self) -> Path:
        return self.path / "results.json"

    def fold(self, number: int) -> Path:
        return self.path / f"fold-{number}"

    @property
    def pretraining(self) -> Path:
        return self.path / "pretrain"

    @property
    def model(self) -> Path:
        """The final model, where there is one."""
        return self.path / "model"

    @property
    def final(self) -> Path:
        """What is kept of the training of the final model."""
        return self.path / "final"

    def read_results(self) -> Results | None:
        """What stands in results.json, None before the first fold has ended. Raises UserError for a damaged file."""
        return read_results(self.results_path, self.scored_anew) if self.results_path.exists() else None

    def read_config(self) -> Config:
        """The (resolved) config that the run was made with. Raises UserError where this version cannot read it."""
        return read_stored(self.config_path, "put back a copy of it, or go on with the version that wrote it")

    @property
    def scored_anew(self) -> str:
        """What mends damaged results: the checkpoints of the folds hold all that they are made of."""
        again = f"audiosurvey train {self.config_path.as_posix()} --run-dir {self.path.as_posix()} --resume"
        return f"remove {self.results_path.as_posix()}, and '{again}' writes it anew from the checkpoints of the folds"

    def precision_on(self, device: torch.device) -> Precision | None:
        """The number format that the run began with, None where it began on another kind of device or not at all."""
        begun = self._environment() if self.config_path.exists() else {}
        return begun["precision"] if begun.get("device") == device.type else None

    def refuse(self, config: Config, *, resume: bool) -> None:
        """Raises UserError where a run of this (resolved) config cannot be written here. Touches nothing.

        The folder holds something and `resume` is not asked for, or is not there and it is; or was made with another
        config: each differing key is named.
        """
        if resume and not self.path.exists():
            raise UserError(
                f"{self.path}: no such run folder to go on with; leave --resume out to begin a run there, or name "
                "another --run-dir ('audiosurvey runs' lists what there is)"
            )
        if self.path.is_dir() and any(entry.name not in _BEFORE_THE_CONFIG for entry in self.path.iterdir()):
            if not resume:
                raise UserError(f"{self.path}: already there; give --resume to go on with it, or another --run-dir")
            if not self.config_path.exists():
                raise UserError(f"{self.path}: not a run folder (no config.yaml in it); give another --run-dir")
            self._compare(config)
        elif self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path}: is a file; give another --run-dir")
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not os.access(there, os.W_OK):
            raise UserError(f"{self.path}: cannot be written ({there} is read-only for you); give another --run-dir")

    def start(self, resolved_yaml: str, accelerator: Accelerator, data_hash: str, jobs: int = 1) -> None:
        """Writes what a run begins with. A run that is there already keeps its own; raises UserError where its data was
        another. `jobs`: how many folds are trained side by side."""
        if self.config_path.exists():
            if self._environment()["data_hash"] != data_hash:
                raise UserError(f"{self.path}: the data changed since the run began; give another --run-dir")
            return
        write_json(self.environment_path, environment(accelerator, jobs) | {"data_hash": data_hash})
        write_text(self.config_path, resolved_yaml)

    def begun_with(self) -> dict[str, Any]:
        """What environment.json says. Raises UserError where it is missing or damaged."""
        return self._environment()

    def record_resume(self, means: dict[str, Any]) -> None:
        """Adds what the run goes on with to `resumed` of environment.json, unless it was the last to be added."""
        begun = self._environment()
        resumed = begun.get("resumed", [])
        if not resumed or resumed[-1] != means:
            write_json(self.environment_path, begun | {"resumed": [*resumed, means]})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a process trains here. The operating system frees it when the process ends, however it ends.

        A start that is refused in the block, or finds too little memory on the device, before anything was trained
        leaves the folder as it was: the mended command is not kept from it.
        """
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.path / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"{self.path}: another process is training in this folder") from None
        before = {entry.name for entry in self.path.iterdir()}
        left_as_found = False
        try:
            yield
        except Interrupted:
            raise
        except (UserError, torch.cuda.OutOfMemoryError):
            if before <= {*_BEFORE_THE_CONFIG} and not any(self.path.rglob("*.safetensors")):
                self._remove_all_but(before)
                left_as_found = True
            raise
        finally:
            lock.release()
            if left_as_found and missing:
                with suppress(OSError):
                    (self.path / "lock").unlink(missing_ok=True)
                    for folder in missing:
                        folder.rmdir()

    def _remove_all_but(self, names: Collection[str]) -> None:
        for entry in self.path.iterdir():
            if entry.name in names:
                continue
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                with suppress(OSError):
                    entry.unlink()

    def _environment(self) -> dict[str, Any]:
        """What the run began on. Raises UserError where that is not known any more."""
        path = self.environment_path
        mend = "put back a copy of it; without it nobody knows on what data the run began: else give another --run-dir"
        begun = read_json(path, mend)
        if begun.get("precision") not in ("fp32", "bf16", "fp16") or "data_hash" not in begun or "device" not in begun:
            raise UserError(f"{path}: damaged, without device, precision or data_hash; {mend}")
        return begun

    def _compare(self, config: Config) -> None:
        # The stored text is read through the same models, so that a key left to its default equals one written out.
        before = flat(self.read_config().model_dump(mode="json"))
        after = flat(config.model_dump(mode="json"))
        differing = [key for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]
        if differing:
            raise UserError(
                f"{self.path}: the run was made with another config; give another --run-dir, go on with "
                f"{self.config_path}, or set these back:",
                *(f"  {key}: {before.get(key)} in the run, {after.get(key)} now" for key in differing),
            )


def environment(accelerator: Accelerator, jobs: int = 1) -> dict[str, Any]:
    """What bit-equality depends on: versions, processor, threads, processes, number format."""
    packages = ("torch", "numpy", "accelerate", "soundfile", "soxr", "scikit-learn")
    return {
        "audiosurvey": __version__,
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "jobs": jobs,
        "device": accelerator.device.type,
        "precision": number_format(accelerator),
        "processes": accelerator.num_processes,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "cuda": torch.version.cuda,
        "devices": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
        "host": socket.gethostname(),
        "packages": {name: metadata.version(name) for name in packages},
    }


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; lists stay whole."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return found
