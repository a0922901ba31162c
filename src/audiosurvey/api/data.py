"""Data sets: downloading, decoding, auditing, and listening to their augmentation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from audiosurvey.api.arguments import PathLike, loaded, need_at_least, path_or_none
from audiosurvey.api.progress import ShowProgress, say
from audiosurvey.api.state import keeps_state
from audiosurvey.errors import ArgumentError

if TYPE_CHECKING:
    from audiosurvey.config.loader import ConfigSource, Overrides
    from audiosurvey.data.cached import CachedItem
    from audiosurvey.data.download.datasets import Downloaded
    from audiosurvey.data.sounds import Sounds
    from audiosurvey.diagnosis.audit import Diagnosis
    from audiosurvey.diagnosis.subject import Subject


@keeps_state
def download(
    name: str, root: PathLike | None = None, *, url: str | None = None, progress: ShowProgress = False
) -> "Downloaded":
    """Downloads a built-in data set; an interrupted download is resumed, and checksums are verified.

    Args:
        name: `esc50` or `urbansound8k`.
        root: the folder to download to; None: where configs look for it.
        url: a mirror of the archive.
        progress: see `audiosurvey.Progress`.

    Returns:
        The folder, the number of clips and the licence.

    Raises:
        UserError: for an unknown name, and if the download fails.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.data.download import datasets
    from audiosurvey.data.sets.registry import downloadable

    spec, archive = downloadable(name)
    with bar_of(progress)(f"downloading {name}") as moved:
        return datasets.download(archive, path_or_none(root) or spec.root, url=url, progress=moved)


@keeps_state
def list_cache() -> "list[CachedItem]":
    """What is in the cache (`AUDIOSURVEY_CACHE`, or the platform's place): decoded sounds, downloaded weights, ...

    Returns:
        Name, kind, size and last use of each, the largest first.
    """
    from audiosurvey.data.cached import list_cached
    from audiosurvey.model.weights.published import PUBLISHED

    return list_cached({known.file for known in PUBLISHED.values()})


@keeps_state
def clear_cache(names: Sequence[str] | None = None, *, older_than_days: int | None = None) -> "list[CachedItem]":
    """Removes things from the cache. They are made, or downloaded, again when they are needed.

    Tables that a program gave are not: runs on them read them in the cache. They are removed by name alone.

    Args:
        names: names in `list_cache`, or their beginnings; None: all that is made again.
        older_than_days: only what was used last so many days ago or earlier.

    Returns:
        What was removed. A store that a process is building stays.

    Raises:
        UserError: for a name that is not in the cache, or stands for several things.
    """
    from audiosurvey.data.cached import choose_cached, remove_cached

    need_at_least(0, older_than_days=older_than_days)
    return remove_cached(choose_cached(list_cache(), names, older_than_days))


@keeps_state
def prepare(
    config: "ConfigSource",
    overrides: "Overrides" = (),
    *,
    workers: int | None = None,
    progress: ShowProgress = False,
) -> "Sounds":
    """Decodes and resamples the data set of a config once, into the store that training reads.

    Args:
        config: as in `load_config`.
        overrides: as in `load_config`.
        workers: decoding threads; None: one per processor.
        progress: see `audiosurvey.Progress`.

    Returns:
        The data set: its table of clips, with folds and recordings, and its store.

    Raises:
        UserError: if the data is missing, its table is faulty, or none of its clips can be read.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.data.sounds import prepare_sounds

    need_at_least(1, workers=workers)
    found = loaded(config, overrides).config
    with bar_of(progress)(f"preparing {found.dataset.name}") as advance:
        return prepare_sounds(found.dataset, found.sample_rate, workers=workers, progress=advance)


@keeps_state
def doctor(
    data: "PathLike | Any",
    overrides: "Overrides" = (),
    *,
    html: PathLike | None = None,
    quarantine: PathLike | None = None,
    force: bool = False,
    progress: ShowProgress = False,
) -> "Diagnosis":
    """Audits a data set: broken, silent, clipped, duplicate, leaking and mislabelled clips, shortcuts to classes.

    Args:
        data: a config, the name of a preset, the root of a data set, a CSV, a folder of sounds, or a table in memory.
        overrides: as in `load_config`, for a config.
        html: file to write a page with plots and sounds to.
        quarantine: file to write a list of clips to exclude to, for `dataset.ignore`.
        force: overwrite existing files.
        progress: see `audiosurvey.Progress`.

    Returns:
        The findings, the most severe first; `spoilt` is true if one of them would invalidate results.

    Raises:
        UserError: if the data cannot be read, or a file must not be written.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.data.sets.ignore import write_ignore

    page, listed = path_or_none(html), path_or_none(quarantine)
    if page is not None and listed is not None and page.absolute() == listed.absolute():
        raise ArgumentError("{html}, {quarantine}: are the same file; give two", html=page, quarantine=listed)
    subject = _subject(data, overrides)
    subject.check_outputs({"html": page, "quarantine": listed}, force=force)
    with bar_of(progress)("listening") as advance:
        diagnosis = subject.audit(advance)
    if page is not None:
        from audiosurvey.diagnosis.page import write_page

        write_page(page, diagnosis)
        say(f"page: {page}")
    if listed is not None:
        reasons, kept = diagnosis.quarantine()
        write_ignore(listed, reasons)
        say(f"quarantined: {len(reasons)} clips; exclude them with 'dataset: {{ignore: {listed.as_posix()}}}'")
        for line in kept:
            say(f"not quarantined: {line}")
    return diagnosis


