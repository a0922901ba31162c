"""The run folder: its files, and who may write into it."""

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from audiosurvey.atomic import write_text
from audiosurvey.config.reading.wording import show
from audiosurvey.errors import ArgumentError, Interrupted, UserError, some_of
from audiosurvey.runs.results.facts import FinalFacts, ParentFacts
from audiosurvey.runs.results.recipes import differing
from audiosurvey.runs.results.results import RunResults, joined, read_results
from audiosurvey.runs.results.row import ROW, read_row
from audiosurvey.runs.results.stored import parse_part, read_json, write_json

if TYPE_CHECKING:
    import torch

    from audiosurvey.config.root import Config
    from audiosurvey.training.precision import Precision

RESULT = "result.json"
"""The results of a fold, in its folder; in `final`, the facts of the final model."""
_BEFORE_THE_CONFIG = ("lock", "parent.json", "environment.json", "environment.json.tmp", "config.yaml.tmp")
"""A folder with nothing else holds no run: a process that died at once may leave these."""


class RunFolder:
    """A run on disk. Each fold has its own folder, made when the fold starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_path = path / "config.yaml"
        self.environment_path = path / "environment.json"
        self.results_path = path / "results.json"
        self.parent_path = path / "parent.json"
        """The run that this one continues, if it did."""
        self.pretraining = path / "pretrain"
        self.embeddings = path
        """Folder of the embeddings that folds share."""
        self.model = path / "model"
        """The final model, if there is one."""
        self.final = path / "final"
        """Log, checkpoint and result of its training."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunFolder) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.path)

    def fold(self, number: int) -> Path:
        return self.path / f"fold-{number}"

    def fold_result(self, number: int) -> Path:
        """Written last: a fold that has it has ended."""
        return self.fold(number) / RESULT

    def read_results(self, *, remake: bool = True) -> RunResults | None:
        """Results of all folds that have ended, joined from their own files; None before the first has ended.

        Runs of earlier versions have them in results.json alone: folds without a file are taken from there. With
        `remake` a missing results.json is written again. Raises UserError for a damaged file.
        """
        names = (path.parent.name.removeprefix("fold-") for path in self.path.glob(f"fold-*/{RESULT}"))
        folds = sorted(int(name) for name in names if name.isdigit())
        parts = [read_results(self.fold_result(fold), self.mend_result(fold)) for fold in folds]
        final = self._read_final()
        if not self.results_path.exists():
            if not parts:
                return None
            found = joined(parts).changed(final=final)
            if remake:
                # The folder may be read-only; nothing depends on the file.
                with suppress(OSError):
                    write_json(self.results_path, found.as_json())
            return found
        stored = read_results(self.results_path, self._mend(self.results_path))
        others = stored.without_folds(parts) if parts else stored
        found = joined([*parts, others] if others.folds else parts) if parts else stored
        return found.changed(final=final or stored.final)

    def require_results(self) -> RunResults:
        """`read_results`; raises UserError also if no fold has ended, or the folder holds a survey."""
        found = self.read_results()
        if found is not None and found.folds:
            return found
        if self._is_run():
            raise UserError(f"{self.path}: no finished fold yet; '{self._resume}' continues it")
        inside = [*self.path.glob("*/config.yaml"), *self.path.glob("runs/*/config.yaml")]
        if runs := sorted(config.parent.as_posix() for config in inside if RunFolder(config.parent)._is_run()):
            raise UserError(f"{self.path}: not a run; runs here: {some_of(runs, 5)}")
        for folder in self.path.absolute().parents[:2]:
            if RunFolder(folder)._is_run():
                raise UserError(f"{self.path}: not a run, but a part of one; give {folder.as_posix()}")
        raise UserError(f"{self.path}: not a run; expected a folder that 'audiosurvey train' has written")

    def _is_run(self) -> bool:
        # A model's folder has a config.yaml too.
        return self.config_path.is_file() and not (self.path / "model.json").exists()

    def _read_final(self) -> FinalFacts | None:
        path = self.final / RESULT
        if not path.exists():
            return None
        mend = "remove it, and train the final model again with --final; its finished epochs are kept"
        return parse_part(FinalFacts, read_json(path, mend), path, mend)

    def read_parent(self) -> ParentFacts | None:
        """The run that this one continues. Raises UserError for a damaged file."""
        if not self.parent_path.exists():
            return None
        mend = "put back a copy of it"
        return parse_part(ParentFacts, read_json(self.parent_path, mend), self.parent_path, mend)

    def read_config(self) -> "Config":
        """The resolved config of the run. Raises UserError if this version cannot read it."""
        # Results can be read without the config classes, which load torch.
        from audiosurvey.config.stored import read_stored

        return read_stored(self.config_path, "restore a copy of it, or use the version that wrote it")

    def mend_result(self, number: int) -> str:
        """Advice on a damaged result of a fold."""
        return self._mend_cell(number) or self._mend(self.fold_result(number))

    def mend_fold(self, number: int) -> str:
        """Advice on another damaged file of a fold that has ended."""
        return self._mend_cell(number) or self._mend(self.fold_result(number), self.results_path)

    def _mend_cell(self, number: int) -> str | None:
        """Advice on a fold that is a cell of a survey; None if it is not."""
        with suppress(UserError):
            row = read_row(self.path)
            if row is not None and (cell := row.cells.get(str(number))):
                # The files of the run are links to those of its cell.
                path = self.path.parent.parent / "cells" / cell
                return f"remove {path.as_posix()}, and run the survey again, which trains this fold again"
        return None

    def _mend(self, *paths: Path) -> str:
        """Advice on results.json and on the files of a fold, which can be made from its checkpoint."""
        removed = " and ".join(path.as_posix() for path in paths)
        if (self.path / ROW).is_file():
            return f"remove {removed}, and run the survey again, which writes it again"
        return f"remove {removed}, and '{self._resume}' writes it again without training"

    @property
    def _resume(self) -> str:
        """The command that continues the run."""
        return f"audiosurvey train {self.config_path.as_posix()} --run-dir {self.path.as_posix()} --resume"

    def precision_on(self, device: "torch.device") -> "Precision | None":
        """The number format of the run; None if it began on another kind of device, or not at all."""
        begun = self.begun_with() if self.config_path.exists() else {}
        return begun["precision"] if begun.get("device") == device.type else None

    def refuse(self, config: "Config", *, resume: bool) -> None:
        """Raises UserError if a run of this resolved config cannot be written here. Changes nothing.

        Without `resume` the folder must be empty or missing; with it, it must hold a run of the same config.
        """
        if resume and not self.path.exists():
            raise ArgumentError(
                f"{self.path}: no such run folder to continue; leave {{resume}} out to begin a run there, or give "
                "another {run_dir} ('audiosurvey runs' lists what there is)",
                resume=...,
                run_dir=...,
            )
        if self.path.is_dir() and any(entry.name not in _BEFORE_THE_CONFIG for entry in self.path.iterdir()):
            if not resume:
                raise ArgumentError(
                    f"{self.path}: already exists; give {{resume}} to continue it, or another {{run_dir}}",
                    resume=True,
                    run_dir=...,
                )
            if not self.config_path.exists():
                raise ArgumentError(
                    f"{self.path}: not a run folder (no config.yaml in it); give another {{run_dir}}", run_dir=...
                )
            self._compare(config)
        elif self.path.exists() and not self.path.is_dir():
            raise ArgumentError(f"{self.path}: is a file; give another {{run_dir}}", run_dir=...)
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not os.access(there, os.W_OK):
            raise ArgumentError(
                f"{self.path}: cannot be written (no permission for {there}); give another {{run_dir}}", run_dir=...
            )

    def start(
        self, resolved_yaml: str, environment: dict[str, Any], data_hash: str, background_hash: str | None = None
    ) -> None:
        """Writes config and environment, unless they are there; raises UserError if the data were others then.

        `background_hash`: of the recordings of `augmentation.background`, where these are used.
        """
        if self.config_path.exists():
            begun = self.begun_with()
            if begun.get("background_hash") != background_hash:
                raise ArgumentError(
                    f"{self.path}: the recordings in augmentation.background.folder changed since the run began; "
                    "give another {run_dir}",
                    run_dir=...,
                )
            if begun["data_hash"] != data_hash:
                raise ArgumentError(
                    f"{self.path}: the data changed since the run began; give another {{run_dir}}", run_dir=...
                )
            return
        hashes = {"data_hash": data_hash} | ({"background_hash": background_hash} if background_hash else {})
        write_json(self.environment_path, environment | hashes)
        write_text(self.config_path, resolved_yaml)

    def begun_with(self) -> dict[str, Any]:
        """The environment in which the run began. Raises UserError if the file is missing or damaged."""
        path = self.environment_path
        mend = "restore a copy of it, or start another run: without it, the data of this run are unknown"
        begun = read_json(path, mend)
        if begun.get("precision") not in ("fp32", "bf16", "fp16") or "data_hash" not in begun or "device" not in begun:
            raise UserError(f"{path}: damaged, without device, precision or data_hash; {mend}")
        return begun

    def record_resume(self, means: dict[str, Any]) -> None:
        """Adds `means` to `resumed` in environment.json, unless it is the last entry."""
        begun = self.begun_with()
        resumed = begun.get("resumed", [])
        if not resumed or resumed[-1] != means:
            write_json(self.environment_path, begun | {"resumed": [*resumed, means]})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held while a process trains here; the operating system frees it when the process ends.

        A UserError in the block, or too little memory on the device, before the first checkpoint leaves the folder as
        it was, so that the corrected command can be run.
        """
        from torch import OutOfMemoryError

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
        except (UserError, OutOfMemoryError):
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

    def _compare(self, config: "Config") -> None:
        found = differing(self.read_config().model_dump(mode="json"), config.model_dump(mode="json"))
        if found:
            more = f"; for more epochs: audiosurvey train {self.path} --more 40" if "train.epochs" in found else ""
            raise ArgumentError(
                f"{self.path}: the run was made with another config; give another {{run_dir}}, go on with "
                f"{self.config_path}, or set these back{more}:",
                *(f"  {key}: {show(before)} in the run, {show(after)} now" for key, (before, after) in found.items()),
                run_dir=...,
            )
