"""Uploads: the sound of a request in a file of its own, never more of it than the limit allows.

A request carries one sound: as its body, or as the only file of a form (multipart/form-data).
"""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import BinaryIO

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from audiosurvey.serving.limits import UploadLimits

SILENT_S = 30.0
"""A client that sends nothing for so long has gone."""
_SLOWEST = 1000
"""Least bytes a second, on average, after that time."""
_FORM = "multipart/form-data"
_FRAME_BYTES = 64 * 1024
"""What a form may have besides its file."""
_LONGEST_NAME = 200


class RefusedUpload(Exception):
    """A request that is answered with an error, in one line."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status, self.line = status, line


@dataclass(frozen=True)
class Upload:
    """A received sound."""

    path: Path
    name: str
    """The file's own name, without folders."""


@asynccontextmanager
async def received(request: Request, folder: Path, limits: UploadLimits) -> AsyncIterator[Upload]:
    """The sound of a request as a file in `folder` within the block. Raises RefusedUpload."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_form = kind == _FORM
    room = limits.max_bytes + (_FRAME_BYTES if is_form else 0)
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared) > room:
        raise _too_large(limits)
    handle, path = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            chunks = _chunks(request, room, limits)
            name = await _from_form(request, chunks, file) if is_form else await _from_body(request, chunks, file)
            size = file.tell()
        if size == 0:
            raise RefusedUpload(400, "empty: no sound was sent; send a sound file as the body, or as a form's file")
        if size > limits.max_bytes:
            raise _too_large(limits)
        yield Upload(Path(path), name)
    finally:
        Path(path).unlink(missing_ok=True)


def _too_large(limits: UploadLimits) -> RefusedUpload:
    return RefusedUpload(413, f"too large: the limit is {limits.mb:g} MB")


async def _chunks(request: Request, room: int, limits: UploadLimits) -> AsyncGenerator[bytes, None]:
    """The body in pieces, until it exceeds `room` bytes."""
    stream = aiter(request.stream())
    size, began = 0, time.monotonic()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), SILENT_S)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise RefusedUpload(408, f"incomplete: nothing was sent for {SILENT_S:g} s") from None
        except ClientDisconnect:
            raise RefusedUpload(400, "incomplete: the connection was closed") from None
        size += len(chunk)
        if size > room:
            raise _too_large(limits)
        if time.monotonic() - began > SILENT_S + size / _SLOWEST:
            raise RefusedUpload(408, "incomplete: sent too slowly")
        yield chunk


async def _from_body(request: Request, chunks: AsyncGenerator[bytes, None], file: BinaryIO) -> str:
    async for chunk in chunks:
        file.write(chunk)
    return safe_name(request.query_params.get("name", ""))


async def _from_form(request: Request, chunks: AsyncGenerator[bytes, None], file: BinaryIO) -> str:
    """Writes the only file of a form. Raises RefusedUpload for other forms."""
    parser = MultiPartParser(request.headers, chunks, max_files=1, max_fields=8, max_part_size=_FRAME_BYTES)
    try:
        form = await parser.parse()
    except MultiPartException as error:
        line = " ".join(str(error.message).split()).rstrip(".")
        raise RefusedUpload(400, f"not a form with one file: {line[:1].lower()}{line[1:]}") from None
    try:
        uploads = [value for value in form.values() if isinstance(value, UploadFile)]
        if not uploads:
            raise RefusedUpload(400, "no file in the form; send the sound as a file: curl -F file=@sound.wav")
        while chunk := await uploads[0].read(1 << 20):
            file.write(chunk)
        return safe_name(uploads[0].filename or "")
    finally:
        await form.close()


def safe_name(given: str) -> str:
    """A name to show, without folders and control characters; `sound` if nothing is left."""
    name = PureWindowsPath(PurePosixPath(given).name).name
    return "".join(sign for sign in name if sign.isprintable())[:_LONGEST_NAME].strip() or "sound"
