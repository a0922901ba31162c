"""The estimator: in cross-validation, searches and pipelines, and with the scores of the command line."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import soundfile
import torch
import yaml
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, PredefinedSplit, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

import audiosurvey
from audiosurvey import AudioClassifier, UserError
from audiosurvey.api.estimator import embedding
from audiosurvey.artefact.classifier import sound_wave
from audiosurvey.artefact.folder import Model


@pytest.fixture
def config(tiny_yaml: str) -> dict[str, Any]:
    return yaml.safe_load(tiny_yaml)


@pytest.fixture
def probe(config: dict[str, Any], finished_run: Path) -> dict[str, Any]:
    """A config that fits a classifier to the embeddings of a model."""
    del config["augmentation"]
    model = {"init": (finished_run / "fold-1" / "model").as_posix()}
    parts = {"mel_spectrogram", "sample_rate"}
    kept = {key: value for key, value in config.items() if key not in parts | {"model", "train"}}
    return kept | {"model": model, "train": {"head_only": True, "head_penalty": 0.1}}


@pytest.fixture
def clips(tones: Path) -> list[str]:
    return [str(path) for path in sorted(tones.rglob("*.wav"))]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sounds that are decoded to be embedded, with nothing remembered at first."""
    found: list[Any] = []

    def decode(model: Model, sound: Any, sample_rate: int | None) -> np.ndarray:
        found.append(sound)
        return sound_wave(model, sound, sample_rate)

    monkeypatch.setattr(embedding, "MEMORY", embedding.EmbeddingMemory())
    monkeypatch.setattr(embedding, "sound_wave", decode)
    return found


def labels_of(clips: list[str]) -> list[str]:
    return [Path(clip).parent.name for clip in clips]


def waves_of(clips: list[str]) -> np.ndarray:
    return np.stack([soundfile.read(clip)[0] for clip in clips])


def test_cross_validation_gives_the_scores_of_the_command_line(
    probe: dict[str, Any],
    clips: list[str],
    tones: Path,
    tmp_path: Path,
    command: Callable[..., Any],
    decoded: list[Any],
):
    (tmp_path / "probe.yaml").write_text(yaml.safe_dump(probe | {"protocol": {"allow_leakage": True}}))
    status, _, err = command("train", tmp_path / "probe.yaml", "--run-dir", tmp_path / "run")
    assert status == 0, err
    run = audiosurvey.open_run(tmp_path / "run")
    columns = run.predictions().columns()
    fold_of = dict(zip(columns["clip"], columns["fold"], strict=True))
    scores_of = dict(zip(columns["clip"], run.predictions().scores_NK, strict=True))
    ids = [Path(clip).relative_to(tones).as_posix() for clip in clips]
    folds = PredefinedSplit([fold_of[name] for name in ids])
    estimator, y = AudioClassifier(config=probe, device="cpu"), labels_of(clips)
    found = cross_val_score(estimator, clips, y, cv=folds)
    assert list(found) == pytest.approx([run.fold(fold).metrics["accuracy"] for fold in run.folds], abs=1e-9)
    score_NK = cross_val_predict(estimator, clips, y, cv=folds, method="predict_proba")
    order = [run.classes.index(name) for name in sorted(set(y))]
    expected_NK = np.stack([scores_of[name] for name in ids])[:, order]
    np.testing.assert_allclose(np.asarray(score_NK), expected_NK, atol=1e-6)
    assert sorted(decoded) == sorted(clips)


def test_a_search_with_groups(probe: dict[str, Any], clips: list[str]):
    grid = {"overrides": [{"train.head_penalty": 0.1}, {"train.head_penalty": 3.0}]}
    groups = [Path(clip).stem for clip in clips]
    search = GridSearchCV(AudioClassifier(config=probe, device="cpu"), grid, cv=GroupKFold(3), scoring="neg_log_loss")
    search.fit(clips, labels_of(clips), groups=groups)
    assert search.best_params_ == {"overrides": {"train.head_penalty": 0.1}}
    scores = cross_val_score(search.best_estimator_, clips, labels_of(clips), groups=groups, cv=GroupKFold(3))
    assert scores.min() > 0.5


def test_a_network_is_a_function_of_the_sounds_and_the_seed(config: dict[str, Any], clips: list[str]):
    y = np.array(labels_of(clips))
    estimator = AudioClassifier(config=config | {"train": config["train"] | {"epochs": 6}}, device="cpu")
    assert estimator.fit(clips, y).n_iter_ == 6
    assert estimator.score(clips, y) > 0.6
    assert estimator.classes_.tolist() == ["high", "low", "mid", "noise"]
    assert not hasattr(estimator, "n_features_in_")
    again = clone(estimator).fit(clips, y)
    np.testing.assert_array_equal(again.predict_proba(clips), estimator.predict_proba(clips))
    other = clone(estimator).set_params(random_state=1).fit(clips, y)
    assert not np.allclose(other.predict_proba(clips), estimator.predict_proba(clips))


