"""The store: what is read back, what makes it anew, what it survives."""

import errno
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.data.audio import content_hash as fingerprint
from audiosurvey.data.audio.decoding import decode
from audiosurvey.data.store import spool
from audiosurvey.data.store.spool import Spool, quantize
from audiosurvey.data.store.store import Store, kept, prepare
from audiosurvey.data.table import Clip, Table
from audiosurvey.errors import UserError

RATE = 8000


def write(path: Path, seed: int, gain: float = 0.5, seconds: float = 0.25, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave_S = np.random.default_rng(seed).uniform(-gain, gain, round(seconds * rate))
    soundfile.write(path, wave_S, rate, subtype="FLOAT")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    root = tmp_path / "set"
    for seed in range(6):
        write(root / f"{seed}.wav", seed)
    clips = [Clip(f"{i}.wav", root / f"{i}.wav", (i % 2,), i % 3 + 1, f"s{i}") for i in range(6)]
    return Table("own", root, ("cat", "dog"), tuple(clips))


def make(table: Table, sample_rate: int = RATE, **options: object) -> Store:
    return prepare(table, sample_rate=sample_rate, mono="mean", **options)  # pyright: ignore[reportArgumentType]


def reread(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose content is read from now on."""
    seen: list[Path] = []
    real = fingerprint._read
    monkeypatch.setattr(fingerprint, "_read", lambda path: (seen.append(path), real(path))[1])
    return seen


def test_reads_back_what_decoding_gives(table: Table) -> None:
    store = make(table, 16000)
    assert len(store) == 6
    assert store.nbytes == (store.folder / "samples.i16").stat().st_size == 6 * 2 * 4000
    for clip in table.clips:
        wave_S = decode(clip.path, sample_rate=16000)
        assert clip.id in store
        assert store.length(clip.id) == 4000
        assert np.abs(store.read(clip.id) - wave_S).max() <= 0.51 * np.abs(wave_S).max() / 32767
        assert np.array_equal(store.read(clip.id, 100, 50), store.read(clip.id)[100:150])
        assert len(store.read(clip.id, 3990, 50)) == 10
        assert len(store.read(clip.id, 5000)) == 0
    with pytest.raises(KeyError):
        store.read("unknown.wav")
    with pytest.raises(ValueError, match="sample 0"):
        store.read("0.wav", -1)


def test_loud_and_quiet_recordings_keep_their_bits(tmp_path: Path) -> None:
    for name, gain in (("loud", 40.0), ("quiet", 1e-6)):
        write(tmp_path / f"{name}.wav", 7, gain)
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    names = ("loud", "quiet", "silent")
    clips = tuple(Clip(name, tmp_path / f"{name}.wav", (0,)) for name in names)
    store = make(Table("t", tmp_path, ("a",), clips))
    for name, gain in (("loud", 40.0), ("quiet", 1e-6)):
        error_S = store.read(name) - decode(tmp_path / f"{name}.wav", sample_rate=RATE)
        assert np.sqrt(np.mean(error_S**2)) < gain * 2e-5
    assert not store.read("silent").any()


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=50))
def test_quantizing_loses_half_a_step_at_most(values: list[float]) -> None:
    wave_S = np.array(values, np.float32)
    stored_S, scale = quantize(wave_S)
    peak = np.abs(wave_S).max()
    assert np.abs(stored_S * np.float64(scale) - wave_S).max() <= max(0.51 * peak / 32767, 1e-30)


def test_second_run_neither_reads_nor_builds(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(table)
    seen = reread(monkeypatch)
    steps: list[tuple[int, int]] = []
    again = make(table, progress=lambda *step: steps.append(step))
    assert (again.key, again.hash, again.folder) == (first.key, first.hash, first.folder)
    assert not seen
    assert not steps


def test_progress_counts_to_the_total(table: Table) -> None:
    steps: list[tuple[int, int]] = []
    make(table, progress=lambda *step: steps.append(step), workers=2)
    assert steps == [(done, 6) for done in range(1, 7)]


def test_touched_file_is_read_again_but_not_built(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(table)
    os.utime(table.clips[2].path, (1, 1))
    seen = reread(monkeypatch)
    assert make(table, progress=lambda *_: pytest.fail("built again")).key == first.key
    assert seen == [table.clips[2].path]


def test_changed_file_gives_another_store(table: Table) -> None:
    first = make(table)
    write(table.clips[2].path, 99)
    second = make(table)
    assert second.key != first.key
    assert second.hash != first.hash
    changed_S = decode(table.clips[2].path, sample_rate=RATE)
    assert np.allclose(second.read("2.wav"), changed_S, atol=1e-4)


def test_files_that_change_places_are_noticed(table: Table) -> None:
    one, two = table.clips[0].path, table.clips[1].path
    for path in (one, two):
        os.utime(path, (1e9, 1e9))
    before = make(table).read("0.wav")
    one.rename(two.with_suffix(".tmp"))
    two.rename(one)
    two.with_suffix(".tmp").rename(two)
    assert not np.array_equal(make(table).read("0.wav"), before)


def test_the_key_is_of_sound_the_hash_is_of_data(table: Table, tmp_path: Path) -> None:
    store = make(table)
    relabelled = replace(table, clips=tuple(replace(clip, labels=(0,)) for clip in table.clips))
    refolded = replace(table, clips=tuple(replace(clip, fold=1) for clip in table.clips))
    resourced = replace(table, clips=tuple(replace(clip, source="s") for clip in table.clips))
    for other in (relabelled, refolded, resourced):
        assert make(other).key == store.key
        assert make(other).hash != store.hash
    assert make(table, 16000).key != store.key
    assert make(table, 16000).hash == store.hash
    assert prepare(table, sample_rate=RATE, mono="left").key != store.key
    shutil.copytree(table.root, tmp_path / "elsewhere")
    moved = [replace(clip, path=tmp_path / "elsewhere" / clip.id) for clip in table.clips]
    copy = make(replace(table, root=tmp_path / "elsewhere", clips=tuple(moved[::-1])))
    assert (copy.key, copy.hash) == (store.key, store.hash)


def test_stretches_of_one_file(table: Table) -> None:
    path = table.clips[0].path
    spans = [(0.0, 0.1), (0.1, 0.25), (None, None), (0.2, None)]
    clips = tuple(Clip(f"0.wav#{i}", path, (0,), start_s=a, end_s=b) for i, (a, b) in enumerate(spans))
    store = make(replace(table, clips=clips))
    assert [store.length(clip.id) for clip in clips] == [800, 1200, 2000, 400]
    whole_S = store.read("0.wav#2")
    assert np.allclose(store.read("0.wav#1"), whole_S[800:], atol=1e-4)


def test_bad_files_are_skipped_with_their_reasons(table: Table) -> None:
    table.clips[1].path.unlink()
    table.clips[3].path.write_bytes(b"no sound")
    table.clips[4].path.write_bytes(table.clips[4].path.read_bytes()[:-100])
    store = make(table)
    reasons = {skip.id: skip.reason for skip in store.skipped}
    assert list(reasons) == ["1.wav", "3.wav", "4.wav"]
    assert reasons["1.wav"] == "file not found"
    assert reasons["3.wav"].startswith("not a sound file")
    assert reasons["4.wav"].startswith("truncated")
    assert [clip.id for clip in kept(table, store).clips] == ["0.wav", "2.wav", "5.wav"]
    assert make(table).skipped == store.skipped
    report = json.loads((store.folder / "report.json").read_text(encoding="utf-8"))
    assert [skip["id"] for skip in report["skipped"]] == ["3.wav", "4.wav"]


def test_nothing_readable_is_a_users_mistake(table: Table, tmp_cache: Path) -> None:
    for clip in table.clips:
        clip.path.write_bytes(b"no sound")
    with pytest.raises(UserError, match=r"none of its 6 clips can be read.*not a sound file"):
        make(table)
    for clip in table.clips:
        clip.path.unlink()
    with pytest.raises(UserError, match="file not found"):
        make(table)
    with pytest.raises(UserError, match="no clips"):
        make(replace(table, clips=()))
    assert not [entry for entry in (tmp_cache / "stores").iterdir() if entry.is_dir()]


def test_a_full_disk_is_said_first(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(UserError, match=r"needs 0\.00 GB.*dataset\.store"):
        make(table)


def test_an_interrupted_build_leaves_nothing(table: Table, tmp_path: Path) -> None:
    def interrupt(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(table, folder=tmp_path / "stores", progress=interrupt)
    assert [path.suffix for path in (tmp_path / "stores").iterdir()] == [".lock"]
    assert len(make(table, folder=tmp_path / "stores")) == 6


def test_what_a_killed_build_left_is_cleared(table: Table, tmp_path: Path) -> None:
    key = make(table, folder=tmp_path / "one").key
    stores = tmp_path / "two"
    for owner in (key, "another"):
        (stores / f"{owner}.building-0123").mkdir(parents=True)
        (stores / f"{owner}.building-0123" / "samples.i16").write_bytes(b"half")
    (stores / key).mkdir()
    store = make(table, folder=stores)
    assert {path.name for path in stores.iterdir() if path.is_dir()} == {key}
    assert len(store.read("0.wav")) == 2000


@pytest.mark.parametrize("damage", ["samples.i16", "index.json"])
def test_a_damaged_store_is_built_again(table: Table, damage: str) -> None:
    store = make(table)
    expected_S = store.read("5.wav")
    del store
    file = make(table).folder / damage
    file.write_bytes(file.read_bytes()[:-7])
    assert np.array_equal(make(table).read("5.wav"), expected_S)


def test_a_damaged_memory_of_fingerprints_costs_only_time(table: Table, tmp_cache: Path) -> None:
    key = make(table).key
    (tmp_cache / "fingerprints.sqlite").write_bytes(b"this is no database" * 100)
    assert make(table).key == key
    assert make(table).key == key


PREPARE = """
import pickle, sys
from audiosurvey.data.store.store import prepare
steps = []
store = prepare(pickle.load(sys.stdin.buffer), sample_rate=8000, mono="mean", progress=lambda *step: steps.append(step))
print(store.key, len(steps))
"""


def test_of_two_processes_at_once_one_builds(table: Table) -> None:
    pipe = subprocess.PIPE
    children = [subprocess.Popen([sys.executable, "-c", PREPARE], stdin=pipe, stdout=pipe) for _ in range(2)]
    for child in children:
        assert child.stdin
        child.stdin.write(pickle.dumps(table))
        child.stdin.close()
    results = [child.stdout.read().split() for child in children if child.stdout]
    assert [child.wait() for child in children] == [0, 0]
    assert results[0][0].decode() == results[1][0].decode() == make(table).key
    assert sorted(int(steps) for _, steps in results) == [0, 6]


def test_reading_in_many_threads_gives_the_same(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiosurvey.data.store.store._RESIDENT_BYTES", 10_000)
    store = make(table)
    expected = {clip.id: store.read(clip.id) for clip in table.clips}
    wrong: list[str] = []

    def check() -> None:
        for _ in range(50):
            wrong.extend(id for id, wave_S in expected.items() if not np.array_equal(store.read(id), wave_S))

    threads = [threading.Thread(target=check) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_importing_the_store_needs_no_torch() -> None:
    code = "import sys, audiosurvey.data.store.store; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def flac_promising(path: Path, frames: int) -> None:
    """A FLAC of a tenth of a second whose header promises `frames`: 36 bits at the end of its STREAMINFO."""
    soundfile.write(path, np.random.default_rng(5).uniform(-0.5, 0.5, RATE // 10), RATE, format="FLAC")
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | frames >> 32
    content[22:26] = (frames & 0xFFFFFFFF).to_bytes(4, "big")
    path.write_bytes(content)


@pytest.mark.parametrize("frames", [12 * 10**9, 2**36 - 1])
def test_no_memory_and_no_disk_is_asked_for_what_a_header_promises(table: Table, monkeypatch, frames: int) -> None:
    flac_promising(table.clips[2].path, frames)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 10**8))
    store = make(table)
    assert [skip.id for skip in store.skipped] == ["2.wav"]
    assert store.skipped[0].reason.startswith("truncated")
    assert len(store) == 5


def test_a_disk_that_fills_up_is_told_with_the_folder_of_the_stores(table: Table, monkeypatch, tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Spool, "write_to", full)
    with pytest.raises(UserError, match=rf"^{re.escape(str(tmp_path / 'stores'))}: .*{os.strerror(errno.ENOSPC)}"):
        make(table, folder=tmp_path / "stores")
    assert [path.suffix for path in (tmp_path / "stores").iterdir()] == [".lock"]


@pytest.mark.parametrize("value", [1e29, -3e38])
def test_a_clip_with_an_impossible_sample_is_named_and_skipped(table: Table, value: float) -> None:
    wave_SC = np.zeros((RATE, 2), np.float32)
    wave_SC[500] = value
    soundfile.write(table.clips[1].path, wave_SC, RATE, subtype="FLOAT")
    store = make(table)
    assert [skip.id for skip in store.skipped] == ["1.wav"]
    assert f"{abs(value):.3g}" in store.skipped[0].reason


def test_pipes_and_devices_are_named_and_skipped(table: Table, named_pipe) -> None:
    table.clips[1].path.unlink()
    named_pipe(table.clips[1].path)
    table.clips[4].path.unlink()
    table.clips[4].path.symlink_to(os.devnull)
    store = make(table)
    assert {skip.id: skip.reason for skip in store.skipped} == {
        "1.wav": "not a plain file (named pipe)",
        "4.wav": "not a plain file (device)",
    }
    assert len(store) == 4


def test_long_recordings_wait_on_disk_and_are_stored_alike(table: Table, monkeypatch, tmp_path: Path) -> None:
    expected = {clip.id: make(table, 16_000).read(clip.id) for clip in table.clips}
    monkeypatch.setattr(spool, "IN_MEMORY", 1000)
    store = make(table, 16_000, folder=tmp_path / "stores", workers=2)
    for clip in table.clips:
        np.testing.assert_array_equal(store.read(clip.id), expected[clip.id])
    assert sorted(path.name for path in store.folder.iterdir()) == ["index.json", "report.json", "samples.i16"]


MEMORY = """
import resource, sys
from pathlib import Path
from audiosurvey.diagnosis.clip_profile import profile_clip
from audiosurvey.data.store.store import prepare
from audiosurvey.data.table import Clip, Table

def peak_mb(work):
    work()
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 1e6

def stored(name):
    table = Table("own", Path(), ("a", "b"), (Clip(name, Path(name), (0,)),))
    assert len(prepare(table, sample_rate=12_000, mono=sys.argv[1])) == 1

for work in (stored, lambda name: profile_clip(Clip(name, Path(name), (0,)))):
    before = peak_mb(lambda: work("short.flac"))
    print(peak_mb(lambda: work("long.flac")) - before)
"""


@pytest.mark.skipif(os.name == "nt", reason="the peak of memory is asked of POSIX")
def test_memory_does_not_grow_with_the_length_of_a_file(tmp_path: Path) -> None:
    # Five minutes of 8 channels are 77 MB as float32, half a minute is 8 MB.
    noise_SC = np.random.default_rng(0).uniform(-0.3, 0.3, (2 * RATE, 8)) * (np.arange(8) % 2)
    for name, blocks in (("short.flac", 15), ("long.flac", 150)):
        with soundfile.SoundFile(tmp_path / name, "w", RATE, 8, "PCM_16") as file:
            for block in range(blocks):
                file.write(noise_SC if block % 4 == 0 else np.zeros_like(noise_SC))
    words = [sys.executable, "-c", MEMORY, "loudest"]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    of_prepare, of_doctor = map(float, told.stdout.split())
    assert of_prepare < 30
    assert of_doctor < 30


def test_a_store_of_an_earlier_version_that_skipped_files_is_made_again(table: Table) -> None:
    table.clips[0].path.write_bytes(b"not a sound")
    folder = make(table).folder
    index = json.loads((folder / "index.json").read_text())
    del index["reader"]
    skipped = dict(index["skipped"])
    index["skipped"] = dict.fromkeys(skipped, "unknown format")
    (folder / "index.json").write_text(json.dumps(index))
    assert [skip.reason for skip in make(table).skipped] == list(skipped.values())
    assert json.loads((folder / "index.json").read_text())["reader"]
