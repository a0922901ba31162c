"""Search by sound."""

import csv
import json
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import audiosurvey
from audiosurvey.artefact.folder import Model
from audiosurvey.embeddings.kept import Collection
from audiosurvey.embeddings.similar import Query, embed_query, nearest_sounds
from audiosurvey.embeddings.stretches import FileStretch
from audiosurvey.embeddings.windows import EmbeddedSound
from audiosurvey.errors import UserError
from audiosurvey.prediction.array_source import ArraySource
from audiosurvey.prediction.sources import find_sources


def embedded(*features: tuple[float, float], silent: tuple[int, ...] = ()) -> EmbeddedSound:
    """Windows of one second."""
    times = [(row, row + 1) for row in range(len(features))]
    quiet = np.array([row in silent for row in range(len(features))], bool)
    return EmbeddedSound(np.array(times, float).reshape(-1, 2), np.array(features, np.float32).reshape(-1, 2), quiet)


def collection(*sounds: EmbeddedSound) -> Collection:
    """Named `a`, `b`, ..., with contents of these names."""
    names = "abcdefgh"[: len(sounds)]
    sources = [ArraySource(np.zeros(1, np.float32), 8000, name) for name in names]
    return Collection(sources, [FileStretch(name) for name in names], sounds)


EAST = Query(("query",), np.array([1.0, 0.0]), (FileStretch("query"),))


def test_a_sound_is_as_near_as_its_nearest_window():
    found = nearest_sounds(
        EAST, collection(embedded((0, 1), (0.6, 0.8)), embedded((5, 0)), embedded((-1, 0), (0, 3))), 2
    )
    assert [(hit.name, hit.start_s, hit.end_s) for hit in found] == [("b", 0, 1), ("a", 1, 2)]
    assert [hit.similarity for hit in found] == pytest.approx([1, 0.6])
    assert (len(found), found.sounds, found.left_out, found.silent) == (2, 3, (), ())


def test_equally_near_ones_keep_their_order_and_features_of_nothing_are_not_near():
    found = nearest_sounds(EAST, collection(embedded((0, 0)), embedded((2, 0)), embedded((1, 0))), 9)
    assert [(hit.name, hit.similarity) for hit in found] == [("b", 1), ("c", 1), ("a", 0)]


def test_silence_is_left_out_and_told():
    quiet, half = embedded((1, 0), silent=(0,)), embedded((1, 0), (0.6, 0.8), silent=(0,))
    found = nearest_sounds(EAST, collection(quiet, half), 9)
    assert [(hit.name, hit.start_s) for hit in found] == [("b", 1)]
    assert found.silent == ("a",)


def test_windows_of_the_query_are_left_out():
    part = Query(("a",), np.array([1.0, 0.0]), (FileStretch("a", 0.5, 1.5),))
    found = nearest_sounds(part, collection(embedded((1, 0), (1, 0), (0.6, 0.8)), embedded((0, 1))), 9)
    assert [(hit.name, hit.start_s) for hit in found] == [("a", 2), ("b", 0)]
    assert (found.left_out, found.overlapping) == ((), ("a",))
    whole = Query(("a",), np.array([1.0, 0.0]), (FileStretch("a"),))
    assert [hit.name for hit in nearest_sounds(whole, collection(embedded((1, 0)), embedded((0, 1))), 9)] == ["b"]


def test_a_query_is_the_mean_of_directions(model: Model, tones: Path, write: Callable[..., Path]):
    low, high = (find_sources([str(tones / name / "0.wav")])[0] for name in ("low", "high"))
    one, other = (model.embed(source.path) for source in (low, high))
    mean = one / np.linalg.norm(one) + other / np.linalg.norm(other)
    np.testing.assert_allclose(embed_query(model, [low, high]).embedding_N, mean / np.linalg.norm(mean), atol=1e-5)
    half = embed_query(model, find_sources([str(write("half.wav", 0, 300, 0))]))
    alone = embed_query(model, find_sources([str(write("alone.wav", 300))]))
    assert half.embedding_N @ alone.embedding_N == pytest.approx(1, abs=0.01)


def test_queries_without_sound_are_refused(model: Model, write: Callable[..., Path], tmp_path: Path):
    with pytest.raises(UserError, match=r"quiet\.wav: silent; there is nothing to search by"):
        embed_query(model, find_sources([str(write("quiet.wav", 0))]))
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"broken\.wav: "):
        embed_query(model, find_sources([str(tmp_path / "broken.wav")]))


def test_tones_find_their_kind(model: Model, tones: Path):
    for name in ("low", "mid", "high", "noise"):
        found = audiosurvey.similar(model, tones / name / "0.wav", tones, number=5)
        assert {Path(hit.name).parent.name for hit in found} == {name}
        assert found.left_out == (str(tones / name / "0.wav"),)
        assert found.sounds == 24


def test_the_best_window_of_a_long_recording_is_found(model: Model, tones: Path, write: Callable[..., Path]):
    write("there/long.wav", *[300] * 50, 2500, *[300] * 20)
    (hit,) = audiosurvey.similar(
        model, tones / "high" / "3.wav", write("there/long.wav", *[300] * 50, 2500, *[300] * 20)
    )
    assert (hit.start_s, hit.end_s) == (25, 25.5)
    (hit,) = audiosurvey.similar(model, tones / "high" / "3.wav", hit.name, hop_s=0.1)
    assert hit.start_s == pytest.approx(25, abs=0.11)
    # The rest of the recording of a query is searched.
    (hit,) = audiosurvey.similar(model, hit.name, hit.name, start_s=25, end_s=25.5)
    assert hit.end_s <= 25 or hit.start_s >= 25.5


