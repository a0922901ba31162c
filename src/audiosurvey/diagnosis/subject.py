"""The data to audit: the data set of a config, the root of a data set, a CSV, or a bare folder of sounds."""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path

from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.layout import TABLES, dataset_at, has_class_folders, read_bare
from audiosurvey.data.sets.registry import spec_of
from audiosurvey.data.table import Table
from audiosurvey.diagnosis.audit import Diagnosis, audit_dataset, audit_table, recorded_others
from audiosurvey.diagnosis.stray_files import find_stray_files
from audiosurvey.errors import ArgumentError, UserError
from audiosurvey.targets import check_target


@dataclass(frozen=True)
class Subject:
    """What is audited."""

    path: Path
    data: DatasetConfig | Table
    """A table for a bare folder of sounds."""
    top_hz: float | None = None
    """Highest frequency that the network receives; None: all."""

    def audit(self, progress: Callable[[int, int], None] | None = None) -> Diagnosis:
        """Raises UserError if the data is missing or its table cannot be read."""
        if isinstance(self.data, Table):
            return audit_table(self.data, list(find_stray_files(self.data)), progress=progress)
        return audit_dataset(self.data, top_hz=self.top_hz, progress=progress)

    def check_outputs(self, outputs: Mapping[str, Path | None], *, force: bool) -> None:
        """Raises UserError if one of these files, by argument, must not be written."""
        wanted = {name: path for name, path in outputs.items() if path is not None}
        inputs = self.files() if wanted else []
        for name, path in wanted.items():
            check_target(name, path, inputs=inputs, force=force)

    def files(self) -> list[Path]:
        """The files that the audit reads, which its output must not overwrite."""
        if isinstance(self.data, Table):
            return [clip.path for clip in self.data.clips]
        dataset = self.data
        everything = {"classes": None, "exclude_classes": None, "ignore": None, "subset": None}
        clips = load_table(dataset.model_copy(update=everything), divide=False).clips
        named = [self.path, dataset.resolved_ignore()]
        if dataset.name == "csv" or dataset.table is not None:
            named.append(dataset.resolved_table())
        if (spec := spec_of(dataset.name)) and spec.marker:
            named.append(dataset.resolved_root() / spec.marker)
        others = recorded_others(dataset)
        return [*(place for place in named if place is not None), *(clip.path for clip in (*clips, *others))]


def find_subject(data: str, overrides: Sized = ()) -> Subject | None:
    """The data set in a folder or CSV, or the sounds of a folder without the layout of a data set; None for a config.

    Raises UserError for a single sound, and for `overrides` of something that is not a config.
    """
    path = Path(data)
    if path.is_file() and path.suffix.lower() in AUDIO_EXTENSIONS:
        raise UserError(f"{data}: is a single sound; give the folder of a data set, a table or a config")
    if not path.is_dir() and not (path.is_file() and path.suffix.lower() in TABLES):
        return None
    if overrides:
        raise ArgumentError(f"{data}: is not a config; give a config, or leave {{overrides}} out", overrides=...)
    dataset = dataset_at(path)
    return Subject(path, read_bare(path) if dataset.name == "folder" and not has_class_folders(path) else dataset)
