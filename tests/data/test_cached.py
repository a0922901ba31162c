"""The cache: what is in it, and what is removed."""

import json
import os
from pathlib import Path

import pytest
from filelock import FileLock

import audiosurvey
from audiosurvey.data.cached import choose_cached, list_cached, remove_cached
from audiosurvey.data.store.use import record_use
from audiosurvey.errors import UserError

DAY = 86_400
WEIGHTS = "weights/mn04_as_mAP_432.pt"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("AUDIOSURVEY_CACHE", str(folder))
    for key, count in (("abc1", 1000), ("abd2", 3000)):
        store = folder / "stores" / key
        store.mkdir(parents=True)
        (store / "samples.i16").write_bytes(bytes(count))
        (store / "index.json").write_text("{}", encoding="utf-8")
        report = {"recordings": count // 1000, "sample_rate": 16000}
        (store / "report.json").write_text(json.dumps(report), encoding="utf-8")
        (folder / "stores" / f"{key}.lock").touch()
    (folder / "weights").mkdir()
    (folder / WEIGHTS).write_bytes(bytes(500))
    # Not ours: the folder may be used for other things too.
    (folder / "weights" / "mine.pt").write_bytes(b"mine")
    (folder / "letters").mkdir()
    (folder / "letters" / "mine.txt").write_text("mine", encoding="utf-8")
    (folder / "stores" / "notes").mkdir()
    return folder


def test_everything_is_listed_with_its_size(cache: Path):
    record_use(cache / "stores" / "abd2", "Barking dogs", cache)
    found = {item.name: item for item in audiosurvey.list_cache()}
    assert list(found) == ["stores/abd2", "stores/abc1", WEIGHTS]
    assert (
        found["stores/abd2"].what == f"decoded sounds of Barking dogs in {cache.as_posix()}, 3 recordings at 16000 Hz"
    )
    assert found["stores/abc1"].what == "decoded sounds, 1 recordings at 16000 Hz"
    assert found[WEIGHTS].size == 500
    assert found["stores/abc1"].size == sum(file.stat().st_size for file in (cache / "stores" / "abc1").iterdir())


def test_preparing_says_which_data_set_a_store_belongs_to(tones: Path, cache: Path):
    audiosurvey.prepare({"dataset": {"name": "folder", "root": str(tones)}, "sample_rate": 8000})
    (named,) = (item.what for item in audiosurvey.list_cache() if tones.as_posix() in item.what)
    assert named.startswith("decoded sounds of ")


def test_only_what_is_listed_is_removed(cache: Path):
    removed = audiosurvey.clear_cache()
    assert {item.name for item in removed} == {"stores/abc1", "stores/abd2", WEIGHTS}
    assert (cache / "letters" / "mine.txt").read_text(encoding="utf-8") == "mine"
    assert (cache / "stores" / "notes").is_dir()
    assert (cache / "weights" / "mine.pt").read_bytes() == b"mine"
    assert audiosurvey.list_cache() == []


def test_a_table_that_a_program_gave_is_removed_by_name_alone(cache: Path):
    table = f"tables/{'ab' * 12}"
    (cache / table).mkdir(parents=True)
    (cache / "tables" / "shopping").mkdir()
    assert table not in {item.name for item in audiosurvey.clear_cache()}
    assert [item.name for item in audiosurvey.clear_cache([table])] == [table]
    assert (cache / "tables" / "shopping").is_dir()


def test_a_name_may_be_shortened_while_it_is_unique(cache: Path):
    record_use(cache / "stores" / "abc1", "dogs", cache)
    with pytest.raises(UserError, match="ab: stands for stores/abd2, stores/abc1; give more of the name"):
        audiosurvey.clear_cache(["ab"])
    with pytest.raises(UserError, match=r"\.\./letters: not in the cache"):
        audiosurvey.clear_cache(["../letters"])
    audiosurvey.clear_cache(["abc"])
    assert not (cache / "stores" / "abc1").exists()
    assert not (cache / "stores" / "abc1.use.json").exists()
    assert (cache / "stores" / "abd2").exists()


def test_by_age(cache: Path):
    old = cache / "stores" / "abc1"
    past = old.stat().st_mtime - 40 * DAY
    os.utime(old, (past, past))
    assert [item.name for item in choose_cached(list_cached(), older_than_days=30)] == ["stores/abc1"]
    record_use(old, "dogs", cache)  # used today
    assert choose_cached(list_cached(), older_than_days=30) == []


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_are_removed_and_what_they_lead_to_stays(cache: Path, tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "big.pt").write_bytes(b"big")
    (cache / "made-sounds-1").symlink_to(elsewhere)
    (elsewhere / "v1-8000-2-0.npz").write_bytes(b"rooms")
    (cache / "rooms").symlink_to(elsewhere)
    remove_cached(list_cached())
    assert (elsewhere / "big.pt").read_bytes() == b"big"
    assert (elsewhere / "v1-8000-2-0.npz").exists()
    assert not (cache / "made-sounds-1").is_symlink()


def test_a_store_that_is_being_built_stays(cache: Path):
    with FileLock(cache / "stores" / "abc1.lock"):
        assert "stores/abc1" not in {item.name for item in audiosurvey.clear_cache()}
    assert (cache / "stores" / "abc1" / "samples.i16").exists()


def test_the_command_asks_before_it_removes(cache: Path, command):
    status, out, _ = command("cache")
    assert status == 0
    assert "stores/abd2" in out
    assert out.splitlines()[-1].endswith(f"in {cache}")
    status, _, err = command("cache", "--clear")
    assert (status, err) == (2, "cache: nothing is removed without asking; give --yes\n")
    assert len(audiosurvey.list_cache()) == 3
    status, out, _ = command("cache", "--remove", "mn04", "--yes")
    assert (status, out) == (0, f"removed: {WEIGHTS}\n0 kB freed\n")
    status, out, _ = command("cache", "--json")
    assert [item["name"] for item in json.loads(out)] == ["stores/abd2", "stores/abc1"]
