"""Downloads one file over HTTP into a partial file (`NAME.part`), resuming it where the connection was cut.

A note beside it (`NAME.part.json`) keeps the server's validator, so that a file that changed on the server is not
appended to the old beginning.
"""

import contextlib
import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from audiosurvey.data.readahead import ProgressCallback
from audiosurvey.errors import UserError, not_written
from audiosurvey.version import __version__

_BLOCK_BYTES = 1 << 18
_TIMEOUT_S = 30
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
"""HTTP statuses after which a retry may succeed."""
_BEGIN, _TOTAL = r"^bytes (\d+)-", r"/(\d+)$"
"""Numbers in the header Content-Range."""
_NETWORK_FAULTS = (OSError, http.client.HTTPException)


def fetch(
    url: str, part: Path, *, tries: int = 5, pause_s: float = 1.0, progress: ProgressCallback | None = None
) -> None:
    """Completes `part` from `url`.

    A cut connection is resumed by a range request, from zero if the server ignores the range or its file changed.
    Raises UserError after `tries` attempts in a row that bring nothing new (`pause_s` doubles between them; `part`
    stays for the next run), for other answers, and for a full disk.
    """
    if not url.lower().startswith(("http://", "https://")):
        raise UserError(f"{url}: only http and https addresses can be downloaded")
    most, failures = _size(part), 0
    while True:
        try:
            if _attempt(url, part, progress):
                return
            fault = "the connection was cut"
        except urllib.error.HTTPError as error:
            fault = f"the server answers {error.code} {error.reason}"
            if error.code not in _TRANSIENT:
                raise UserError(f"{url}: {fault}") from error
        except _NETWORK_FAULTS as error:
            fault = str(getattr(error, "reason", "") or error or type(error).__name__)
        failures = 1 if _size(part) > most else failures + 1
        most = max(most, _size(part))
        if failures >= tries:
            raise UserError(
                f"{url}: the download failed ({fault}); {_size(part) / 1e6:.1f} MB are kept in {part}, "
                "run the command again to resume"
            )
        time.sleep(pause_s * 2 ** (failures - 1))


def note_of(part: Path) -> Path:
    """Where the note of a partial file is."""
    return part.with_name(part.name + ".json")


def discard(part: Path) -> None:
    """Removes a partial file and its note."""
    part.unlink(missing_ok=True)
    note_of(part).unlink(missing_ok=True)


def _attempt(url: str, part: Path, progress: ProgressCallback | None) -> bool:
    """One request; whether the file is complete after it."""
    have, headers = _resumable(url, part)
    agent = {"User-Agent": f"audiosurvey/{__version__}", "Accept-Encoding": "identity"}
    request = urllib.request.Request(url, headers=agent | headers)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416:  # "range not satisfiable": nothing is left to send, or the file changed
            raise
        complete = _number(_TOTAL, error.headers.get("Content-Range")) == have > 0
        if not complete:
            discard(part)
        return complete
    with response:
        span = response.headers.get("Content-Range")
        if response.status == 206 and _number(_BEGIN, span) == have:
            total = _number(_TOTAL, span)
        elif response.status == 206:
            discard(part)  # another range than asked for: start from zero at the next attempt
            return False
        else:
            have = 0
            length = response.headers.get("Content-Length")
            total = int(length) if length else None
            _note(url, part, response.headers)
        return _receive(response, part, have, total, progress)


def _receive(
    response: http.client.HTTPResponse, part: Path, have: int, total: int | None, progress: ProgressCallback | None
) -> bool:
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        while block := response.read(_BLOCK_BYTES):
            with _writing(part):
                file.write(block)
            have += len(block)
            if progress:
                progress(have, total)
    # Without a length, a cut raises an exception while reading (chunked) or goes unnoticed until the checksum.
    return total is None or have >= total


def _resumable(url: str, part: Path) -> tuple[int, dict[str, str]]:
    """How much of the file is there, and the headers that ask for the rest."""
    have = _size(part)
    note = {}
    with contextlib.suppress(OSError, ValueError):
        note = json.loads(note_of(part).read_text(encoding="utf-8"))
    if have == 0 or note.get("url") != url:
        return 0, {}
    headers = {"Range": f"bytes={have}-"}
    if note.get("validator"):
        headers["If-Range"] = note["validator"]
    return have, headers


def _note(url: str, part: Path, headers: http.client.HTTPMessage) -> None:
    tag = headers.get("ETag", "")
    # Weak tags only promise the same meaning, not the same bytes.
    validator = tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")
    with _writing(note_of(part)):
        note_of(part).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise not_written(error, f"{path}: cannot be written ({error.strerror or error})") from error


def _number(pattern: str, span: str | None) -> int | None:
    found = re.search(pattern, span or "")
    return int(found[1]) if found else None


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
