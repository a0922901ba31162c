"""Stores made from earlier ones: only what is new is decoded, and the result is that of a fresh store."""

import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.data.audio.decoding import decode
from audiosurvey.data.store import building, earlier
from audiosurvey.data.store.store import Store, prepare
from audiosurvey.data.table import Clip, Table

RATE = 8000


def write(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seconds = 0.05 + 0.01 * (seed % 7)
    wave_S = np.random.default_rng(seed).uniform(-0.5, 0.5, round(seconds * RATE)) * (seed % 5 > 0)
    soundfile.write(path, wave_S, RATE, subtype="FLOAT")


def table_of(root: Path) -> Table:
    paths = sorted(root.glob("*.wav"))
    return Table("own", root, ("a", "b"), tuple(Clip(path.name, path, (n % 2,)) for n, path in enumerate(paths)))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Twelve sounds, one of them truncated, some silent."""
    for seed in range(12):
        write(tmp_path / "set" / f"{seed:02}.wav", seed)
    bad = tmp_path / "set" / "07.wav"
    bad.write_bytes(bad.read_bytes()[:-100])
    return tmp_path / "set"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are decoded from now on."""
    names: list[str] = []
    real = building._decoded

    def counting(recording: building.StoreEntry, **options: object) -> object:
        names.append(recording.path.name)
        return real(recording, **options)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(building, "_decoded", counting)
    return names


def make(root: Path, stores: Path, sample_rate: int = RATE, **options: object) -> Store:
    return prepare(table_of(root), sample_rate=sample_rate, mono="mean", folder=stores, **options)  # pyright: ignore[reportArgumentType]


def contents(store: Store) -> list[bytes]:
    return [(store.folder / name).read_bytes() for name in (earlier.SAMPLES, earlier.INDEX)]


def changed(root: Path) -> list[str]:
    """Adds a file, removes one, changes one and renames one; those of new content."""
    write(root / "03a.wav", 99)
    (root / "05.wav").unlink()
    write(root / "09.wav", 100)
    (root / "01.wav").rename(root / "11a.wav")
    return ["03a.wav", "09.wav"]


@pytest.mark.parametrize("sample_rate", [8000, 16_000])
def test_only_new_content_is_decoded_and_the_store_is_that_of_a_fresh_build(
    root: Path, tmp_path: Path, decoded: list[str], sample_rate: int
) -> None:
    make(root, tmp_path / "stores", sample_rate)
    new = changed(root)
    decoded.clear()
    steps: list[tuple[int, int]] = []
    store = make(root, tmp_path / "stores", sample_rate, progress=lambda *step: steps.append(step))
    # A file that could not be read is tried again.
    assert sorted(decoded) == sorted([*new, "07.wav"])
    assert steps == [(done, 12) for done in range(1, 13)]
    assert [skip.id for skip in store.skipped] == ["07.wav"]
    assert contents(store) == contents(make(root, tmp_path / "fresh", sample_rate))


def test_content_is_collected_from_several_stores(root: Path, tmp_path: Path, decoded: list[str]) -> None:
    whole = table_of(root)
    for part in (whole.clips[:5], whole.clips[5:]):
        prepare(replace(whole, clips=part), sample_rate=RATE, mono="mean", folder=tmp_path / "stores")
    decoded.clear()
    store = make(root, tmp_path / "stores")
    assert decoded == ["07.wav"]
    assert contents(store) == contents(make(root, tmp_path / "fresh"))


@pytest.mark.parametrize("other", ["rate", "mono", "format", "samples", "index"])
def test_stores_of_another_kind_and_damaged_ones_are_not_used(
    root: Path, tmp_path: Path, decoded: list[str], other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if other == "format":
        with monkeypatch.context() as patch:
            patch.setattr(earlier, "FORMAT", 1)
            make(root, tmp_path / "stores")
    elif other == "mono":
        prepare(table_of(root), sample_rate=RATE, mono="left", folder=tmp_path / "stores")
    else:
        folder = make(root, tmp_path / "stores", 16_000 if other == "rate" else RATE).folder
        if other in ("samples", "index"):
            damaged = folder / (earlier.SAMPLES if other == "samples" else earlier.INDEX)
            damaged.write_bytes(damaged.read_bytes()[:-3])
    decoded.clear()
    write(root / "13.wav", 13)
    assert len(make(root, tmp_path / "stores")) == 12
    assert len(decoded) == 13


def test_an_interrupted_build_is_gone_on_from(
    root: Path, tmp_path: Path, decoded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "_FIRST_INDEX", 4)

    def interrupt(done: int, _: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(root, tmp_path / "stores", progress=interrupt, workers=1)
    decoded.clear()
    store = make(root, tmp_path / "stores", workers=1)
    assert decoded == [f"{number:02}.wav" for number in range(6, 12)]
    assert contents(store) == contents(make(root, tmp_path / "fresh"))
    assert [path.name for path in (tmp_path / "stores").iterdir() if path.is_dir()] == [store.key]


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from audiosurvey.data.store import building
from audiosurvey.data.store.store import prepare

building._FIRST_INDEX = 4

def die(done, total):
    if done == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

table = pickle.load(sys.stdin.buffer)
prepare(table, sample_rate=8000, mono="mean", folder=Path(sys.argv[1]), progress=die, workers=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is of POSIX")
@pytest.mark.parametrize("done", [1, 5, 8, 12])
def test_a_build_killed_at_any_moment_leaves_the_earlier_store_and_its_own_part(
    root: Path, tmp_path: Path, decoded: list[str], done: int
) -> None:
    stores = tmp_path / "stores"
    before = make(root, stores)
    files = contents(before)
    for seed in range(20, 26):
        write(root / f"{seed}.wav", seed)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(stores), str(done)], input=pickle.dumps(table_of(root)), check=False
    )
    assert killed.returncode == -signal.SIGKILL
    assert contents(before) == files
    decoded.clear()
    store = make(root, stores, workers=1)
    assert set(decoded) <= {"07.wav", *(f"{seed}.wav" for seed in range(20, 26))}
    assert len(store) == 17
    assert np.allclose(store.read("22.wav"), decode(root / "22.wav", sample_rate=RATE), atol=1e-4)
    assert contents(store) == contents(make(root, tmp_path / "fresh"))
    assert {path.name for path in stores.iterdir() if path.is_dir()} == {before.key, store.key}