def test_tables_and_arrays(model: Model, write: Callable[..., Path], tmp_path: Path):
    write("long.wav", 300, 2500, 300)
    (tmp_path / "list.csv").write_text("path,start,end\nlong.wav,0,0.5\nlong.wav,0.5,1\n", encoding="utf-8")
    rng = np.random.default_rng(0)
    query_S = 0.3 * np.sin(2 * np.pi * 2500 * np.arange(8000) / 16000) + 0.02 * rng.standard_normal(8000)
    first, second = audiosurvey.similar(model, query_S, tmp_path / "list.csv", sample_rate=16000)
    assert (first.start_s, first.end_s, second.start_s) == (0.5, 1, 0)
    again = audiosurvey.similar(model, query_S, [query_S, 0 * query_S], sample_rate=16000)
    assert (again.left_out, again.silent, again.hits) == (("array 1",), ("array 2",), ())


def test_results_are_written_as_csv_and_json(model: Model, tones: Path, tmp_path: Path):
    found = audiosurvey.similar(model, tones / "low" / "0.wav", tones / "low", number=3)
    found.write(tmp_path / "found.csv")
    with (tmp_path / "found.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "start", "end", "similarity"]
    assert [(tmp_path / row["path"]).resolve() for row in rows] == [Path(hit.name).resolve() for hit in found]
    assert not any(Path(row["path"]).is_absolute() for row in rows)
    # It is a table of sounds again.
    assert len(audiosurvey.similar(model, tones / "low" / "1.wav", tmp_path / "found.csv")) >= 2
    with pytest.raises(UserError, match="already exists"):
        found.write(tmp_path / "found.csv")
    found.write(tmp_path / "found.csv", force=True)
    with pytest.raises(UserError, match=r"found\.txt: expected a file that ends in \.csv or \.json"):
        found.write(tmp_path / "found.txt")
    assert [float(row["similarity"]) for row in rows] == found.columns()["similarity"]
    found.write(tmp_path / "found.json")
    assert json.loads((tmp_path / "found.json").read_text(encoding="utf-8")) == found.as_json()
    assert found.as_json()["results"][0] == {
        "path": found.hits[0].name,
        "start_s": 0.0,
        "end_s": 0.5,
        "similarity": round(found.hits[0].similarity, 6),
    }


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"number": 0}, "number=0: expected a whole number, at least 1"),
        ({"hop_s": 0.0}, "hop_s=0.0: expected seconds above 0"),
        ({"start_s": -1.0}, "start_s=-1.0: expected seconds, at least 0"),
        ({"start_s": 0.3, "end_s": 0.2}, "end_s=0.2: is not after the start"),
        ({"start_s": 9.0}, "the segment begins at 9 s, the file ends at 0.500 s"),
        ({"query": "none.wav"}, "none.wav: no such file or folder"),
        ({"sounds": "nothing"}, "nothing: no such file or folder"),
        ({"model": "model.onnx"}, "model.onnx: an exported file has scores, but no embedding; give the model folder"),
        ({"page": "none/page.html"}, "the folder none is missing"),
    ],
)
def test_mistakes_are_told_in_one_line(model: Model, tones: Path, given: dict[str, object], line: str):
    arguments: dict[str, object] = {"model": model, "query": tones / "low" / "0.wav", "sounds": tones}
    with pytest.raises(UserError, match=line.replace(".", r"\.")) as caught:
        audiosurvey.similar(**(arguments | given))  # pyright: ignore[reportArgumentType]
    assert len(caught.value.lines) == 1


@pytest.mark.parametrize("target", ["sounds/a.wav", "list.csv", "link.html"])
def test_a_page_replaces_no_input(model: Model, write: Callable[..., Path], tmp_path: Path, target: str):
    write("sounds/a.wav", 300)
    write("sounds/b.wav", 900)
    (tmp_path / "list.csv").write_text("path\nsounds/b.wav\n", encoding="utf-8")
    (tmp_path / "link.html").symlink_to(tmp_path / "sounds" / "b.wav")
    before = (tmp_path / target).read_bytes()
    sounds = [tmp_path / "sounds", tmp_path / "list.csv"]
    with pytest.raises(UserError, match="is an input of this command and would be overwritten"):
        audiosurvey.similar(model, tmp_path / "sounds" / "b.wav", sounds, page=tmp_path / target, force=True)
    assert (tmp_path / target).read_bytes() == before


def test_one_sound_is_held_at_a_time():
    alive: list[weakref.ref[EmbeddedSound]] = []

    def sounds() -> Iterator[EmbeddedSound]:
        for number in range(8):
            assert sum(ref() is not None for ref in alive) <= 1
            sound = embedded((1, number))
            alive.append(weakref.ref(sound))
            yield sound
            del sound

    whole = collection(*[embedded((1, 0))] * 8)
    assert len(nearest_sounds(EAST, replace(whole, sounds=sounds()), 3)) == 3


def test_a_part_is_of_one_file(model: Model, tones: Path):
    with pytest.raises(UserError, match=r"start_s=0\.1: is for a query of one sound file, not 6 sounds"):
        audiosurvey.similar(model, tones / "low", tones, start_s=0.1)