@pytest.mark.parametrize("kind", ["probe", "network"])
def test_waves_are_read_as_files_are(kind: str, request: pytest.FixtureRequest, clips: list[str]):
    own = request.getfixturevalue("probe" if kind == "probe" else "config")
    files = AudioClassifier(config=own, device="cpu").fit(clips, labels_of(clips))
    wave_NS = waves_of(clips)
    arrays = AudioClassifier(config=own, device="cpu", sample_rate=8000).fit(wave_NS, labels_of(clips))
    assert arrays.n_features_in_ == 4000
    listed = AudioClassifier(config=own, device="cpu", sample_rate=8000).fit([*wave_NS], labels_of(clips))
    np.testing.assert_array_equal(listed.predict_proba(wave_NS), arrays.predict_proba(wave_NS))
    if kind == "probe":
        np.testing.assert_allclose(arrays.predict_proba(wave_NS), files.predict_proba(clips), atol=1e-5)
    # Waves of any length, as a list.
    assert len(listed.predict([wave_NS[0, :900], np.tile(wave_NS[1], 5)])) == 2
    with pytest.raises(ValueError, match="X has 900 features, but AudioClassifier is expecting 4000 features"):
        arrays.predict(wave_NS[:, :900])


def test_waves_of_another_rate_are_resampled(probe: dict[str, Any], clips: list[str]):
    estimator = AudioClassifier(config=probe, device="cpu", sample_rate=8000).fit(waves_of(clips), labels_of(clips))
    twice = AudioClassifier(config=probe, device="cpu", sample_rate=16000)
    twice.fit(np.repeat(waves_of(clips), 2, axis=1), labels_of(clips))
    assert (twice.predict(np.repeat(waves_of(clips), 2, axis=1)) == estimator.predict(waves_of(clips))).mean() > 0.8


def test_columns_of_data_frames(probe: dict[str, Any], clips: list[str]):
    table = pandas.DataFrame({"path": clips, "label": labels_of(clips)})
    estimator = AudioClassifier(config=probe, device="cpu").fit(table["path"], table["label"])
    assert estimator.score(table[["path"]], table["label"]) == estimator.score(clips, table["label"].to_list())


def test_a_pipeline_and_a_pickle(probe: dict[str, Any], clips: list[str]):
    louder = FunctionTransformer(lambda wave_NS: wave_NS * 0.5)
    pipeline = Pipeline([("gain", louder), ("model", AudioClassifier(config=probe, device="cpu", sample_rate=8000))])
    pipeline.fit(waves_of(clips), [len(name) for name in labels_of(clips)])
    assert pipeline.classes_.tolist() == [3, 4, 5]
    again = pickle.loads(pickle.dumps(pipeline[-1]))
    np.testing.assert_array_equal(again.predict(waves_of(clips)), pipeline[-1].predict(waves_of(clips)))
    # The model is that of the rest of the package.
    assert {sound.label for sound in audiosurvey.predict(again.model_, clips)} <= {"3", "4", "5"}


def test_sounds_that_are_cut_otherwise_are_embedded_again(probe: dict[str, Any], clips: list[str]):
    found, labels = [], [Path(clip).parent.name for clip in clips]
    for seconds in (0.25, 0.1):
        dataset = {**probe["dataset"], "clip_seconds": seconds}
        fitted = AudioClassifier(config=probe | {"dataset": dataset}).fit(clips, labels)
        found.append(fitted.predict_proba(clips[:4]))
    assert not np.allclose(*found, atol=1e-4)


def test_a_file_that_has_changed_is_embedded_again(probe: dict[str, Any], clips: list[str], tmp_path: Path):
    estimator = AudioClassifier(config=probe, device="cpu").fit(clips, labels_of(clips))
    copy = tmp_path / "sound.wav"
    copy.write_bytes(Path(clips[0]).read_bytes())
    first = estimator.predict_proba([copy])
    copy.write_bytes(Path(clips[-1]).read_bytes())
    assert not np.allclose(first, estimator.predict_proba([copy]))


