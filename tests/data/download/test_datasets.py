"""Downloads from a server on this machine that cuts, lies and forgets."""

import hashlib
import io
import shutil
import tarfile
import threading
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from audiosurvey.data.download.archive import BadArchive, unpack
from audiosurvey.data.download.datasets import Archive, download, table_fault
from audiosurvey.data.download.fetch import note_of
from audiosurvey.data.sets.registry import specs
from audiosurvey.errors import UserError

CLIP = np.random.default_rng(0).bytes(50_000)
FILES = {
    "set-1/meta/table.csv": b"filename\na.wav\nb.wav\n",
    "set-1/audio/a.wav": CLIP,
    "set-1/audio/b.wav": CLIP[::-1],
}


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(files: dict[str, bytes], *members: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return out.getvalue()


class Server(ThreadingHTTPServer):
    """Serves `content`; the attributes say how badly."""

    content = b""
    cut_after: int | None = None  # bytes of each answer, then the connection is closed
    ranges = True
    tag: str | None = '"v1"'
    length = True
    statuses: list[int]  # answered first, one a request
    asked: list[str | None]  # the Range header of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/set.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        server, span = self.server, self.headers.get("Range")
        server.asked.append(span)
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        begin = int(span.removeprefix("bytes=").removesuffix("-")) if span and server.ranges else 0
        if begin and self.headers.get("If-Range") not in (None, server.tag):
            begin = 0
        total = len(server.content)
        if begin >= total:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{total}")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{total - 1}/{total}")
        if server.length:
            self.send_header("Content-Length", str(total - begin))
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        end = total if server.cut_after is None else begin + server.cut_after
        self.wfile.write(server.content[begin:end])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    served = Server(("127.0.0.1", 0), Handler)
    served.content, served.statuses, served.asked = zipped(FILES), [], []
    thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    served.shutdown()
    thread.join()
    served.server_close()


def published(content: bytes, suffix: str = ".zip", checked: bool = True) -> Archive:
    return Archive(
        title="Set",
        url="http://127.0.0.1:9/nobody",
        suffix=suffix,
        archive_bytes=len(content),
        unpacked_bytes=2 * len(CLIP),
        md5=hashlib.md5(content).hexdigest() if checked else None,
        table="meta/table.csv",
        clips=2,
        clip_path=lambda row: f"audio/{row['filename']}",
        clip_bytes=len(CLIP),
        licence="CC0",
    )


def get(server: Server, root: Path, known: Archive | None = None, **options: object):
    known = known or published(server.content)
    return download(known, root, url=server.url, pause_s=0.001, **options)  # pyright: ignore[reportArgumentType]


def whole(root: Path) -> bool:
    return (root / "audio/a.wav").read_bytes() == CLIP and (root / "audio/b.wav").read_bytes() == CLIP[::-1]


def test_downloads_verifies_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    done = get(server, tmp_path / "data" / "Set", progress=lambda *step: seen.append(step))
    assert whole(done.folder)
    assert not done.already_there
    assert seen[-1] == (len(server.content), len(server.content))
    assert "CC0" in done.text
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["Set"]


def test_what_is_there_is_verified_and_left_alone(server: Server, tmp_path: Path) -> None:
    get(server, tmp_path / "Set")
    server.asked.clear()
    again = get(server, tmp_path / "Set")
    assert again.already_there
    assert "already there" in again.text
    assert not server.asked
    (tmp_path / "Set/audio/b.wav").unlink()
    with pytest.raises(UserError, match=r"is not Set \(audio/b.wav is missing\)"):
        get(server, tmp_path / "Set")
    assert (tmp_path / "Set/audio/a.wav").exists()


def test_an_empty_folder_is_no_obstacle(server: Server, tmp_path: Path) -> None:
    (tmp_path / "Set").mkdir()
    assert whole(get(server, tmp_path / "Set").folder)


