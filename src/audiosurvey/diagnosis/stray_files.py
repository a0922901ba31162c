"""Files in the folders of clips that are not clips: sounds missing from the table, hidden files, other files."""

from collections.abc import Iterator

from audiosurvey.data.audio.extensions import AUDIO_EXTENSIONS, OTHER_EXTENSIONS
from audiosurvey.data.names import clip_id
from audiosurvey.data.sets.folder import is_hidden
from audiosurvey.data.table import Table
from audiosurvey.diagnosis.finding import Finding

_EXPECTED = frozenset({".csv", ".tsv", ".md", ".txt", ".yaml", ".yml", ".json", ".pdf", ".html", ".bib"})
"""Files that belong beside clips: tables, licences, credits."""


def find_stray_files(table: Table) -> Iterator[Finding]:
    """A finding for each file beside clips that is not a clip. `table`: with all classes and clips.

    Subfolders without clips are not searched, since the root may be any folder.
    """
    known = {clip.path for clip in table.clips}
    folders = {path.parent for path in known}
    if table.name == "folder":
        folders.add(table.root)
    for folder in sorted(folders):
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if path in known or path.is_dir():
                continue
            name = clip_id(path.relative_to(table.root)) if path.is_relative_to(table.root) else path.as_posix()
            suffix = path.suffix.lower()
            if is_hidden(path.name):
                yield Finding("stray-file", "note", (name,), "hidden")
            elif suffix in AUDIO_EXTENSIONS:
                yield Finding("stray-sound", "worth a look", (name,), "not in the table")
            elif suffix in OTHER_EXTENSIONS:
                yield Finding("stray-sound", "worth a look", (name,), f"{suffix} files cannot be read; convert it")
            elif suffix not in _EXPECTED:
                yield Finding("stray-file", "note", (name,), f"{path.stat().st_size} bytes, not an audio file name")
