"""Pretraining: trained once, every fold starts from it with a new classifier, no recording is heard twice."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from measured import without_measured

from audiosurvey.data.dataset import DatasetConfig, load_table
from audiosurvey.data.sets.esc50 import SPEC
from audiosurvey.data.table import Table
from audiosurvey.errors import UserError
from audiosurvey.runs.stages.context import RunContext
from audiosurvey.runs.stages.pretraining import outside
from audiosurvey.runs.stages.stage import Stage
from audiosurvey.tensorfile import load_tensors

Train = Callable[..., dict[str, Any]]


@pytest.fixture
def other(tmp_path: Path, tones: Path) -> str:
    """Pretraining data: the tones told apart in two classes, one of whose recordings is in the target too."""
    rows = ["path,label,fold,source"]
    rows += [f"{tones.as_posix()}/{name}/{n}.wav,tone,{n % 2 + 1},{name}{n}" for name in ("mid",) for n in range(6)]
    rows += [f"{tones.as_posix()}/noise/{n}.wav,noise,{n % 2 + 1},noise{n}" for n in range(6)]
    (tmp_path / "other.csv").write_text("\n".join(rows), encoding="utf-8")
    return f"pretrain.dataset={{name: csv, table: '{(tmp_path / 'other.csv').as_posix()}', clip_seconds: 0.5}}"


@pytest.fixture
def target(tmp_path: Path, tones: Path) -> str:
    rows = ["path,label,fold,source"]
    rows += [
        f"{tones.as_posix()}/{name}/{n}.wav,{name},{n % 2 + 1},new-{name}{n}"
        for name in ("low", "high")
        for n in range(6)
    ]
    rows += [f"{tones.as_posix()}/mid/{n}.wav,mid,{n % 2 + 1},mid{n}" for n in range(2)]
    (tmp_path / "target.csv").write_text("\n".join(rows), encoding="utf-8")
    return f"dataset={{name: csv, table: '{(tmp_path / 'target.csv').as_posix()}', clip_seconds: 0.5}}"


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, torch.Tensor]]:
    """The weights that each fold starts from."""
    seen: list[dict[str, torch.Tensor]] = []
    true_start = RunContext.start

    def start(self: RunContext, stage: Stage, listener: Any) -> Any:
        ready = true_start(self, stage, listener)
        seen.append({name: value.clone() for name, value in ready.network.state_dict().items()})
        return ready

    monkeypatch.setattr(RunContext, "start", start)
    return seen


PRETRAIN = "pretrain={epochs: 2, batch_size: 8, num_workers: 0}"


def body(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in tensors.items() if not name.startswith("classifier.")}


def test_every_fold_starts_from_the_pretrained_body_with_a_classifier_that_learns(
    tmp_path, train_tiny: Train, other, target, starts
):
    run = tmp_path / "run"
    results = train_tiny(run, PRETRAIN, other, target)
    pretrained = load_tensors(run / "pretrain" / "weights.safetensors")[0]
    assert pretrained["classifier.weight"].shape[0] == 2
    assert len(starts) == 2
    for fold, start in zip((1, 2), starts, strict=True):
        for name, value in body(pretrained).items():
            assert torch.equal(start[name], value), name
        ended = load_tensors(run / f"fold-{fold}" / "model" / "weights.safetensors")[0]
        assert start["classifier.weight"].shape[0] == 3
        assert not torch.equal(start["classifier.weight"], ended["classifier.weight"])
        assert any(not torch.equal(start[name], ended[name]) for name in body(start) if name.startswith("blocks"))
    assert results["init"] == "csv"
    about = results["pretraining"]
    # The recordings mid0 and mid1 are in both: their clips are left out, and named.
    assert [Path(name).name for name in about["left_out"]] == ["0.wav", "1.wav"]
    assert all("/mid/" in name for name in about["left_out"])
    assert (about["clips"], about["held_out"], about["epochs"]) == (10, 0, 2)
    assert json.loads((run / "results.json").read_text(encoding="utf-8"))["pretraining"] == about
    assert len((run / "pretrain" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()) == 2


@pytest.mark.parametrize("keep", [True, False])
def test_statistics_are_counted_in_pretraining_and_kept_from_there(
    tmp_path, train_tiny: Train, other, target, starts, keep
):
    run = tmp_path / "run"
    train_tiny(run, PRETRAIN, other, target, f"model.keep_statistics={str(keep).lower()}", folds=[1])
    ended = load_tensors(run / "fold-1" / "model" / "weights.safetensors")[0]
    names = [name for name in ended if name.endswith(("running_mean", "running_var"))]
    assert len(names) > 2
    for name in names:
        fresh = torch.ones_like(ended[name]) if name.endswith("var") else torch.zeros_like(ended[name])
        assert not torch.equal(starts[0][name], fresh), name  # a pretraining from nothing counts them
        assert torch.equal(starts[0][name], ended[name]) is keep, name


def test_a_pretraining_that_is_done_is_taken_from_the_run(tmp_path, train_tiny: Train, other, target, monkeypatch):
    run = tmp_path / "run"
    train_tiny(run, PRETRAIN, other, target, folds=[1])
    weights = run / "pretrain" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    results = train_tiny(run, PRETRAIN, other, target, resume=True)
    assert weights.stat().st_mtime_ns == before
    assert [row["fold"] for row in results["folds"]] == [1, 2]
    assert results["init"] == "csv"


@pytest.mark.parametrize("name", ["pretraining.json", "weights.safetensors"])
def test_damaged_files_of_a_pretraining_are_one_line_whose_advice_holds(
    tmp_path, train_tiny: Train, other, target, name
):
    run = tmp_path / "run"
    train_tiny(run, PRETRAIN, other, target, folds=[1])
    weights, damaged = run / "pretrain" / "weights.safetensors", run / "pretrain" / name
    before = weights.read_bytes()
    damaged.write_bytes(damaged.read_bytes()[:50])
    with pytest.raises(UserError, match=rf"{name}: damaged.*remove .*weights.safetensors") as error:
        train_tiny(run, PRETRAIN, other, target, resume=True)
    assert len(error.value.lines) == 1
    weights.unlink()
    train_tiny(run, PRETRAIN, other, target, resume=True)
    assert weights.read_bytes() == before


def test_a_pretraining_that_was_broken_goes_on(tmp_path, train_tiny: Train, other, target, killed_after_checkpoint):
    whole = train_tiny(tmp_path / "whole", PRETRAIN, other, target, folds=[1])
    with killed_after_checkpoint():
        train_tiny(tmp_path / "broken", PRETRAIN, other, target, folds=[1])
    assert not (tmp_path / "broken" / "pretrain" / "weights.safetensors").exists()
    again = train_tiny(tmp_path / "broken", PRETRAIN, other, target, folds=[1], resume=True)
    assert without_measured(again["folds"]) == without_measured(whole["folds"])
    lines = (tmp_path / "broken" / "pretrain" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]


def test_patience_holds_a_fold_of_the_pretraining_data_out(tmp_path, train_tiny: Train, other, target):
    patient = "pretrain={epochs: 2, patience: 1, batch_size: 8, num_workers: 0}"
    about = train_tiny(tmp_path / "run", patient, other, target, folds=[1])["pretraining"]
    assert (about["clips"], about["held_out"]) == (5, 5)
    assert "val_accuracy" in about["last"]


def test_clips_too_short_for_the_network_are_told_before_anything_is_trained(
    tmp_path, train_tiny: Train, other, target
):
    short = other.replace("clip_seconds: 0.5", "clip_seconds: 0.02")
    with pytest.raises(UserError, match=r"pretrain.*0.02 s.*short") as error:
        train_tiny(tmp_path / "run", PRETRAIN, short, target, folds=[1])
    assert len(error.value.lines) == 1
    assert not (tmp_path / "run").exists()


def test_data_changed_since_is_refused(tmp_path, train_tiny: Train, other, target):
    train_tiny(tmp_path / "run", PRETRAIN, other, target, folds=[1])
    table = tmp_path / "other.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join(lines[:-1]), encoding="utf-8")
    with pytest.raises(UserError, match="the pretraining data changed"):
        train_tiny(tmp_path / "run", PRETRAIN, other, target, resume=True)


def contents(digest: Callable[[str], str]) -> Any:
    return SimpleNamespace(digest=digest, samples_digest=lambda clip: None)


def by_name(table: Table) -> Any:
    """The sounds of a table, as if every file had other content: what is known then are the sources."""
    return SimpleNamespace(table=table, store=contents(lambda clip: f"{table.name}/{clip}"))


def test_freesound_recordings_in_both_sets_are_left_out(shared: Path):
    urban = load_table(DatasetConfig(name="urbansound8k", root=shared / "data" / "urbansound8k-15"))
    esc50 = load_table(DatasetConfig(name="esc50", root=shared / "data" / "esc50-16k"))
    kept, left_out = outside(by_name(urban), by_name(esc50))
    assert len(kept.clips) + len(left_out) == 15
    assert {clip.source for clip in left_out} == {"100648"}
    assert len(left_out) == 3
    assert not {clip.source for clip in kept.clips} & {clip.source for clip in esc50.clips}


def site(root: Path, *names: str) -> Table:
    """A folder of recordings named by the time of day, cut into clips."""
    for name in names:
        (root / name[0]).mkdir(parents=True, exist_ok=True)
        (root / name[0] / f"{name[1:]}.wav").touch()
    config = DatasetConfig(name="folder", root=root, source_pattern=r"^(\d+)_")
    return replace(load_table(config, divide=False), name=root.name)


def test_equal_file_names_of_two_sites_are_two_recordings(tmp_path: Path):
    names = ("a0600_1", "a0600_2", "b0700_1", "b0700_2")
    north, south = site(tmp_path / "north", *names), site(tmp_path / "south", *names)
    kept, left_out = outside(by_name(north), by_name(south))
    assert (kept, left_out) == (north, ())


def test_a_site_of_which_one_file_is_copied_loses_that_recording(tmp_path: Path):
    names = ("a0600_1", "a0600_2", "b0700_1", "b0700_2")
    north, south = site(tmp_path / "north", *names), site(tmp_path / "south", *names)
    same = {"north/a/0600_1.wav": "south/b/0700_2.wav"}
    sounds = SimpleNamespace(table=north, store=contents(lambda clip: same.get(f"north/{clip}", f"north/{clip}")))
    _, left_out = outside(sounds, by_name(south))
    assert [clip.id for clip in left_out] == ["a/0600_1.wav", "a/0600_2.wav"]


def test_within_one_folder_a_recording_is_known_by_its_file_names(tmp_path: Path):
    whole = site(tmp_path / "north", "a0600_1", "b0600_2", "b0700_1")
    first = replace(whole, clips=tuple(clip for clip in whole.clips if clip.id == "a/0600_1.wav"))
    second = replace(whole, clips=tuple(clip for clip in whole.clips if clip.id != "a/0600_1.wav"))
    _, left_out = outside(by_name(second), by_name(first))
    assert [clip.id for clip in left_out] == ["b/0600_2.wav"]


def test_nothing_left_is_one_line(shared: Path):
    urban = load_table(DatasetConfig(name="urbansound8k", root=shared / "data" / "urbansound8k-15"))
    with pytest.raises(UserError, match="every recording of urbansound8k is also in urbansound8k"):
        outside(by_name(urban), by_name(urban))


def test_urbansound8k_first(tmp_path, train_tiny: Train, shared: Path):
    root = (shared / "data" / "urbansound8k-15").as_posix()
    urban = f"pretrain.dataset={{name: urbansound8k, root: '{root}', clip_seconds: 1}}"
    said: list[str] = []
    results = train_tiny(tmp_path / "run", PRETRAIN, urban, "train.epochs=1", folds=[1], say=said.append)
    assert results["init"] == "urbansound8k"
    assert any(line.startswith("pretraining: urbansound8k, 15 clips") and "licence: " in line for line in said)


def test_the_same_files_are_left_out_without_any_source(train_tiny: Train, tmp_path: Path, tones: Path):
    """A folder knows no recordings; its files are known by what is in them, whatever they are called."""
    for name in ("low", "noise"):
        (tmp_path / "copy" / name).mkdir(parents=True)
        for path in sorted((tones / name).glob("*.wav")):
            if name == "noise" or path.stem in "012":
                target = tmp_path / "copy" / name / f"again-{path.name}"
                target.write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="nothing is left"):
        train_tiny(
            tmp_path / "run",
            PRETRAIN,
            f"pretrain.dataset={{name: folder, root: '{(tmp_path / 'copy').as_posix()}', num_folds: 2}}",
            folds=[1],
        )


def test_a_model_remembers_what_its_pretraining_heard(train_tiny: Train, tmp_path: Path, other: str, target: str):
    results = train_tiny(tmp_path / "run", PRETRAIN, other, target, folds=[1])
    known = json.loads((tmp_path / "run" / "fold-1" / "model" / "trained_on.json").read_text(encoding="utf-8"))
    heard = [clip for clip in known if clip.startswith("pretrain/")]
    assert len(heard) == results["pretraining"]["clips"] > 0
    assert "heard" not in results["pretraining"]


@pytest.fixture
def esc50(tmp_path: Path, tones: Path) -> str:
    """ESC-50 in small: two classes of ESC-10 and two others, whose clip 0 is of a recording of the first two."""
    root = tmp_path / "ESC-50"
    (root / "meta").mkdir(parents=True)
    (root / "audio").mkdir()
    rows = ["filename,fold,target,category,esc10,src_file,take"]
    classes = {0: ("dog", "low"), 1: ("rooster", "mid"), 3: ("cow", "high"), 6: ("hen", "noise")}
    for target, (name, tone) in classes.items():
        for n in range(6):
            source = 9000 + n if n == 0 and target in (1, 6) else 100 * (target + 1) + n
            file = f"{n % 2 + 1}-{source}-A-{target}.wav"
            (root / "audio" / file).write_bytes((tones / tone / f"{n}.wav").read_bytes())
            rows.append(f"{file},{n % 2 + 1},{target},{name},{target < 2},{source},A")
    (root / "meta" / "esc50.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root.as_posix()


@pytest.mark.parametrize("others", ["exclude_classes: [dog, rooster]", "clip_seconds: 0.5"])
def test_the_other_classes_of_the_same_folder_first(tmp_path: Path, train_tiny: Train, esc50: str, others: str) -> None:
    """Named or not, what is left are the classes outside ESC-10, without the recording that is on both sides."""
    options = (
        f"dataset={{name: esc50, root: '{esc50}', subset: esc10, clip_seconds: 0.5}}",
        f"pretrain={{epochs: 2, batch_size: 8, num_workers: 0, dataset: {{name: esc50, root: '{esc50}', {others}}}}}",
    )
    results = train_tiny(tmp_path / "run", *options)
    about = results["pretraining"]
    assert about["classes"] == ["cow", "hen"]
    assert about["clips"] == 11
    assert "audio/1-9000-A-6.wav" in about["left_out"]
    assert results["classes"] == ["dog", "rooster"]
    known = json.loads((tmp_path / "run" / "fold-1" / "model" / "trained_on.json").read_text(encoding="utf-8"))
    before = {name.split("-")[1] for name in known if name.startswith("pretrain/")}
    target = {clip.source for clip in load_table(DatasetConfig(name="esc50", root=Path(esc50), subset="esc10")).clips}
    assert len(before) == 11
    assert not before & target


def test_no_recording_of_esc10_is_in_the_other_forty_classes(shared: Path) -> None:
    root = shared / "data" / "esc50-16k"
    ten = load_table(DatasetConfig(name="esc50", root=root, subset="esc10"))
    forty = load_table(DatasetConfig(name="esc50", root=root, exclude_classes=list(ten.classes)))
    kept, left_out = outside(by_id(forty), by_id(ten))
    assert len(forty.clips) == 1600
    assert len(kept.classes) == 40
    assert len(kept.clips) + len(left_out) == 1600
    # A clock that strikes and ticks, and a hen with a rooster: four recordings are cut into clips on both sides.
    assert {clip.source for clip in left_out} == SPEC.spread_sources
    assert not {clip.source for clip in kept.clips} & {clip.source for clip in ten.clips}


def by_id(table: Table) -> Any:
    """The sounds of a table, each file known by its name."""
    return SimpleNamespace(table=table, store=contents(lambda clip: clip))
