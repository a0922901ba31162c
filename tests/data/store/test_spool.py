"""A spool: what comes out is what quantising the whole gives, in memory and on disk."""

from pathlib import Path

import numpy as np
import pytest

from audiosurvey.data.store import spool as module
from audiosurvey.data.store.spool import Spool, quantize


@pytest.mark.parametrize("in_memory", [10, 700, 10_000])
@pytest.mark.parametrize("size", [1, 64, 1000, 5000])
def test_the_blocks_joined_are_the_whole_quantised(tmp_path: Path, monkeypatch, in_memory: int, size: int) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", in_memory)
    monkeypatch.setattr(module, "_BLOCK", 333)
    wave_S = np.random.default_rng(size).uniform(-3, 2, 5000).astype(np.float32)
    expected_S, expected_scale = quantize(wave_S)
    with Spool(tmp_path) as spool, (tmp_path / "out").open("wb") as file:
        for at in range(0, len(wave_S), size):
            spool.add(wave_S[at : at + size])
        scale = spool.finish()
        file.write(b"before")
        spool.write_to(file)
    assert scale == expected_scale
    assert spool.samples == len(wave_S)
    assert (tmp_path / "out").read_bytes() == b"before" + expected_S.tobytes()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("in_memory", [10, 10_000])
def test_silence_is_stored_as_silence(tmp_path: Path, monkeypatch, in_memory: int) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", in_memory)
    with Spool(tmp_path) as spool, (tmp_path / "out").open("wb") as file:
        spool.add(np.full(100, 1e-35, np.float32))
        assert spool.finish() == 1.0
        spool.write_to(file)
    assert (tmp_path / "out").read_bytes() == bytes(200)
