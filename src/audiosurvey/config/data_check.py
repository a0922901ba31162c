"""What `check` examines of the data of a config, without decoding any sound.

In: a config that holds. Out: a line on the data and notes; a `UserError` for data that is named and is not there, or
that no training can use. Data that is fetched or made when it is needed may be missing.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from audiosurvey.config.loader import LoadedConfig
from audiosurvey.config.reading.document import Path
from audiosurvey.config.reading.faults import lines
from audiosurvey.data.audio.decoding import BadAudio, probe
from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.other.reading import read_other
from audiosurvey.data.other.settings import other_section
from audiosurvey.data.sets.registry import default_root, spec_of
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import Fault, UserError, number_of

_MOST_PROBED = 24
_OF_A_KEY = re.compile(r"dataset\.([\w.]+): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DataCheck:
    """What was seen of the data: `verdict` in a few words, and notes, a line each."""

    verdict: str
    notes: tuple[str, ...]


def check_data(loaded: LoadedConfig) -> DataCheck:
    """Looks at the data of a config: what is listed, and the headers of a few files.

    Raises UserError, at the place in the config, where a folder or a table that it names is missing; with the lines of
    the table where that is faulty; and where none of the files that were opened is a sound.
    """
    config = loaded.config
    seen = _look(loaded, config.dataset, ("dataset",))
    if config.pretrain_dataset is None:
        return seen
    first = _look(loaded, config.pretrain_dataset, ("pretrain", "dataset"))
    notes = [*seen.notes, *(f"pretraining: {note}" for note in first.notes)]
    return DataCheck(f"{seen.verdict}; pretraining on {first.verdict}", tuple(notes))


def _look(loaded: LoadedConfig, dataset: DatasetConfig, where: Path) -> DataCheck:
    if missing := _missing_root(dataset, where):
        raise UserError(*lines(loaded.document, [missing]))
    root, spec = dataset.root or default_root(dataset.name), spec_of(dataset.name)
    if root is not None and not root.expanduser().is_dir():
        place = root.as_posix()
        mend = "it is generated when needed" if spec and spec.generated else spec.how_to_get if spec else ""
        return DataCheck(f"{dataset.name}, which is not there yet", (f"{place}: not there yet; {mend}",))
    if dataset.name == "csv":
        try:
            dataset.resolved_table()
        except UserError as error:
            raise UserError(*_at(loaded, (*where, "table"), error.lines)) from None
    try:
        table = load_table(dataset)
        others = _others(dataset)
    except UserError as error:
        raise UserError(*_placed(loaded, error.lines, where, dataset.name)) from None
    return DataCheck(_about(table), (*table.notes, *others, *_headers(table, dataset.resolved_clip_seconds())))


def _others(dataset: DatasetConfig) -> list[str]:
    """A note on the sounds of no class, if a path names some. Raises UserError as `read_other` does."""
    other = other_section(dataset.other)
    if other is None or other.path is None:
        return []
    return [
        f"{number_of(len(read_other(other.path, dataset.columns)), 'sound')} of no class in {other.path.as_posix()}"
    ]


def _missing_root(dataset: DatasetConfig, where: Path) -> Fault | None:
    """A root that the config names and that is not a folder. The usual place of a built-in set may be missing."""
    if dataset.root is None or dataset.root.expanduser().is_dir():
        return None
    place = dataset.root.as_posix()
    if dataset.root.expanduser().exists():
        return Fault((*where, "root"), f"{place}: is a file; expected a folder")
    spec = spec_of(dataset.name)
    if spec and (spec.generated or dataset.root == spec.root):
        return None
    mend = f"; leave it out and {spec.how_to_get}" if spec else ""
    return Fault((*where, "root"), f"{place}: no such folder (relative to the working directory){mend}")


def _placed(loaded: LoadedConfig, told: Sequence[str], where: Path, name: str) -> Iterator[str]:
    """The lines of an error with the place in the config that they are about. Those about a table name its line."""
    for line in told:
        if match := _OF_A_KEY.fullmatch(line):
            yield from _at(loaded, (*where, *match.group(1).split(".")), [match.group(2)])
        elif name in ("csv", "raven"):
            yield line
        else:
            yield from _at(loaded, (*where, "root"), [line])


def _at(loaded: LoadedConfig, path: Path, told: Sequence[str]) -> tuple[str, ...]:
    return lines(loaded.document, [Fault(path, line) for line in told])


def _about(table: Table) -> str:
    sides = any(clip.side for clip in table.clips)
    divided = "train and test sides" if sides else f"{len(table.folds)} folds"
    return f"{table.title}, {len(table.clips)} clips, {len(table.classes)} classes, {divided}"


def _headers(table: Table, window_s: float) -> Iterator[str]:
    """Notes on a few files, spread over the table: which cannot be opened, and clips far shorter than the window."""
    step = -(-len(table.clips) // _MOST_PROBED) or 1
    clips = [clip for clip in table.clips[::step] if clip.path.is_file()]
    bad: dict[str, str] = {}
    seconds: list[float] = []
    for clip in clips:
        try:
            length = _seconds(clip)
        except BadAudio as error:
            bad[clip.id] = error.reason
        else:
            seconds += [] if length is None else [length]
    if bad:
        name, reason = next(iter(bad.items()))
        told = f"{len(bad)} of {len(clips)} files that were opened cannot be read, such as {name}: {reason}"
        if len(bad) == len(clips):
            raise UserError(f"{table.root.as_posix()}: {told}")
        yield f"{told}; 'audiosurvey doctor' checks all of them"
    if seconds and max(seconds) < window_s / 2:
        yield (
            f"the clips that were opened are at most {max(seconds):.2g} s long, but a window has {window_s:g} s; "
            "set dataset.clip_seconds to about the length of a clip"
        )


def _seconds(clip: Clip) -> float | None:
    """Length of a clip by the header of its file; None where that does not tell. Raises BadAudio."""
    about = probe(clip.path)
    if about.frames == 0:
        raise BadAudio("contains no sound (zero frames)")
    whole = None if about.frames is None else about.frames / about.sample_rate
    end_s = clip.end_s if clip.end_s is not None else whole
    return None if end_s is None else end_s - (clip.start_s or 0.0)