def _subject(data: Any, overrides: "Overrides") -> "Subject":
    from audiosurvey.data.sets.in_memory import is_table
    from audiosurvey.diagnosis.subject import Subject, find_subject

    if isinstance(data, str | Path):
        subject = find_subject(str(data), overrides)
        if subject is not None:
            return subject
    if is_table(data):
        dataset = loaded({"dataset": data}, overrides).config.dataset
        return Subject(dataset.resolved_table(), dataset)
    if isinstance(data, str | Path):
        from audiosurvey.config.set_file import is_set_file

        if is_set_file(Path(data)):
            described = {"dataset": {"spec": str(data)}}
            return Subject(Path(data), loaded(described, overrides).config.dataset)
    read = loaded(data, overrides)
    found = read.config
    return Subject(Path(read.source), found.dataset, found.mel_spectrogram.limits_hz(found.sample_rate)[1])


def table(
    data: Any, *, root: PathLike | None = None, columns: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """The `dataset` section of a config for a table in memory, which may also be given in its place.

    The table is written to the user's cache, with the sounds that are no files, so that runs can be continued.

    Args:
        data: a data frame (pandas, Polars, Arrow, ...), a list of dicts, or a `datasets.Dataset` with an `Audio`
            column. Columns are those of a CSV: `path` (or `audio`, `file`, ...) and `label`, and optionally `fold`,
            `source`, `start`, `end` and `split`. A sound is a path, or a dict with `array` and `sampling_rate`.
        root: the folder that paths are relative to; None: the working folder.
        columns: other names of columns, as in `dataset.columns`.

    Returns:
        The section: `{"dataset": audiosurvey.table(frame)}`.

    Raises:
        UserError: without rows or a column of sounds, and for a cell that is no sound.
    """
    from audiosurvey.data.sets.in_memory import table_section

    return table_section(data, root=root, columns=columns)


@keeps_state
def preview(
    config: "ConfigSource",
    overrides: "Overrides" = (),
    *,
    clips: str | Sequence[str] = (),
    epochs: int | Sequence[int] = 1,
    output: PathLike = "preview",
    force: bool = False,
    progress: ShowProgress = False,
) -> list[Path]:
    """Renders the augmentation of clips: sound files before and after, a picture, and the drawn parameters.

    Args:
        config: as in `load_config`.
        overrides: as in `load_config`.
        clips: ids of clips; none: one of every class.
        epochs: the epochs to render, counted from 1.
        output: folder to write into.
        force: overwrite existing files.
        progress: see `audiosurvey.Progress`.

    Returns:
        The paths of the files.

    Raises:
        UserError: for a clip that is not there or cannot be read, and if a file must not be written.
    """
    from audiosurvey.api.bars import bar_of
    from audiosurvey.reporting.preview import write_previews
    from audiosurvey.targets import check_target_folder

    folder = Path(output)
    check_target_folder("output", folder)
    found = loaded(config, overrides).config
    wanted = [clips] if isinstance(clips, str) else list(clips)
    times = [epochs] if isinstance(epochs, int) else list(epochs)
    for number in times:
        need_at_least(1, epochs=number)
    return write_previews(found, wanted, times, folder, force, bar_of(progress))
