"""The audit of real sets: what is in them is known, and what is planted in a copy is found."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiosurvey.data.layout import dataset_at
from audiosurvey.diagnosis.audit import Diagnosis, audit_dataset
from audiosurvey.diagnosis.finding import Finding

RATE = 44_100


def of(diagnosis: Diagnosis, check: str) -> list[Finding]:
    return [finding for finding in diagnosis.findings if finding.check == check]


def names(findings: list[Finding]) -> set[frozenset[str]]:
    return {frozenset(clip.removeprefix("audio/").removesuffix(".ogg") for clip in one.clips) for one in findings}


def test_an_excerpt_of_urbansound8k(shared: Path) -> None:
    diagnosis = audit_dataset(dataset_at(shared / "data" / "urbansound8k-15"))
    assert not diagnosis.spoilt
    assert len(of(diagnosis, "untrained")) == 5
    (overlap,) = of(diagnosis, "overlap")
    assert len({clip.split("-")[0] for clip in overlap.clips}) == 3
    assert len(of(diagnosis, "same-channels")) == 3


@pytest.mark.slow
def test_esc50(shared: Path) -> None:
    diagnosis = audit_dataset(dataset_at(shared / "data" / "esc50-16k"))
    assert not diagnosis.spoilt
    sources = {frozenset(clip.split("-")[1] for clip in one.clips) for one in of(diagnosis, "leak")}
    assert sources == {frozenset({source}) for source in ("131943", "134049", "209698", "234879")}
    near = of(diagnosis, "near-duplicate")
    assert {one.severity for one in near} == {"worth a look"}
    assert all(not one.quarantine for one in near)
    assert names([one for one in near if "as published" in one.message]) == {
        frozenset({"1-14262-A-37", "4-198841-A-37"}),
        frozenset({"2-110011-A-5", "5-256452-A-5"}),
        frozenset({"3-151080-A-20", "5-151085-A-20"}),
    }
    assert len(near) == 10


@pytest.mark.slow
def test_twenty_faults_planted_in_esc10(shared: Path, tmp_path: Path) -> None:
    root = tmp_path / "esc10"
    shutil.copytree(shared / "data" / "esc10", root)
    table = root / "meta" / "esc50.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = {line.split(",")[0]: line for line in lines[1:]}
    label = {int(line.split(",")[2]): line.split(",")[3] for line in lines[1:]}

    def of_class(target: int) -> list[str]:
        return [name for name in rows if int(rows[name].split(",")[2]) == target]

    def wave(name: str) -> np.ndarray:
        return soundfile.read(root / "audio" / name, dtype="float32")[0]

    def replace(name: str, content: np.ndarray, rate: int = RATE) -> str:
        soundfile.write(root / "audio" / name, content, rate, format="WAV", subtype="FLOAT")
        return name

    def add(name: str, content: np.ndarray, target: int, fold: int, rate: int = RATE, **how: str) -> str:
        soundfile.write(root / "audio" / name, content, rate, **how)
        rows[name] = f"{name},{fold},{target},{label[target]},True,{name.split('.')[0]},A"
        return name

    dogs, rain, fire = of_class(0), of_class(10), of_class(12)
    waves, babies, clocks = of_class(11), of_class(20), of_class(38)
    saws, roosters, sneezes = of_class(41), of_class(1), of_class(21)
    path = root / "audio"
    planted: dict[str, set[str]] = {}
    (path / dogs[5]).write_bytes((path / dogs[5]).read_bytes()[:20_000])
    (path / dogs[6]).write_bytes(b"")
    (path / dogs[7]).write_bytes(b"<html>not found</html>")
    (path / dogs[8]).unlink()
    planted |= {"truncated": {dogs[5]}, "empty": {dogs[6]}, "unreadable": {dogs[7]}, "missing": {dogs[8]}}
    planted["not-numbers"] = {replace(rain[5], np.full(RATE, np.nan))}
    planted["silent"] = {replace(rain[6], np.zeros(5 * RATE))}
    planted["clipped"] = {replace(rain[7], np.clip(30 * wave(rain[7]), -1, 1))}
    planted["dc-offset"] = {replace(rain[8], 0.5 * wave(rain[8]) + 0.3)}
    planted["dead-channel"] = {replace(babies[5], np.stack([wave(babies[5]), 0 * wave(babies[5])], axis=1))}
    planted["cancels"] = {replace(babies[6], np.stack([wave(babies[6]), -wave(babies[6])], axis=1))}
    planted["overload"] = {replace(babies[7], 1000 * wave(babies[7]))}
    planted["rates"] = {replace(babies[8], soxr.resample(wave(babies[8]), RATE, 16_000), 16_000)}
    planted["duration"] = {replace(roosters[5], np.tile(wave(roosters[5]), 6))}
    planted["duplicate"] = {waves[5], add("same.flac", wave(waves[5]), 11, 1 + int(waves[5][0]) % 5)}
    replace(waves[5], soundfile.read(path / "same.flac", dtype="float32")[0])
    planted["contradiction"] = {waves[6], add("other.wav", wave(waves[6]), 0, 1, subtype="FLOAT")}
    copies = {
        add("coded.mp3", wave(fire[5]), 12, 1 + int(fire[5][0]) % 5): fire[5],
        add("softer.ogg", 0.5 * wave(sneezes[5]), 21, 1 + int(sneezes[5][0]) % 5): sneezes[5],
        add("later.wav", np.pad(wave(clocks[5]), (5000, 0)), 38, 1 + int(clocks[5][0]) % 5): clocks[5],
        add("low.wav", soxr.resample(wave(waves[7]), RATE, 22_050), 11, 1 + int(waves[7][0]) % 5, rate=22_050): waves[
            7
        ],
    }
    planted["near-duplicate"] = {*copies, *copies.values()}
    planted["rates"].add("low.wav")
    for name in saws:
        low = soxr.resample(soxr.resample(wave(name), RATE, 10_000), 10_000, RATE)
        replace(name, low)
    planted["band-limit"] = set(saws)
    cells = rows[fire[6]].split(",")
    other = rows[next(name for name in fire if name[0] != fire[6][0])].split(",")
    cells[5] = other[5]
    rows[fire[6]] = ",".join(cells)
    planted["leak"] = {fire[6]}
    soundfile.write(path / "forgotten.wav", wave(fire[7]), RATE)
    (path / ".DS_Store").write_bytes(b"x")
    planted |= {"stray-sound": {"forgotten.wav"}, "stray-file": {".DS_Store"}}
    table.write_text("\n".join([lines[0], *rows.values()]) + "\n", encoding="utf-8")
    assert len(planted) - 2 + len(copies) >= 20

    diagnosis = audit_dataset(dataset_at(root))
    for check, files in planted.items():
        told = {clip.removeprefix("audio/") for finding in of(diagnosis, check) for clip in finding.clips}
        assert files <= told, check
    # On what is clean nothing is said to spoil a result. Siblings of the recording that leaks are part of the leak.
    guilty = {f"audio/{name}" for files in planted.values() for name in files}
    for finding in diagnosis.of("spoils a result"):
        assert set(finding.clips) & guilty, finding
    blamed = {clip for finding in diagnosis.of("spoils a result") for clip in finding.clips}
    assert {clip for clip in blamed - guilty if f"-{cells[5]}-" not in clip} == set()

    reasons, kept = diagnosis.quarantine()
    assert kept == []
    broken = {*dogs[5:9], rain[5], rain[6], "same.flac", "other.wav", waves[6]}
    assert {f"audio/{name}" for name in broken} <= set(reasons)