def test_a_cut_connection_is_taken_up_where_it_was_cut(server: Server, tmp_path: Path) -> None:
    server.cut_after = 20_000
    assert whole(get(server, tmp_path / "Set").folder)
    assert server.asked == [None, *(f"bytes={20_000 * n}-" for n in range(1, 6))]


@pytest.mark.parametrize("length", [True, False])
def test_a_server_without_ranges_starts_from_zero(server: Server, tmp_path: Path, length: bool) -> None:
    part = tmp_path / "Set.zip.part"
    server.cut_after = 60_000
    server.ranges = False
    with pytest.raises(UserError, match=r"download failed \(the connection was cut\).*0\.1 MB are kept"):
        get(server, tmp_path / "Set")
    assert part.stat().st_size == 60_000
    assert len(server.asked) == 5
    server.cut_after, server.length = None, length
    assert whole(get(server, tmp_path / "Set").folder)


def test_the_next_run_goes_on(server: Server, tmp_path: Path) -> None:
    (tmp_path / "Set.zip.part").write_bytes(server.content[:30_000])
    note_of(tmp_path / "Set.zip.part").write_text(f'{{"url": "{server.url}", "validator": null}}')
    assert whole(get(server, tmp_path / "Set").folder)
    assert server.asked == ["bytes=30000-"]


def test_a_complete_part_is_taken_as_it_is(server: Server, tmp_path: Path) -> None:
    (tmp_path / "Set.zip.part").write_bytes(server.content)
    note_of(tmp_path / "Set.zip.part").write_text(f'{{"url": "{server.url}", "validator": null}}')
    assert whole(get(server, tmp_path / "Set").folder)
    assert server.asked == [f"bytes={len(server.content)}-"]


@pytest.mark.parametrize("note", ['{"url": "http://other/", "validator": null}', "not json", None])
def test_a_part_of_unknown_origin_is_begun_again(server: Server, tmp_path: Path, note: str | None) -> None:
    (tmp_path / "Set.zip.part").write_bytes(b"something else")
    if note:
        note_of(tmp_path / "Set.zip.part").write_text(note)
    assert whole(get(server, tmp_path / "Set").folder)
    assert server.asked == [None]


def test_a_file_that_changed_on_the_server_is_not_glued(server: Server, tmp_path: Path) -> None:
    (tmp_path / "Set.zip.part").write_bytes(bytes(30_000))
    note_of(tmp_path / "Set.zip.part").write_text(f'{{"url": "{server.url}", "validator": "\\"v0\\""}}')
    assert whole(get(server, tmp_path / "Set").folder)
    assert server.asked == ["bytes=30000-"]


def test_passing_faults_are_tried_again_and_others_are_not(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 500, 429]
    assert whole(get(server, tmp_path / "Set").folder)
    server.statuses, server.asked = [404], []
    with pytest.raises(UserError, match="404"):
        get(server, tmp_path / "Other")
    assert len(server.asked) == 1


def test_nobody_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="download failed") as caught:
        download(published(b""), tmp_path / "Set", pause_s=0.001)
    assert len(caught.value.lines) == 1
    with pytest.raises(UserError, match="only http"):
        download(published(b""), tmp_path / "Set", url="file:///etc/passwd")


@pytest.mark.parametrize("checked", [True, False])
def test_a_wrong_byte_is_found_and_the_archive_removed(server: Server, tmp_path: Path, checked: bool) -> None:
    known = published(server.content, checked=checked)
    place = server.content.index(CLIP) + 1000
    server.content = server.content[:place] + b"!" + server.content[place + 1 :]
    with pytest.raises(UserError, match=r"(MD5|Bad CRC).*it was removed"):
        get(server, tmp_path / "Set", known)
    assert not list(tmp_path.iterdir())


