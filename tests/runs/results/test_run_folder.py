"""Who may write into a run folder, and that a refusal touches nothing."""

from pathlib import Path

import pytest
import yaml

from audiosurvey.config.resolved import resolved_yaml
from audiosurvey.config.root import Config
from audiosurvey.errors import UserError
from audiosurvey.runs.results.environment import environment
from audiosurvey.runs.results.run_folder import RunFolder
from audiosurvey.training.accelerator import make_accelerator

CONFIG = Config.model_validate({"train": {"epochs": 3, "lr": 0.01}, "augmentation": {}}).resolved()


def begun(path: Path) -> RunFolder:
    run = RunFolder(path)
    with run.lock():
        run.start(resolved_yaml(CONFIG), environment(make_accelerator("cpu", "fp32")), "abc")
    return run


def inside(path: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(file): (file.stat().st_mtime_ns, file.read_bytes()) for file in sorted(path.rglob("*")) if file.is_file()
    }


def test_a_new_or_empty_folder_is_fine(tmp_path):
    RunFolder(tmp_path / "new").refuse(CONFIG, resume=False)
    assert not (tmp_path / "new").exists()
    (tmp_path / "empty").mkdir()
    RunFolder(tmp_path / "empty").refuse(CONFIG, resume=False)
    RunFolder(tmp_path / "empty").refuse(CONFIG, resume=True)


def test_nothing_is_begun_where_a_run_is_to_go_on(tmp_path):
    with pytest.raises(UserError, match=r"new: no such run folder to continue; leave resume out") as error:
        RunFolder(tmp_path / "new").refuse(CONFIG, resume=True)
    assert len(error.value.lines) == 1
    assert not (tmp_path / "new").exists()


def test_what_a_process_left_that_died_in_its_first_moments_is_no_run(tmp_path):
    for name in ("lock", "environment.json", "config.yaml.tmp"):
        (tmp_path / name).write_text("")
        RunFolder(tmp_path).refuse(CONFIG, resume=False)
        RunFolder(tmp_path).refuse(CONFIG, resume=True)


def test_a_run_is_refused_without_resume_and_left_alone(tmp_path):
    run = begun(tmp_path / "run")
    (run.path / "lock").unlink(missing_ok=True)
    before = inside(run.path)
    with pytest.raises(UserError, match="already exists; give resume=True") as error:
        run.refuse(CONFIG, resume=False)
    assert len(error.value.lines) == 1
    assert inside(run.path) == before
    run.refuse(CONFIG, resume=True)
    assert inside(run.path) == before


def test_other_things_in_the_folder_are_refused_either_way(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(UserError, match="already exists"):
        RunFolder(tmp_path).refuse(CONFIG, resume=False)
    with pytest.raises(UserError, match="not a run folder"):
        RunFolder(tmp_path).refuse(CONFIG, resume=True)
    with pytest.raises(UserError, match="is a file"):
        RunFolder(tmp_path / "thesis.tex").refuse(CONFIG, resume=True)


def test_another_config_is_refused_with_every_differing_key(tmp_path):
    run = begun(tmp_path)
    other = Config.model_validate(
        {"train": {"epochs": 4, "lr": 0.01}, "seed": 5, "augmentation": {"noise": {"p": 0.5}}}
    ).resolved()
    with pytest.raises(UserError) as error:
        run.refuse(other, resume=True)
    head, *keys = error.value.lines
    assert "another config" in head
    assert keys == [
        "  augmentation.noise.p: 0 in the run, 0.5 now",
        "  seed: 0 in the run, 5 now",
        "  train.epochs: 3 in the run, 4 now",
    ]


def test_a_key_left_out_equals_its_default_written_out(tmp_path):
    run = begun(tmp_path)
    stored = yaml.safe_load(run.config_path.read_text(encoding="utf-8"))
    del stored["ema"], stored["train"]["accum_iter"]
    run.config_path.write_text(yaml.safe_dump(stored), encoding="utf-8")
    run.refuse(CONFIG, resume=True)


def test_a_second_holder_of_the_lock_is_refused_and_a_third_after_it_is_not(tmp_path):
    run = RunFolder(tmp_path / "run")
    second = RunFolder(run.path)
    with run.lock(), pytest.raises(UserError, match="another process is training in this folder"), second.lock():
        pass
    with RunFolder(run.path).lock():
        pass


def refused(run: RunFolder, *, after: tuple[str, ...] = ()) -> None:
    """A start that is refused after it wrote what a run begins with, and these files."""

    def start() -> None:
        run.start(resolved_yaml(CONFIG), environment(make_accelerator("cpu", "fp32")), "abc")
        for name in ("fold-1/metrics.jsonl", *after):
            (run.path / name).parent.mkdir(parents=True, exist_ok=True)
            (run.path / name).write_text("", encoding="utf-8")
        raise UserError("refused")

    with pytest.raises(UserError, match="refused"), run.lock():
        start()


def test_a_refused_start_leaves_the_folder_as_it_was(tmp_path):
    (tmp_path / "kept").mkdir()
    refused(RunFolder(tmp_path / "kept" / "deep" / "new"))
    assert not any((tmp_path / "kept").iterdir())
    refused(RunFolder(tmp_path / "kept"))
    assert {path.name for path in (tmp_path / "kept").iterdir()} <= {"lock"}
    RunFolder(tmp_path / "kept").refuse(CONFIG, resume=False)


@pytest.mark.parametrize("name", ["fold-1/checkpoint/state.safetensors", "pretrain/checkpoint/state.safetensors"])
def test_what_was_trained_outlives_a_refusal(tmp_path, name):
    refused(RunFolder(tmp_path / "run"), after=(name,))
    assert (tmp_path / "run" / "config.yaml").exists()
    assert (tmp_path / "run" / name).exists()


def test_a_run_from_before_outlives_a_refusal(tmp_path):
    run = begun(tmp_path / "run")
    before = inside(run.path)
    refused(run)
    assert before.items() <= inside(run.path).items()


def test_the_lock_is_freed_by_an_error(tmp_path):
    run = RunFolder(tmp_path / "run")
    with pytest.raises(RuntimeError), run.lock():
        raise RuntimeError
    with run.lock():
        pass


def test_the_environment_tells_what_equal_bits_depend_on(tmp_path):
    from audiosurvey.runs.results.stored import read_json

    run = begun(tmp_path)
    known = read_json(run.path / "environment.json")
    assert known["precision"] == "fp32"
    assert known["processes"] == 1
    assert known["torch_threads"] >= 1
    assert known["packages"]["torch"]
    assert known["data_hash"] == "abc"


def test_data_that_changed_since_is_refused(tmp_path):
    run, accelerator = begun(tmp_path), make_accelerator("cpu", "fp32")
    run.start("", environment(accelerator), "abc")
    with pytest.raises(UserError, match="the data changed since the run began"):
        run.start("", environment(accelerator), "xyz")
    assert run.config_path.read_text(encoding="utf-8") == resolved_yaml(CONFIG)


def test_values_that_differ_are_written_as_in_a_config(tmp_path):
    run = begun(tmp_path)
    other = Config.model_validate({"train": {"epochs": 3, "lr": 0.01, "crop_seconds": 1}}).resolved()
    with pytest.raises(UserError) as error:
        run.refuse(other, resume=True)
    assert "  train.crop_seconds: null in the run, 1 now" in error.value.lines
