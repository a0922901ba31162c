"""Claims: one owner at a time, on one machine and on several; a dead owner is replaced."""

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from audiosurvey.surveys import claim as claims
from audiosurvey.surveys.claim import STALE_SECONDS, ClaimLost, Owner, claimed, is_alive


def test_a_claim_is_held_by_one(tmp_path: Path):
    path = tmp_path / "cell" / "claim.json"
    with claimed(path) as claim:
        assert claim is not None
        assert not claim.taken_over
        assert is_alive(path)
        with claimed(path) as other:
            assert other is None
        claim.check()
    assert list(path.parent.glob("claim.json")) == []
    with claimed(path) as claim:
        assert claim is not None


def test_of_many_that_try_at_once_one_gets_it(tmp_path: Path):
    path, got, barrier = tmp_path / "claim.json", [], threading.Barrier(16)

    def attempt() -> None:
        barrier.wait()
        with claimed(path) as claim:
            if claim is not None:
                got.append(claim)
                time.sleep(0.3)

    threads = [threading.Thread(target=attempt) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


def write(path: Path, owner: Owner, age: float = 0.0) -> None:
    path.write_text(json.dumps(asdict(owner)))
    os.utime(path, (time.time() - age,) * 2)


def test_the_claim_of_a_dead_process_of_this_machine_is_taken_over_at_once(tmp_path: Path):
    path = tmp_path / "claim.json"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    write(path, replace(Owner.this_process(), pid=ended.pid, born=time.time()))
    assert not is_alive(path)
    with claimed(path) as claim:
        assert claim is not None
        assert claim.taken_over


def test_a_process_that_nobody_waits_for_is_dead_too():
    one = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    owner = replace(Owner.this_process(), pid=one.pid, born=psutil.Process(one.pid).create_time())
    assert not owner.known_dead
    one.kill()
    while psutil.Process(one.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    assert owner.known_dead
    one.communicate()


def test_a_process_id_that_is_used_again_is_another_process(tmp_path: Path):
    path = tmp_path / "claim.json"
    me = Owner.this_process()
    write(path, replace(me, born=me.born - 1000))
    assert not is_alive(path)
    write(path, me)
    assert is_alive(path)


def test_the_claim_of_another_machine_lives_as_long_as_it_is_touched(tmp_path: Path):
    path = tmp_path / "claim.json"
    other = replace(Owner.this_process(), host="elsewhere", pid=1)
    write(path, other, age=STALE_SECONDS - 20)
    assert is_alive(path)
    with claimed(path) as claim:
        assert claim is None
    write(path, other, age=STALE_SECONDS + 20)
    with claimed(path) as claim:
        assert claim is not None
        assert claim.taken_over


def test_clocks_may_differ(tmp_path: Path, monkeypatch):
    """The age of a claim is told by the clock of the file system, not by that of this machine."""
    path = tmp_path / "claim.json"
    write(path, replace(Owner.this_process(), host="elsewhere"))
    monkeypatch.setattr(claims.time, "time", lambda: path.stat().st_mtime + 5000)
    assert is_alive(path)
    monkeypatch.setattr(claims.time, "time", lambda: path.stat().st_mtime - 5000)
    assert is_alive(path)


def test_who_lost_a_claim_notices(tmp_path: Path):
    path = tmp_path / "claim.json"
    with claimed(path) as claim:
        assert claim is not None
        write(path, replace(Owner.this_process(), host="elsewhere"))
        with pytest.raises(ClaimLost, match="another process trains this cell now"):
            claim.check()
    # And leaves that of the other alone.
    assert path.exists()


def test_a_claim_is_touched_while_it_is_held(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(claims, "HEARTBEAT_SECONDS", 0.01)
    path = tmp_path / "claim.json"
    with claimed(path):
        os.utime(path, (1, 1))
        ends = time.monotonic() + 30
        while path.stat().st_mtime == 1 and time.monotonic() < ends:
            time.sleep(0.01)
        assert path.stat().st_mtime > 1


def test_half_a_claim_is_respected_until_it_is_old(tmp_path: Path):
    path = tmp_path / "claim.json"
    path.write_text("{")
    assert is_alive(path)
    os.utime(path, (time.time() - 2 * STALE_SECONDS,) * 2)
    assert not is_alive(path)
