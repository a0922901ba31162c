"""The data to audit: a config, the root of a data set, a CSV, or a bare folder of sounds."""

from collections.abc import Callable, Sequence
from pathlib import Path

from audiosurvey.config.loader import load_config
from audiosurvey.data.dataset import load_table
from audiosurvey.data.layout import TABLES, dataset_at, has_class_folders, read_bare
from audiosurvey.data.sets.folder import AUDIO_EXTENSIONS
from audiosurvey.data.sets.registry import spec_of
from audiosurvey.data.table import Table
from audiosurvey.doctor.audit import Diagnosis, audit_dataset, audit_table
from audiosurvey.doctor.stray_files import find_stray_files
from audiosurvey.errors import UserError


def audit(data: str, overrides: Sequence[str] = (), progress: Callable[[int, int], None] | None = None) -> Diagnosis:
    """Audit `data`. Raises UserError if it is none of these."""
    found = _is_data(data)
    if found and overrides:
        raise UserError(f"{data}: is not a config, so that --set has no effect; give a config, or leave --set out")
    if not found:
        config = load_config(data, overrides).config
        _, top_hz = config.mel_spectrogram.limits_hz(config.sample_rate)
        return audit_dataset(config.dataset, top_hz=top_hz, progress=progress)
    if (bare := _bare_folder(Path(data))) is not None:
        return audit_table(bare, list(find_stray_files(bare)), progress=progress)
    return audit_dataset(dataset_at(Path(data)), progress=progress)


def audited_files(data: str, overrides: Sequence[str] = ()) -> list[Path]:
    """The files that the audit of `data` reads, which its output must not overwrite."""
    path = Path(data)
    if not _is_data(data):
        dataset = load_config(data, overrides).config.dataset
    elif (bare := _bare_folder(path)) is not None:
        return [clip.path for clip in bare.clips]
    else:
        dataset = dataset_at(path)
    everything = {"classes": None, "exclude_classes": None, "ignore": None, "subset": None}
    clips = load_table(dataset.model_copy(update=everything), divide=False).clips
    named = [path, dataset.resolved_ignore()]
    if dataset.name == "csv":
        named.append(dataset.resolved_table())
    if (spec := spec_of(dataset.name)) and spec.marker:
        named.append(dataset.resolved_root() / spec.marker)
    return [*(place for place in named if place is not None), *(clip.path for clip in clips)]


def _is_data(data: str) -> bool:
    """Whether this is a folder or a table, not a config. Raises UserError for a single sound."""
    path = Path(data)
    if path.is_file() and path.suffix.lower() in AUDIO_EXTENSIONS:
        raise UserError(f"{data}: is a single sound; give the folder of a data set, a table or a config")
    return path.is_dir() or (path.is_file() and path.suffix.lower() in TABLES)


def _bare_folder(path: Path) -> Table | None:
    """The sounds of a folder without the layout of a data set."""
    return read_bare(path) if dataset_at(path).name == "folder" and not has_class_folders(path) else None