def test_sigmoid_scores_are_made_probabilities(config: dict[str, Any], clips: list[str]):
    own = config | {"loss": {"name": "bce"}}
    score_NK = AudioClassifier(config=own, device="cpu").fit(clips, labels_of(clips)).predict_proba(clips)
    np.testing.assert_allclose(score_NK.sum(axis=1), 1)


def test_embeddings_used_least_recently_are_forgotten():
    memory = embedding.EmbeddingMemory(most_bytes=2 * 40)
    parts = [torch.full((1, 10), float(number)) for number in range(3)]
    memory.keep(b"0", parts[0])
    memory.keep(b"1", parts[1])
    assert memory.find(b"0") is parts[0]
    memory.keep(b"2", parts[2])
    assert [memory.find(key) is None for key in (b"0", b"1", b"2")] == [False, True, False]


def test_groups_are_not_divided_when_the_penalty_is_chosen(probe: dict[str, Any], clips: list[str]):
    own = probe | {"train": {"head_only": True, "head_penalty": "auto"}}
    estimator = AudioClassifier(config=own, device="cpu")
    groups = [Path(clip).stem for clip in clips]
    assert estimator.fit(clips, labels_of(clips), groups=groups).score(clips, labels_of(clips)) > 0.9
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        estimator.fit(clips, labels_of(clips), groups=groups[1:])


def test_mistakes_are_named(config: dict[str, Any], clips: list[str], tmp_path: Path):
    estimator, y = AudioClassifier(config=config, device="cpu"), labels_of(clips)
    with pytest.raises(NotFittedError):
        estimator.predict(clips)
    with pytest.raises(UserError, match="one path; give a list of sounds"):
        estimator.fit(clips[0], y)
    with pytest.raises(UserError, match="a dict is no sound; give a path, or samples"):
        estimator.fit([{"path": clip} for clip in clips], y)
    with pytest.raises(UserError, match="X: has columns path, label; give the one with the paths"):
        estimator.fit(pandas.DataFrame({"path": clips, "label": y}), y)
    with pytest.raises(UserError, match="y: contains one class, low; classification needs at least two"):
        estimator.fit(clips, ["low"] * len(clips))
    with pytest.raises(UserError, match=r"X: .*none\.wav: file not found"):
        estimator.fit([*clips, tmp_path / "none.wav"], [*y, "low"])
    with pytest.raises(UserError, match=r"X\[1\]: .*contains samples that are not numbers"):
        estimator.fit([np.zeros(100), np.array([0.1, np.nan])], ["a", "b"])
    with pytest.raises(UserError, match="no preset of that name; did you mean tiny"):
        AudioClassifier("tinny").fit(clips, y)
    with pytest.raises(UserError, match="not available on this machine"):
        clone(estimator).set_params(device="tpu").fit(clips, y)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("dataset.multi_label", True, "gives each sound one class"),
        ("dataset.other", "noises", "trains on the sounds given to fit"),
        ("pretrain_urban", True, "pretrain with audiosurvey.train"),
        ("protocol.train_share", 0.5, "give it fewer of them"),
        ("train", {"patience": 3}, "give a number of epochs"),
    ],
)
def test_what_has_no_meaning_for_an_estimator_is_refused(
    key: str, value: Any, reason: str, config: dict[str, Any], clips: list[str]
):
    config = config | {"dataset": {"name": "csv", "table": "none.csv", "clip_seconds": 0.5}}
    with pytest.raises(UserError, match=reason):
        AudioClassifier(config=config, overrides={key: value}).fit(clips, labels_of(clips))


@pytest.mark.slow
def test_the_probe_on_esc10_is_that_of_the_command_line(shared: Path, tmp_path: Path):
    """Every clip by its official fold, from AudioSet weights; about a minute."""
    init = (shared / "weights" / "mn04_as_mAP_432.pt").as_posix()
    root = shared / "data" / "esc10"
    table = pandas.read_csv(root / "meta" / "esc50.csv")
    clips = [str(root / "audio" / name) for name in table["filename"]]
    run = audiosurvey.train(
        "probe-mn04",
        {"dataset.root": root.as_posix(), "dataset.subset": "esc10", "model.init": init},
        run_dir=tmp_path / "run",
    )
    estimator = AudioClassifier("probe-mn04", overrides={"model.init": init})
    y = table["category"]
    found = cross_val_score(estimator, clips, y, cv=PredefinedSplit(table["fold"]))
    assert list(found) == pytest.approx([run.fold(fold).metrics["accuracy"] for fold in run.folds], abs=1e-6)
    by_group = cross_val_score(estimator, clips, y, groups=table["src_file"], cv=GroupKFold(5))
    assert by_group.mean() > 0.95
