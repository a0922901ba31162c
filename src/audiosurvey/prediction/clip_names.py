"""Names of the files of clips: recording, time, label and score, in characters that every file system takes."""

import os
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from audiosurvey.data.names import composed
from audiosurvey.prediction.clip_choice import ChosenEvent

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\s]+')
_MOST_BYTES = 80
"""Of one part of a name; a name may have 255."""


class ClipNames:
    """Names that are different, also where capitals do not count."""

    def __init__(self, recordings: Sequence[Path]) -> None:
        """`recordings`: all of them; folders below their common folder are part of a name."""
        self._common = _common_folder(recordings)
        self._taken: set[str] = set()

    def name(self, recording: Path, event: ChosenEvent) -> str:
        """`site1_morning_00h00m25.0s_dog_0.98`, without an ending."""
        label = safe_part(event.labels[0])
        parts = [safe_part(self._within(recording), end=True), _time(event.start_s), label, f"{event.score:.2f}"]
        plain = name = "_".join(parts)
        number = 1
        while name.casefold() in self._taken:
            number += 1
            name = f"{plain}-{number}"
        self._taken.add(name.casefold())
        return name

    def _within(self, recording: Path) -> str:
        stem = recording.absolute().with_suffix("")
        if self._common is None:
            return stem.name
        return "_".join(stem.relative_to(self._common).parts)


def _common_folder(recordings: Sequence[Path]) -> Path | None:
    try:
        return Path(os.path.commonpath([path.absolute().parent for path in recordings]))
    except ValueError:  # several drives of Windows
        return None


def _time(seconds: float) -> str:
    """`01h02m03.4s`, which sorts as the time does."""
    tenths = round(seconds * 10)
    return f"{tenths // 36000:02}h{tenths // 600 % 60:02}m{tenths // 10 % 60:02}.{tenths % 10}s"


def safe_part(text: str, *, end: bool = False) -> str:
    """`text`, in any script, as a part of a file name; of one that is too long the beginning, or the `end`, is kept."""
    visible = "".join("_" if unicodedata.category(sign)[0] == "C" else sign for sign in composed(text))
    encoded = _NOT_IN_NAMES.sub("_", visible).encode()
    encoded = encoded[-_MOST_BYTES:] if end else encoded[:_MOST_BYTES]
    return encoded.decode(errors="ignore").strip(". ") or "_"
