"""Which stretches of sound are labelled already: by a table or a folder, and by what a model was trained on."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from audiosurvey.artefact.folder import Model
from audiosurvey.data.audio.content_hash import fingerprints
from audiosurvey.data.csv_rows import number
from audiosurvey.data.splits.recordings import file_of
from audiosurvey.embeddings.stretches import Stretch, is_table_file, read_table
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import find_sources


class LabelledStretches:
    """Labelled stretches by the content of their files, so that copies elsewhere count as labelled too."""

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        found: defaultdict[str, list[Stretch]] = defaultdict(list)
        for one in stretches:
            found[one.file].append(one)
        self._found: Mapping[str, Sequence[Stretch]] = found

    def overlaps(self, file: str, start_s: float, end_s: float) -> bool:
        """Whether something in this part of a file is labelled."""
        return any(one.overlaps(start_s, end_s) for one in self._found.get(file, ()))


def labelled_stretches(model: Model, places: Sequence[str]) -> LabelledStretches:
    """What the model was trained on, and what tables and folders list.

    Of a table, rows with a label count; for a model with several labels per clip also those without, which are clips of
    none of the classes. Raises UserError for a table or folder that is not there, and for faults of a table.
    """
    trained = (_of_digest(clip.digest) for clip in model.heard.clips.values())
    listed = (one for place in places for one in _listed(place, with_empty=model.multi_label))
    return LabelledStretches([*trained, *listed])


def _listed(place: str, *, with_empty: bool) -> list[Stretch]:
    if not is_table_file(place):
        if not Path(place).exists():
            raise UserError(f"{place}: no such file or folder; expected a table or a folder of labelled sounds")
        rows = [(source.path, None, None) for source in find_sources([place])]
    else:
        rows = [(row.path, row.start_s, row.end_s) for row in read_table(Path(place)) if row.label or with_empty]
    digests = fingerprints([path for path, _, _ in rows])
    if rows and not any(digests.values()):
        files = f"{len(rows)} files with a label can be read, such as {rows[0][0]}"
        raise UserError(f"{place}: none of its {files}; paths are relative to the folder of the table")
    return [Stretch(found.digest, *times) for path, *times in rows if (found := digests[path]) is not None]


def _of_digest(digest: str) -> Stretch:
    """The stretch in the digest of a clip: `HASH#1.500-3.000`."""
    file, mark = file_of(digest), digest.partition("#")[2]
    start, _, end = mark.partition("-")
    return Stretch(file, number(start) if start else None, number(end) if end else None)