def test_an_archive_that_is_not_the_data_set_is_removed(server: Server, tmp_path: Path) -> None:
    for files, fault in (
        ({"set-1/readme": b"hello"}, "meta/table.csv is not there"),
        ({**FILES, "set-1/meta/table.csv": b"filename\na.wav\n"}, "lists 1 clips instead of 2"),
        ({**FILES, "set-1/meta/table.csv": b"name\na.wav\n"}, "other columns"),
        ({**FILES, "set-1/audio/b.wav": b"short"}, "audio/b.wav has 5 bytes"),
    ):
        server.content = zipped(files)
        with pytest.raises(UserError, match=fault):
            get(server, tmp_path / "Set", published(server.content, checked=False))
        assert not list(tmp_path.iterdir())
    server.content = b"<html>Sorry</html>"
    with pytest.raises(UserError, match="neither a zip nor a tar"):
        get(server, tmp_path / "Set", published(server.content, checked=False))


def test_a_tar_is_unpacked_as_well(server: Server, tmp_path: Path) -> None:
    server.content = tarred(FILES)
    assert whole(get(server, tmp_path / "Set", published(server.content, ".tar.gz")).folder)


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


EVIL = ["../evil.txt", "set-1/../../evil.txt", "/tmp/evil.txt", "C:\\evil.txt", "C:evil.txt", "..\\evil.txt"]


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("pack", [zipped, tarred])
def test_members_that_leave_the_folder_are_refused(server: Server, tmp_path: Path, name: str, pack) -> None:
    server.content = pack({**FILES, name: b"evil"})
    with pytest.raises(UserError, match=r"would leave the folder\).*removed"):
        get(server, tmp_path / "in" / "Set")
    assert not [path for path in tmp_path.rglob("*") if path.name != "in"]
    assert not Path("/tmp/evil.txt").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_links_and_devices_are_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(tarred(FILES, link("set-1/evil", "../../..", kind)))
    (tmp_path / "into").mkdir()
    with pytest.raises(BadArchive, match="link or a device"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "into")


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        member = zipfile.ZipInfo("set-1/evil")
        member.external_attr = 0o120777 << 16
        archive.writestr(member, "/etc/passwd")
    with pytest.raises(BadArchive, match="link or a device"):
        unpack(tmp_path / "a.zip", tmp_path)


def test_a_cut_tar_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(tarred(FILES)[:-20_000])
    (tmp_path / "into").mkdir()
    with pytest.raises(BadArchive, match="damaged"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "into")


def test_a_full_disk_is_said_before_anything_is_fetched(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 0, len(server.content) + len(CLIP)))
    with pytest.raises(UserError, match=r"Set needs 0\.0 GB \(archive and unpacked\)"):
        get(server, tmp_path / "Set")
    assert not server.asked


def test_two_downloads_of_one_folder_do_not_mix(
    server: Server, tmp_path: Path, tmp_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Path] = []

    def interfere(*_: object) -> None:
        (lock,) = (tmp_cache / "locks").iterdir()
        taken.append(lock)
        with pytest.raises(UserError, match="another process is downloading it"):
            get(server, tmp_path / "Set")

    get(server, tmp_path / "Set", progress=interfere)
    with FileLock(taken[0], timeout=0):
        assert whole(tmp_path / "Set")


def test_the_published_data_sets_are_pinned(shared: Path) -> None:
    archives = {spec.name: spec.archive for spec in specs() if spec.archive}
    assert archives.keys() == {"esc50", "urbansound8k"}
    esc50, urban = archives["esc50"], archives["urbansound8k"]
    assert esc50.url.endswith("ESC-50/archive/33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6.zip")
    assert urban.md5 == "9aa69802bbf37fb986f71ec1483a196e"
    # 5 s of 16 bits at 44.1 kHz and a header of 44 bytes
    assert esc50.clip_bytes == 5 * 44100 * 2 + 44
    assert esc50.clips == 2000
    # The real tables in their own columns (the ESC-50 here is at 16 kHz, so its files have other sizes and names).
    data = shared / "data"
    assert table_fault(data / "urbansound8k-15", replace(urban, clips=15)) is None
    assert "15 clips instead of 8732" in (table_fault(data / "urbansound8k-15", urban) or "")
    assert "audio/" in (table_fault(data / "esc50-16k", esc50) or "")
