"""Which stretches of sound are labelled already: by a table or a folder, and by what a model was trained on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.content_hash import fingerprints
from audiosurvey.data.audio.decoding import BadAudio, probe
from audiosurvey.data.csv_rows import number
from audiosurvey.data.sets.csv_table import MISSING
from audiosurvey.data.splits.recordings import file_of
from audiosurvey.embeddings.stretches import FileStretch, read_sound_table, tables_of
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import FileSource, find_sources

_Row = tuple[Path, float | None, float | None]
"""A file, and where a part of it begins and ends."""


class LabelledStretches:
    """Labelled stretches by the content of their files, so that copies elsewhere count as labelled too."""

    def __init__(self, stretches: Iterable[FileStretch], notes: tuple[str, ...] = ()) -> None:
        """`notes`: lines about what could not be read."""
        self.notes = notes
        found: defaultdict[str, list[FileStretch]] = defaultdict(list)
        for one in stretches:
            found[one.file].append(one)
        self._found: Mapping[str, Sequence[FileStretch]] = found

    def overlaps(self, file: str, start_s: float, end_s: float) -> bool:
        """Whether something in this part of a file is labelled."""
        return any(one.overlaps(start_s, end_s) for one in self._found.get(file, ()))


def labelled_stretches(model: Model, places: Sequence[str]) -> LabelledStretches:
    """What the model was trained on, and what tables and folders list.

    Of a table, rows with a label count; for a model with several labels per clip also those with an empty cell, which
    are clips of none of the classes. Marks of a missing value (`NA`) are no label, unless a class has this name. Raises
    UserError for a table or folder that is not there, for anything else, and for faults of a table.
    """
    found = [_of_digest(clip.digest) for clip in model.heard.clips.values()]
    notes: list[str] = []
    for place in places:
        tables = tables_of(place)
        for table in tables:
            found += _of_rows(str(table), _labelled_rows(table, model), notes)
        if not tables:
            found += _of_rows(place, [(source.path, None, None) for source in _sounds_of(place)], notes)
    return LabelledStretches(found, tuple(notes))


def _labelled_rows(table: Path, model: Model) -> list[_Row]:
    named = MISSING - set(model.labels)
    rows = read_sound_table(table, labelled=True)
    return [(row.path, row.start_s, row.end_s) for row in rows if _counts(row.label, named, model.multi_label)]


def _counts(label: str, missing: Set[str], with_empty: bool) -> bool:
    return label not in missing if label else with_empty


def _sounds_of(place: str) -> list[FileSource]:
    if not Path(place).exists() and not any(sign in place for sign in "*?["):
        raise UserError(f"{place}: no such file or folder; expected a table or a folder of labelled sounds")
    if Path(place).is_file():
        try:
            probe(Path(place))
        except BadAudio as bad:
            expected = "expected a table (.csv or .tsv), a folder of sounds, or a sound file"
            raise UserError(f"{place}: {expected}, and as a sound: {bad.reason}") from None
    return find_sources([place])


def _of_rows(place: str, rows: Sequence[_Row], notes: list[str]) -> list[FileStretch]:
    """The content of each row whose file can be opened; `notes` gets a line about the others."""
    digests = fingerprints([path for path, _, _ in rows])
    files, lost = list(digests), [path for path, found in digests.items() if found is None]
    if rows and len(lost) == len(files):
        text = f"{len(files)} files with a label can be read, such as {files[0]}"
        raise UserError(f"{place}: none of its {text}; paths are relative to the folder of the table")
    if lost:
        notes.append(f"{len(lost)} of {len(files)} files of {place} could not be opened, such as {lost[0]}")
    return [FileStretch(found.digest, *times) for path, *times in rows if (found := digests[path]) is not None]


def _of_digest(digest: str) -> FileStretch:
    """The stretch in the digest of a clip: `HASH#1.500-3.000`."""
    file, mark = file_of(digest), digest.partition("#")[2]
    start, _, end = mark.partition("-")
    return FileStretch(file, number(start) if start else None, number(end) if end else None)
