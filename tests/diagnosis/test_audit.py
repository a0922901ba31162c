"""A spoiled data set: every planted fault is found, and a clean one has none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from audiosurvey.data.dataset import DatasetConfig
from audiosurvey.data.layout import dataset_at, read_bare
from audiosurvey.data.other.settings import OtherConfig
from audiosurvey.data.sounds import prepare_sounds
from audiosurvey.diagnosis.audit import Diagnosis, as_json, audit_dataset, audit_table
from audiosurvey.diagnosis.finding import CHECKS
from audiosurvey.diagnosis.page import audit_page
from audiosurvey.diagnosis.stray_files import find_stray_files
from audiosurvey.diagnosis.terminal import describe_data

RATE = 16_000
CLASSES = {"bell": 1, "creak": 2, "drip": 3, "wind": 4}
CLIPS = 12
Sound = Callable[..., np.ndarray]


def write(path: Path, wave: np.ndarray, rate: int = RATE, **how: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate, **how)
    return path


@pytest.fixture(scope="module")
def clean(sound: Sound) -> Callable[[Path], dict[str, Path]]:
    """`clean(root)` writes the clean set below root; gives its files by id."""
    waves = {(name, n): sound(100 * seed + n) for name, seed in CLASSES.items() for n in range(CLIPS)}

    def make(root: Path) -> dict[str, Path]:
        return {f"{name}/{n:02}.wav": write(root / name / f"{n:02}.wav", wave) for (name, n), wave in waves.items()}

    return make


def found(diagnosis: Diagnosis, check: str) -> set[str]:
    return {clip for finding in diagnosis.findings if finding.check == check for clip in finding.clips}


def test_a_clean_set_has_no_finding(clean: Callable[[Path], dict[str, Path]], tmp_path: Path) -> None:
    clean(tmp_path)
    diagnosis = audit_dataset(DatasetConfig(name="folder", root=tmp_path))
    assert diagnosis.findings == ()
    assert not diagnosis.spoilt
    assert diagnosis.quarantine() == ({}, [])
    assert len(diagnosis.profiles) == 48


def test_every_planted_fault_is_found(clean: Callable[[Path], dict[str, Path]], tmp_path: Path, sound: Sound) -> None:
    files = clean(tmp_path)
    wave = {name: soundfile.read(path, dtype="float32")[0] for name, path in files.items()}

    def plant(name: str, content: np.ndarray, rate: int = RATE, **how: str) -> str:
        write(tmp_path / name, content, rate, **how)
        return name

    files["bell/00.wav"].write_bytes(files["bell/00.wav"].read_bytes()[:9000])
    files["bell/01.wav"].write_bytes(b"")
    plant("bell/02.wav", np.zeros(0))
    files["bell/03.wav"].write_text("no sound", encoding="utf-8")
    plant("creak/00.wav", np.where(np.arange(24000) == 77, np.nan, wave["creak/00.wav"]), subtype="FLOAT")
    plant("creak/05.wav", np.where(np.arange(24000) == 77, 1e29, wave["creak/05.wav"]), subtype="FLOAT")
    plant("creak/01.wav", np.zeros(24000))
    plant("creak/02.wav", np.where(np.arange(24000) < 3000, wave["creak/02.wav"], 0))
    plant("creak/03.wav", np.clip(6 * wave["creak/03.wav"], -1, 1))
    plant("drip/00.wav", wave["drip/00.wav"] + 0.2)
    plant("drip/01.wav", np.stack([wave["drip/01.wav"], 0 * wave["drip/01.wav"]], axis=1))
    plant("drip/02.wav", np.stack([wave["drip/02.wav"]] * 2, axis=1))
    plant("drip/03.wav", np.stack([wave["drip/03.wav"], -wave["drip/03.wav"]], axis=1))
    plant("drip/04.wav", soxr.resample(wave["drip/04.wav"], RATE, 22_050), 22_050)
    plant("drip/05.wav", sound(999, 4.0))
    plant("drip/06.wav", 40 * wave["drip/06.wav"], subtype="FLOAT")
    plant("wind/copy.flac", soundfile.read(files["wind/00.wav"])[0])
    plant("creak/other.wav", wave["wind/01.wav"])
    plant("wind/coded.mp3", wave["wind/02.wav"])
    plant("wind/soft.wav", 0.5 * wave["wind/03.wav"])
    plant("wind/late.wav", np.concatenate([np.zeros(1940), wave["wind/04.wav"][:-1940]]))
    plant("wind/low.ogg", soxr.resample(wave["wind/05.wav"], RATE, 11_025), 11_025)
    for n in range(CLIPS):
        plant(f"hiss/{n:02}.wav", soxr.resample(soxr.resample(sound(700 + n), RATE, 6000), 6000, RATE))
    plant("Bell/a.wav", sound(801))
    plant("Bell/b.wav", sound(802))
    plant("loose.wav", sound(803))
    (tmp_path / "wind" / ".hidden.wav").write_bytes(b"x")
    (tmp_path / "wind" / "thumbs.db").write_bytes(b"x")

    diagnosis = audit_dataset(DatasetConfig(name="folder", root=tmp_path))
    planted = {
        "truncated": {"bell/00.wav"},
        "empty": {"bell/01.wav", "bell/02.wav"},
        "unreadable": {"bell/03.wav"},
        "not-numbers": {"creak/00.wav"},
        "implausible": {"creak/05.wav"},
        "silent": {"creak/01.wav"},
        "mostly-silent": {"creak/02.wav"},
        "clipped": {"creak/03.wav"},
        "dc-offset": {"drip/00.wav"},
        "dead-channel": {"drip/01.wav"},
        "same-channels": {"drip/02.wav"},
        "cancels": {"drip/03.wav"},
        "rates": {"drip/04.wav", "wind/low.ogg"},
        "duration": {"drip/05.wav"},
        "overload": {"drip/06.wav"},
        "duplicate": {"wind/00.wav", "wind/copy.flac"},
        "contradiction": {"creak/other.wav", "wind/01.wav"},
        "near-duplicate": {"wind/coded.mp3", "wind/soft.wav", "wind/late.wav", "wind/low.ogg"}
        | {f"wind/0{n}.wav" for n in (2, 3, 4, 5)},
        "band-limit": {f"hiss/{n:02}.wav" for n in range(CLIPS)},
        "label": {"Bell/a.wav", "Bell/b.wav"},
        "stray-sound": {"loose.wav"},
        "stray-file": {"wind/.hidden.wav", "wind/thumbs.db"},
    }
    for check, names in planted.items():
        # Sounds beyond full scale are cut off there, in the measure of `clipped`.
        assert found(diagnosis, check) - {"drip/06.wav"} == names - {"drip/06.wav"}, check
    assert "drip/06.wav" in found(diagnosis, "overload")
    spoiling = {"truncated", "empty", "unreadable", "not-numbers", "implausible", "silent", "cancels"}
    spoiling |= {"contradiction"}
    # Equal samples stay in one fold when folds are made.
    assert {one.severity for one in diagnosis.findings if one.check == "duplicate"} == {"worth a look"}
    assert {finding.check for finding in diagnosis.of("spoils a result")} == spoiling | {
        "near-duplicate",
        "band-limit",
        "label",
    }
    assert [finding.severity for finding in diagnosis.findings] == sorted(
        (finding.severity for finding in diagnosis.findings), key=["spoils a result", "worth a look", "note"].index
    )

    reasons, kept = diagnosis.quarantine()
    assert kept == []
    later = {"wind/copy.flac", "wind/soft.wav", "wind/late.wav", "wind/low.ogg", "wind/coded.mp3"}
    broken = {"bell/00.wav", "bell/01.wav", "bell/02.wav", "bell/03.wav", "creak/00.wav", "creak/01.wav"}
    broken |= {"creak/05.wav"}
    assert set(reasons) == broken | {"creak/other.wav", "wind/01.wav"} | later
    assert reasons["wind/copy.flac"] == "duplicate of wind/00.wav"
    assert reasons["creak/other.wav"] == "the same sound as wind/01.wav, with other labels"


def test_a_class_never_goes_as_a_whole(tmp_path: Path, sound: Sound) -> None:
    for n in range(5):
        write(tmp_path / "a" / f"{n}.wav", sound(n))
        write(tmp_path / "b" / f"{n}.wav", np.zeros(RATE))
    write(tmp_path / "a" / "quiet.wav", np.zeros(RATE))
    reasons, kept = audit_dataset(DatasetConfig(name="folder", root=tmp_path)).quarantine()
    assert list(reasons) == ["a/quiet.wav"]
    assert kept == ["class 'b': all 5 clips are affected; kept, see their findings"]


def test_sides_of_a_csv_and_files_that_are_not_there(tmp_path: Path, sound: Sound) -> None:
    lines = ["path,label,fold,source"]
    for n in range(20):
        write(tmp_path / f"{n:02}.wav", sound(n))
        lines.append(f"{n:02}.wav,{'ab'[n % 2]},{1 + n // 10},{'one' if n in (0, 18) else ''}")
    write(tmp_path / "copy.wav", sound(3))
    lines += ["copy.wav,b,2,", "gone.wav,a,1,"]
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    assert dataset_at(tmp_path).name == "csv"
    diagnosis = audit_dataset(dataset_at(tmp_path))
    assert {(finding.check, finding.severity, finding.clips) for finding in diagnosis.findings} == {
        ("missing", "spoils a result", ("gone.wav",)),
        ("leak", "spoils a result", ("00.wav", "18.wav")),
        ("duplicate", "spoils a result", ("03.wav", "copy.wav")),
    }
    (leak,) = [finding for finding in diagnosis.findings if finding.check == "leak"]
    assert (leak.message, leak.quarantine) == ("recording one has 2 clips in fold 1, fold 2", {})


def test_copies_in_one_fold_count_double_and_spoil_nothing(tmp_path: Path, sound: Sound) -> None:
    lines = ["path,label,fold"]
    for n in range(20):
        write(tmp_path / f"{n:02}.wav", sound(n if n != 4 else 2))
        lines.append(f"{n:02}.wav,{'ab'[n % 2]},{1 + n // 10}")
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    (finding,) = audit_dataset(dataset_at(tmp_path)).findings
    assert (finding.check, finding.severity) == ("duplicate", "worth a look")
    assert finding.quarantine == {"04.wav": "duplicate of 02.wav"}


def test_stretches_of_one_file_are_clips_of_their_own(tmp_path: Path, sound: Sound) -> None:
    long = np.concatenate([sound(1), np.zeros(24_000), sound(2), sound(3)])
    write(tmp_path / "day.wav", long)
    lines = ["path,label,start,end"]
    lines += [f"day.wav,{label},{1.5 * n},{1.5 * n + 1.5}" for n, label in enumerate("abab")]
    (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
    diagnosis = audit_dataset(dataset_at(tmp_path))
    assert found(diagnosis, "silent") == {"day.wav#1.500-3.000"}
    assert [round(found.seconds, 3) for found in diagnosis.profiles.values()] == [1.5] * 4


def test_cuts_of_one_recording_with_labels_of_their_own_are_no_contradiction(tmp_path: Path, sound: Sound) -> None:
    day = sound(1, 4.0)
    rows = [(0, 3, "a", 1), (1, 4, "b", 1), (1, 4, "a", 1), (1, 4, "b", 2)]

    def audit(second: int) -> Diagnosis:
        lines = ["path,label,fold,source"]
        for n in range(20):
            write(tmp_path / f"{n:02}.wav", sound(10 + n, 3.0))
            lines.append(f"{n:02}.wav,{'ab'[n % 2]},{1 + n // 10},{n}")
        for name, (begin, end, label, fold) in (("one", rows[0]), ("two", rows[second])):
            write(tmp_path / f"{name}.wav", day[begin * RATE : end * RATE])
            lines.append(f"{name}.wav,{label},{fold},day{fold}")
        (tmp_path / "clips.csv").write_text("\n".join(lines), encoding="utf-8")
        return audit_dataset(dataset_at(tmp_path))

    told = [[(one.check, one.severity, len(one.quarantine)) for one in audit(second).findings] for second in (1, 2, 3)]
    assert told == [
        [("contradiction", "worth a look", 0)],
        [("overlap", "note", 0)],
        [("contradiction", "spoils a result", 2)],
    ]


def test_a_dead_channel_matters_where_the_left_one_is_taken(tmp_path: Path, sound: Sound) -> None:
    for n in range(20):
        write(tmp_path / "ab"[n % 2] / f"{n}.wav", sound(n))
    write(tmp_path / "a" / "0.wav", np.stack([0 * sound(0), sound(0)], axis=1))
    write(tmp_path / "a" / "2.wav", np.stack([sound(2), -sound(2)], axis=1))
    told = {
        mono: {
            finding.check for finding in audit_dataset(DatasetConfig(name="folder", root=tmp_path, mono=mono)).findings
        }
        for mono in ("mean", "left", "loudest")
    }
    assert told["mean"] - told["left"] == {"cancels"}
    assert told["left"] - told["loudest"] == {"dead-channel"}


def test_a_bare_folder_has_no_classes_to_be_spoilt(tmp_path: Path, sound: Sound) -> None:
    for n in range(6):
        write(tmp_path / f"{n}.wav", sound(n))
    write(tmp_path / "copy.wav", 0.5 * sound(2))
    table = read_bare(tmp_path)
    diagnosis = audit_table(table, list(find_stray_files(table)))
    (finding,) = diagnosis.findings
    assert (finding.check, finding.severity) == ("near-duplicate", "worth a look")
    assert finding.clips == ("2.wav", "copy.wav")


def test_selected_classes_leave_the_others_no_strays(clean: Callable[[Path], dict[str, Path]], tmp_path: Path) -> None:
    clean(tmp_path)
    config = DatasetConfig(name="folder", root=tmp_path, classes=["bell", "wind"])
    assert audit_dataset(config).findings == ()


def test_json_has_every_finding_and_with_clips_the_facts(tmp_path: Path, sound: Sound) -> None:
    for n in range(6):
        write(tmp_path / "ab"[n % 2] / f"{n}.wav", sound(n) if n else np.zeros(RATE))
    diagnosis = audit_dataset(DatasetConfig(name="folder", root=tmp_path, num_folds=2))
    value = as_json(diagnosis, clips=True)
    assert value["spoilt"] is True
    assert value["counts"] == {"spoils a result": 1, "worth a look": 0, "note": 3}
    assert value["clips"]["a/0.wav"]["level_db"] is None
    assert value["clips"]["b/1.wav"]["seconds"] == 1.5


def test_names_that_look_like_cuts_are_told_by_doctor_and_training(tmp_path: Path, sound: Sound) -> None:
    for n in range(16):
        write(tmp_path / "ab"[n % 2] / f"site{n % 4}_{n // 4:04}.wav", sound(n))
    config = DatasetConfig(name="folder", root=tmp_path, num_folds=2)
    (finding,) = [one for one in audit_dataset(config).findings if one.check == "cuts"]
    assert finding.severity == "worth a look"
    assert finding.message in prepare_sounds(config, 8000).table.notes
    assert r"set dataset.source_pattern: '^(.+)[-_ ]\d+\.\w+$'" in finding.message
    sourced = config.model_copy(update={"source_pattern": r"^(.+)[-_ ]\d+\.\w+$"})
    assert not [one for one in audit_dataset(sourced).findings if one.check == "cuts"]


def test_every_finding_belongs_to_a_check_that_the_manual_tells_of() -> None:
    page = (Path(__file__).parents[2] / "docs" / "doctor.md").read_text(encoding="utf-8")
    for check in CHECKS:
        assert f"`{check}`" in page


def test_windows_of_one_recording_may_overlap_and_differ_in_labels(tmp_path: Path, sound: Sound) -> None:
    header = "Selection\tBegin Time (s)\tEnd Time (s)\tSpecies\n"
    for number in range(4):
        write(tmp_path / f"{number}.wav", np.concatenate([sound(10 * number + part) for part in range(6)]))
        events = "1\t0\t1\towl\n2\t0.8\t3\tfrog\n"
        (tmp_path / f"{number}.Table.1.selections.txt").write_text(header + events, encoding="utf-8")
    windows = {"seconds": 2, "hop": 0.25}
    config = DatasetConfig.model_validate({"name": "raven", "root": tmp_path, "windows": windows})
    diagnosis = audit_dataset(config)
    assert not found(diagnosis, "contradiction") | found(diagnosis, "near-duplicate") | found(diagnosis, "leak")
    assert len(found(diagnosis, "overlap")) == len(diagnosis.profiles) > 40
    assert not diagnosis.spoilt
    assert found(audit_dataset(dataset_at(tmp_path)), "contradiction") == set()


def test_sounds_of_no_class_are_audited_and_copies_of_clips_are_found(
    clean: Callable[[Path], dict[str, Path]], tmp_path: Path, sound: Sound
) -> None:
    files = clean(tmp_path / "set")
    other = tmp_path / "other"
    write(other / "new.wav", sound(999))
    write(other / "longer.wav", sound(998, 9.0))
    write(other / "quiet.wav", np.zeros(RATE))
    write(other / "twice.flac", soundfile.read(files["bell/00.wav"])[0])
    write(other / "softer.wav", 0.3 * soundfile.read(files["bell/01.wav"])[0])
    (other / "broken.wav").write_text("no sound", encoding="utf-8")
    config = DatasetConfig(name="folder", root=tmp_path / "set", other=OtherConfig(path=other))
    diagnosis = audit_dataset(config)
    assert {(finding.check, finding.severity, finding.clips) for finding in diagnosis.findings} == {
        ("unreadable", "worth a look", ("other:broken.wav",)),
        ("other-known", "worth a look", ("bell/00.wav", "other:twice.flac")),
        ("other-known", "spoils a result", ("bell/01.wav", "other:softer.wav")),
    }
    assert diagnosis.spoilt
    assert diagnosis.quarantine() == ({}, [])
    assert "6 sounds of no class" in describe_data(diagnosis)[0]
    told = as_json(diagnosis)["dataset"]
    assert (told["clips"], told["readable"], told["others"]) == (48, 48, 6)
    assert "other:softer.wav" in audit_page(diagnosis)
