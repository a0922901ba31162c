"""Embeddings in the cache."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import audiosurvey
from audiosurvey.artefact import embedding
from audiosurvey.artefact.folder import Model, load_artefact
from audiosurvey.data.cached import list_cached
from audiosurvey.embeddings import kept
from audiosurvey.embeddings.kept import Collection, stream_collection
from audiosurvey.prediction.array_source import ArraySource
from audiosurvey.prediction.sources import SoundSource, find_sources


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the sounds whose embeddings are computed."""
    names: list[str] = []
    true = kept.embed_sounds

    def embed(model: Model, sources: list[SoundSource], *rest: object) -> object:
        names.extend(Path(source.name).name for source in sources)
        return true(model, sources, *rest)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(kept, "embed_sounds", embed)
    return names


def embed_collection(*arguments: Any, **options: Any) -> Collection:
    """All embeddings of a collection."""
    found = stream_collection(*arguments, **options)
    return replace(found, sounds=list(found.sounds))


def test_what_was_computed_is_not_computed_again(model: Model, write: Callable[..., Path], computed: list[str]):
    files = [write("a.wav", 300, 0), write("b.wav", 900)]
    copy = files[0].with_name("copy.wav")
    copy.write_bytes(files[0].read_bytes())
    sources = find_sources([*map(str, files), str(copy)])
    told: list[tuple[int, int | None]] = []
    first = embed_collection(model, sources, advance=lambda done, total: told.append((done, total)))
    assert computed == ["a.wav", "b.wav"]
    assert told == [(1, 2), (2, 2)]
    again = embed_collection(model, sources)
    assert len(computed) == 2
    for one, other in zip(first.sounds, again.sounds, strict=True):
        np.testing.assert_array_equal(one.features_WN, other.features_WN)
        np.testing.assert_array_equal(one.times_W2, other.times_W2)
        np.testing.assert_array_equal(one.silent_W, other.silent_W)
    # A moved file is known, a changed one is not.
    moved = files[0].rename(files[0].with_name("moved.wav"))
    embed_collection(model, find_sources([str(moved), str(write("b.wav", 2500))]))
    assert computed[2:] == ["b.wav"]
    # Other windows are others.
    embed_collection(model, find_sources([str(moved)]), hop_s=0.25)
    assert computed[3:] == ["moved.wav"]


def test_models_with_another_classifier_share_them(finished_run: Path, tones: Path, computed: list[str]):
    model = load_artefact(finished_run / "fold-1" / "model")
    sources = find_sources([str(tones / "low")])
    embed_collection(model, sources)
    model.network.classifier.weight.data.neg_()
    embed_collection(model, sources)
    assert len(computed) == 6
    next(model.network.blocks.parameters()).data.neg_()
    embed_collection(model, sources)
    assert len(computed) == 12


def test_faulty_files_are_tried_again(model: Model, tmp_path: Path, computed: list[str]):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    for _ in range(2):
        (sound,) = embed_collection(model, find_sources([str(tmp_path / "broken.wav")])).sounds
        assert sound.fault
    assert computed == ["broken.wav"] * 2


def test_arrays_are_known_by_their_samples(model: Model, computed: list[str]):
    wave_S = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)
    source = ArraySource(wave_S, 8000, "array 1")
    embed_collection(model, [source, replace(source, name="array 2")])
    embed_collection(model, [replace(source, rate=16000)])
    assert computed == ["array 1", "array 1"]


def test_a_damaged_or_missing_cache_costs_only_time(
    model: Model, tones: Path, computed: list[str], tmp_cache: Path, monkeypatch: pytest.MonkeyPatch
):
    sources = find_sources([str(tones / "low")])
    first = embed_collection(model, sources)
    (file,) = (tmp_cache / "embeddings").glob("*.sqlite")
    file.write_bytes(b"this is no database" * 100)
    again = embed_collection(model, sources)
    monkeypatch.setenv("AUDIOSURVEY_CACHE", "/dev/null/nowhere")
    without = embed_collection(model, sources)
    assert len(computed) == 18
    np.testing.assert_array_equal(list(first.sounds)[2].features_WN, list(again.sounds)[2].features_WN)
    np.testing.assert_array_equal(list(first.sounds)[2].features_WN, list(without.sounds)[2].features_WN)


def test_the_cache_lists_and_removes_them(model: Model, tones: Path, tmp_cache: Path):
    embed_collection(model, find_sources([str(tones / "low")]))
    (item,) = (one for one in list_cached() if one.name.startswith("embeddings/"))
    assert item.what == "embeddings of sounds, for similar and suggest"
    assert audiosurvey.clear_cache([item.name]) == [item]
    assert not list((tmp_cache / "embeddings").iterdir())


def test_a_file_that_was_replaced_meanwhile_is_not_kept(
    model: Model, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    path = write("a.wav", 300)
    content = path.read_bytes()
    true = kept.embed_sounds

    def embed(*given: object) -> object:
        write("a.wav", 2500)
        return true(*given)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(kept, "embed_sounds", embed)
    embed_collection(model, find_sources([str(path)]))
    monkeypatch.setattr(kept, "embed_sounds", true)
    path.write_bytes(content)
    (sound,) = embed_collection(model, find_sources([str(path)])).sounds
    np.testing.assert_allclose(sound.features_WN.mean(axis=0), model.embed(path), atol=1e-5)


def test_a_stream_gives_the_same_one_after_another(model: Model, tones: Path, computed: list[str]):
    sources = find_sources([str(tones / "low")])
    stream = iter(stream_collection(model, [*sources, sources[0]]).sounds)
    first = next(stream)
    rest = list(stream)
    assert rest[-1] is first
    for one, other in zip([first, *rest], embed_collection(model, [*sources, sources[0]]).sounds, strict=True):
        np.testing.assert_array_equal(one.features_WN, other.features_WN)
        assert one.short
        assert other.short
    assert len(computed) == 6


def test_a_hop_is_the_same_as_whole_number(model: Model, tones: Path, computed: list[str]):
    sources = find_sources([str(tones / "low" / "0.wav")])
    embed_collection(model, sources, hop_s=1)
    embed_collection(model, sources, hop_s=1.0)
    assert computed == ["0.wav"]
    # The libraries are part of the key.
    assert kept._versions(model) == [torch.__version__]


def test_the_weights_are_hashed_once_per_search(model: Model, tones: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    true = embedding.hash_of_body
    for module in (embedding, kept):
        monkeypatch.setattr(module, "hash_of_body", lambda model: calls.append(1) or true(model))
    audiosurvey.similar(model, tones / "low" / "0.wav", tones / "low")
    assert calls == [1]


def test_progress_is_told_of_files_to_read_and_sounds(model: Model, write: Callable[..., Path]):
    files = [write("a.wav", 300), write("b.wav", 900)]
    told: list[tuple[str, float, float | None]] = []
    audiosurvey.suggest(model, files, progress=lambda one: told.append((one.task, one.done, one.total)))
    assert told == [(task, done, 2) for task in ("reading files", "computing embeddings") for done in (1, 2)]
