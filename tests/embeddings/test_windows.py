"""Embedded windows of sounds."""

import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audiosurvey.artefact.folder import Model
from audiosurvey.embeddings.windows import embed_sounds
from audiosurvey.errors import UserError
from audiosurvey.prediction.sources import find_sources

RATE = 8000


def test_the_mean_is_the_embedding_of_the_model(model: Model, write: Callable[..., Path]):
    files = [write("short.wav", 300, seconds=0.3), write("one.wav", 900), write("five.wav", 300, 900, 2500, None, 60)]
    found = list(embed_sounds(model, find_sources([str(path) for path in files]), batch_size=3))
    assert [len(one.features_WN) for one in found] == [1, 1, 5]
    for path, one in zip(files, found, strict=True):
        np.testing.assert_allclose(one.features_WN.mean(axis=0), model.embed(path), atol=1e-5)
    np.testing.assert_allclose(found[0].times_W2, [[0, 0.3]])
    np.testing.assert_allclose(found[2].times_W2[-1], [2.0, 2.5])


def test_batches_do_not_matter(model: Model, tones: Path):
    sources = find_sources([str(tones)])
    one, seven = (list(embed_sounds(model, sources, batch_size=size)) for size in (1, 7))
    assert len(one) == len(seven) == 24
    for a, b in zip(one, seven, strict=True):
        np.testing.assert_allclose(a.features_WN, b.features_WN, atol=1e-5)


def test_long_sounds_and_hops(model: Model, write: Callable[..., Path]):
    (source,) = find_sources([str(write("long.wav", *[300] * 70))])
    (long,) = embed_sounds(model, [source])
    assert len(long.times_W2) == 70
    assert long.seconds == 35
    (hopped,) = embed_sounds(model, [source], hop_s=0.25)
    assert len(hopped.times_W2) == 139
    np.testing.assert_allclose(hopped.times_W2[1], [0.25, 0.75])
    np.testing.assert_allclose(hopped.features_WN[2], long.features_WN[1], atol=1e-5)
    with pytest.raises(UserError, match="expected at least one"):
        list(embed_sounds(model, [source], hop_s=1e-6))


def test_silence_is_known_by_its_range(model: Model, write: Callable[..., Path], tmp_path: Path):
    files = [write("half.wav", 0, 300), write("none.wav", 0, 0), tmp_path / "dither.wav", tmp_path / "offset.wav"]
    rng = np.random.default_rng(0)
    soundfile.write(files[2], rng.integers(-1, 2, 4000).astype(np.int16), RATE)
    soundfile.write(files[3], np.full(4000, 8000, np.int16), RATE)
    soundfile.write(tmp_path / "soft.wav", rng.integers(-9, 10, 4000).astype(np.int16), RATE)
    half, none, dither, offset, soft = embed_sounds(model, find_sources([*map(str, files), str(tmp_path / "soft.wav")]))
    assert half.silent_W.tolist() == [True, False]
    assert [one.silent for one in (half, none, dither, offset, soft)] == [False, True, True, True, False]


def test_faulty_files_keep_their_place(model: Model, write: Callable[..., Path], tmp_path: Path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    write("long.wav", *[300] * 80)
    content = (tmp_path / "long.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(content[: len(content) * 7 // 8])
    names = [str(tmp_path / name) for name in ("broken.wav", "cut.wav", "long.wav")]
    broken, cut, whole = embed_sounds(model, find_sources(names), batch_size=4)
    assert broken.fault
    assert (len(broken.features_WN), broken.silent) == (0, False)
    # As in a prediction, the windows before the fault are there.
    assert cut.fault
    assert len(cut.features_WN) == 69
    assert whole.fault is None
    np.testing.assert_allclose(cut.features_WN, whole.features_WN[:69], atol=1e-5)


def test_samples_are_not_held_until_a_sound_ends(
    model: Model, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    (source,) = find_sources([str(write("long.wav", *[300] * 200))])
    alive: list[weakref.ref[np.ndarray]] = []
    most = [0]
    true = model.windows

    def windows(wave_S: np.ndarray) -> np.ndarray:
        cut_WS = true(wave_S).copy()
        alive.append(weakref.ref(cut_WS))
        most[0] = max(most[0], sum(ref() is not None for ref in alive))
        return cut_WS

    monkeypatch.setattr(model, "windows", windows)
    (sound,) = embed_sounds(model, [source], batch_size=4)
    assert len(sound.times_W2) == len(alive) == 200
    assert most[0] <= 8
