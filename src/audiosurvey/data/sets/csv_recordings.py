"""The rows of your own CSV as events in recordings: with `dataset.windows`, recordings are cut into windows."""

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from audiosurvey.data.annotations.annotation import Annotation
from audiosurvey.data.csv_rows import Faults
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.windowed import Recording
from audiosurvey.data.table import Clip


@dataclass(frozen=True, slots=True)
class Stretch:
    """A row of the table. An `end_s` of None is the end of the file; without labels, the row only lists the file."""

    line: int
    file: str
    clip: Clip
    labels: tuple[str, ...]


def recordings_of(stretches: Iterable[Stretch], columns: ColumnsConfig, faults: Faults) -> list[Recording]:
    """A recording for each file, in the order of the table, with an event for each label of each of its rows.

    Adds a fault where rows of one file differ in fold, side or source.
    """
    by_file: dict[str, list[Stretch]] = defaultdict(list)
    for stretch in stretches:
        by_file[stretch.file].append(stretch)
    found: list[Recording] = []
    for file, rows in by_file.items():
        whole = replace(rows[0].clip, id=file, start_s=None, end_s=None)
        for key, column in (("fold", columns.fold), ("side", columns.split), ("source", columns.source)):
            values = {value: row for row in reversed(rows) if (value := getattr(row.clip, key)) is not None}
            if len(values) > 1:
                first, second, *_ = sorted(values.values(), key=lambda row: row.line)
                mend = "windows of one recording stay together"
                faults.add(second.line, str(column), f"not that of line {first.line}, also of {file}; {mend}")
            whole = replace(whole, **{key: next(iter(values), None)})
        # A source that repeats the file's name may stand for another sound in another data set.
        is_global = whole.source not in (None, file, whole.path.name, whole.path.stem)
        found.append(Recording(replace(whole, global_source=is_global), _events(rows)))
    return found


def _events(rows: Iterable[Stretch]) -> tuple[Annotation, ...]:
    return tuple(
        Annotation(label, row.clip.start_s or 0.0, math.inf if row.clip.end_s is None else row.clip.end_s)
        for row in rows
        for label in row.labels
    )
