"""The clips to label next."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import audiosurvey
from audiosurvey.artefact.folder import Model
from audiosurvey.data.sets.csv_columns import ColumnsConfig
from audiosurvey.data.sets.csv_table import read_csv
from audiosurvey.embeddings.kept import Collection
from audiosurvey.embeddings.labelled import LabelledStretches
from audiosurvey.embeddings.stretches import FileStretch
from audiosurvey.embeddings.suggest import suggest_clips, uncalibrated_scores
from audiosurvey.embeddings.windows import EmbeddedSound
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import FileSource

Write = Callable[..., Path]


@pytest.fixture
def new_sounds(write: Write, tmp_path: Path) -> Path:
    """Eight files that no model was trained on: tones of all pitches."""
    for number in range(8):
        write(f"new/{number}.wav", 200 + 350 * number)
    return tmp_path / "new"


def test_scores_are_those_of_predict(model: Model, new_sounds: Path, write: Write):
    write("new/longer.wav", 300, None, 2500)
    found = audiosurvey.suggest(model, new_sounds)
    assert {one.name for one in found} == {str(path) for path in new_sounds.iterdir()}
    for one in found:
        (expected,) = audiosurvey.predict(model, one.name)
        assert one.labels == (expected.label,)
        assert one.score == pytest.approx(expected.score, abs=1e-5)
        assert (one.start_s, one.end_s) == (None, None)


def test_scores_from_features_are_those_of_the_model(model: Model, tones: Path):
    wave_BS = np.stack([model.decoded(path) for path in sorted(tones.rglob("*.wav"))])
    np.testing.assert_allclose(
        uncalibrated_scores(model, model.features(wave_BS)), model.uncalibrated(wave_BS), atol=1e-6
    )


def test_what_is_labelled_copied_or_silent_is_left_out(model: Model, new_sounds: Path, write: Write, tones: Path):
    copy = write("new/0.wav", 200).read_bytes()
    (new_sounds / "copy.wav").write_bytes(copy)
    write("new/quiet.wav", 0)
    (new_sounds / "broken.wav").write_bytes(b"RIFF")
    (new_sounds.parent / "done.csv").write_text("path,label\nnew/3.wav,low\nnew/4.wav,\n", encoding="utf-8")
    found = audiosurvey.suggest(model, [new_sounds, tones], labelled=new_sounds.parent / "done.csv")
    names = {Path(one.name).relative_to(new_sounds).name for one in found if new_sounds in Path(one.name).parents}
    assert names == {f"{number}.wav" for number in (0, 1, 2, 4, 5, 6, 7)}
    # Of the tones those of the test fold, whose labels the model has not seen.
    assert found.candidates == len(found) == 7 + 8
    assert found.labelled == 1 + 16
    assert found.copies == (str(new_sounds / "copy.wav"),)
    assert found.silent == (str(new_sounds / "quiet.wav"),)
    assert [one.name for one in found.failures] == [str(new_sounds / "broken.wav")]


def test_the_choice_depends_on_the_seed_alone(model: Model, new_sounds: Path):
    first, again, other = (audiosurvey.suggest(model, new_sounds, number=5, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert len(first) == 5
    assert first.clips[0] == other.clips[0]
    assert any(audiosurvey.suggest(model, new_sounds, number=5, seed=seed) != first for seed in range(1, 6))
    assert audiosurvey.suggest(model, new_sounds, number=3).clips == first.clips[:3]


def test_windows_of_long_recordings_are_clips(model: Model, write: Write, tmp_path: Path):
    path = write("long.wav", *[300, 2500] * 34, 0)
    found = audiosurvey.suggest(model, path, number=100)
    assert found.candidates == 68
    assert all(one.end_s - one.start_s == 0.5 for one in found if one.start_s is not None and one.end_s is not None)
    # What is filled in is not suggested again.
    found.write(tmp_path / "ask.csv")
    rows = list(csv.DictReader((tmp_path / "ask.csv").open(encoding="utf-8", newline="")))
    text = "path,start,end,label\n" + "".join(f"{row['path']},{row['start']},{row['end']},x\n" for row in rows[:60])
    (tmp_path / "ask.csv").write_text(text, encoding="utf-8")
    again = audiosurvey.suggest(model, path, number=100, labelled=[tmp_path / "ask.csv"])
    assert (again.candidates, again.labelled) == (8, 60)
    assert {one.start_s for one in again} == {float(row["start"]) for row in rows[60:]}


def test_of_a_damaged_recording_the_windows_are_clips(model: Model, write: Write):
    path = write("long.wav", *[300, 2500] * 35)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])
    found = audiosurvey.suggest(model, path, number=100)
    assert found.failures
    assert found.candidates == len(found) > 50
    assert all(one.start_s is not None and one.end_s is not None for one in found)
    # Nor is it one clip if its last whole window ends where short sounds do.
    path.write_bytes(content[: 44 + 2 * round(30.2 * 8000)])
    again = audiosurvey.suggest(model, path, number=100)
    assert len(again) > 50
    assert all(one.start_s is not None for one in again)


def test_what_is_mostly_in_an_earlier_clip_is_no_other_one(model: Model, write: Write, tmp_path: Path):
    write("a.wav", 300, 2500)
    (tmp_path / "list.csv").write_text("path,start,end\na.wav,,\na.wav,0,0.5\n", encoding="utf-8")
    found = audiosurvey.suggest(model, tmp_path / "list.csv")
    assert (len(found), found.candidates, found.overlapping) == (1, 1, 1)
    long = write("long.wav", *[300] * 70, seconds=0.43)
    again = audiosurvey.suggest(model, long, number=100)
    starts = sorted(one.start_s for one in again if one.start_s is not None)
    assert min(np.diff(starts)) >= 0.25 - 0.001
    assert again.overlapping == 1
    # With a hop, windows overlap as it says.
    assert audiosurvey.suggest(model, write("b.wav", 900, 2500), hop_s=0.1).candidates == 6


def test_a_file_with_labels_is_not_replaced(model: Model, new_sounds: Path, tmp_path: Path):
    found = audiosurvey.suggest(model, new_sounds, number=2)
    (tmp_path / "ask.csv").write_text("mine", encoding="utf-8")
    with pytest.raises(UserError, match="already exists"):
        found.write(tmp_path / "ask.csv")
    assert (tmp_path / "ask.csv").read_text(encoding="utf-8") == "mine"
    found.write(tmp_path / "ask.csv", force=True)
    assert len((tmp_path / "ask.csv").read_text(encoding="utf-8").splitlines()) == 3
    found.write(tmp_path / "ask.json")
    assert json.loads((tmp_path / "ask.json").read_text(encoding="utf-8")) == found.as_json()
    with pytest.raises(UserError, match=r"ask\.txt: expected a file that ends in \.csv or \.json"):
        found.write(tmp_path / "ask.txt")


def test_a_hop_makes_windows_of_short_sounds_too(model: Model, write: Write):
    found = audiosurvey.suggest(model, write("short.wav", 300, 2500), hop_s=0.25)
    assert {one.start_s for one in found} == {0, 0.25, 0.5}


def test_the_table_is_a_data_set_once_it_is_filled_in(model: Model, new_sounds: Path, write: Write, tmp_path: Path):
    write("other place/long.wav", *[300, 2500] * 35)
    found = audiosurvey.suggest(model, [new_sounds, tmp_path / "other place"], number=30)
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "ask.csv"
    found.write(table)
    rows = list(csv.DictReader(table.open(encoding="utf-8", newline="")))
    assert list(rows[0]) == ["path", "start", "end", "label", "suggested", "score"]
    assert {row["label"] for row in rows} == {""}
    assert rows[0]["path"].startswith("../")
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows([row | {"label": row["suggested"]} for row in rows])
    read = read_csv(table.parent, table, ColumnsConfig(), "|", multi_label=None, named=set(), windows=None)
    assert len(read.clips) == 30
    for clip, one in zip(read.clips, found, strict=True):
        assert clip.path.resolve() == Path(one.name).resolve()
        assert (clip.start_s or 0) == pytest.approx(one.start_s or 0, abs=1e-3)
        assert tuple(read.classes[label] for label in clip.labels) == one.labels


def embedded(rows: int, seed: int) -> EmbeddedSound:
    rng = np.random.default_rng(seed)
    times = np.array([(row, row + 1) for row in range(rows)], float).reshape(-1, 2)
    return EmbeddedSound(times, rng.normal(size=(rows, 8)).astype(np.float32), rng.random(rows) < 0.2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 40), max_size=8), st.integers(1, 60), st.integers(0, 5), st.data())
def test_no_clip_twice_and_none_that_is_labelled(
    model: Model, rows: list[int], number: int, seed: int, data: st.DataObject
):
    files = [data.draw(st.sampled_from("abcd")) for _ in rows]
    taken = [FileStretch(name, 2.0, 5.0) for name in data.draw(st.sets(st.sampled_from("abcd")))]
    sources = [FileSource(Path(f"{place}.wav"), f"{place}.wav") for place in range(len(rows))]
    sounds = [embedded(count, seed) for count in rows]
    collection = Collection(sources, [FileStretch(name) for name in files], sounds)
    found = suggest_clips(model, collection, LabelledStretches(taken), number, hop_s=1.0, seed=seed)
    assert len({(one.name, one.start_s) for one in found}) == len(found) == min(number, found.candidates)
    file_of = {source.name: name for source, name in zip(sources, files, strict=True)}
    labelled = {one.file for one in taken}
    for one in found:
        assert one.start_s is not None
        assert not (file_of[one.name] in labelled and 2 <= one.start_s < 5)
        sound = sounds[int(Path(one.name).stem)]
        assert not sound.silent_W[int(one.start_s)]
    # One file of a content.
    assert len({file_of[one.name] for one in found}) == len({one.name for one in found})
    assert found == suggest_clips(model, collection, LabelledStretches(taken), number, hop_s=1.0, seed=seed)


def test_several_labels_are_suggested(model: Model, new_sounds: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model, "multi_label", True)
    monkeypatch.setattr(model, "to_scores", lambda logits_BK: (logits_BK + 1).sigmoid())
    for one in audiosurvey.suggest(model, new_sounds):
        best = model.logits(model.windows(model.decoded(Path(one.name))))[0] + 1
        assert set(one.labels) == {model.labels[k] for k in np.flatnonzero(best >= 0)}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"number": 0}, "number=0: expected a whole number, at least 1"),
        ({"hop_s": -1.0}, r"hop_s=-1\.0: expected seconds above 0"),
        ({"labelled": "none.csv"}, r"none\.csv: no such file"),
        ({"sounds": []}, "which sounds\\? give paths, folders, patterns or arrays"),
        ({"sounds": np.zeros(4000)}, "a clip to label is part of a file; give paths, not arrays"),
        ({"model": audiosurvey.AudioClassifier()}, "model: expected a path or a loaded model, not AudioClassifier"),
        ({"model": "model.tflite"}, r"model\.tflite: an exported file has scores, but no embedding"),
    ],
)
def test_mistakes_are_told_in_one_line(model: Model, tones: Path, given: dict[str, object], line: str):
    with pytest.raises(UserError, match=line) as caught:
        audiosurvey.suggest(**({"model": model, "sounds": tones} | given))  # pyright: ignore[reportArgumentType]
    assert len(caught.value.lines) == 1
