"""Records of runs: folders and files, the folds, threads and jobs with which they are trained again."""

from dataclasses import replace
from pathlib import Path

import pytest

from audiosurvey.errors import UserError
from audiosurvey.reproduction.record import Record, ReproduceOptions, mean_over, read_record, seeds_of
from audiosurvey.runs.results.row import SurveyRow, write_row
from audiosurvey.runs.results.stored import write_json

RESULTS = Path(__file__).resolve().parents[2] / "results"
FILES = sorted(RESULTS.rglob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_committed_result_can_be_trained_again(path: Path):
    record = read_record(path)
    loaded = record.load(["dataset.root=nowhere"])
    before, now = record.results.config, loaded.config.model_dump(mode="json")
    assert now["dataset"]["root"] == "nowhere"
    for section in ("train", "optimizer", "schedule", "loss", "protocol"):
        assert {key: now[section][key] for key in before[section]} == before[section]
    assert record.train_options(ReproduceOptions()).folds == record.results.done


def test_other_paths_are_allowed_and_nothing_else():
    record = read_record(RESULTS / "esc10/finetune-mn04.json")
    record.load(["dataset.root=a", "dataset.store=b", "model.init=c.pt", "train.num_workers=0", "tracking=[]"])
    record.load(["augmentation.reverb.folder=rooms"])
    for word in ("train.lr=1", "seed=2", "dataset.subset=null", "nonsense"):
        with pytest.raises(UserError, match="would change the experiment"):
            record.load([word])


@pytest.fixture
def recorded(finished_run: Path) -> Record:
    return read_record(finished_run)


def beginning(record: Record, **about) -> Record:
    assert record.environment is not None
    return replace(record, environment=record.environment | about)


def test_a_run_is_trained_with_the_jobs_and_threads_of_then(recorded: Record):
    one = beginning(recorded, torch_threads=2, jobs=1)
    assert one.threads() == {1: 2, 2: 2, 3: 2}
    options = one.train_options(ReproduceOptions())
    assert (options.jobs, options.threads, options.folds) == (1, 2, [1, 2, 3])
    options = one.train_options(ReproduceOptions(jobs=3))
    assert (options.jobs, options.threads) == (3, 6)
    options = one.train_options(ReproduceOptions(threads=1))
    assert (options.jobs, options.threads) == (1, 1)
    # Two folds side by side, and the third with both threads.
    two = beginning(recorded, torch_threads=2, jobs=2)
    assert two.threads() == {1: 1, 2: 1, 3: 2}
    options = two.train_options(ReproduceOptions())
    assert (options.jobs, options.threads) == (2, 2)
    options = two.train_options(ReproduceOptions(folds=[2]))
    assert (options.jobs, options.threads) == (1, 1)
    options = two.train_options(ReproduceOptions(folds=[3]))
    assert (options.jobs, options.threads) == (1, 2)


def test_files_of_results_tell_the_threads_of_folds_side_by_side():
    record = read_record(RESULTS / "esc10/esc10.json")
    assert record.threads() == {1: 1, 2: 1, 3: 1, 4: 1, 5: 2}
    options = record.train_options(ReproduceOptions())
    assert (options.jobs, options.threads) == (2, 2)
    record = read_record(RESULTS / "esc10/finetune-mn04.json")
    assert set(record.threads().values()) == {None}
    assert record.train_options(ReproduceOptions()).threads is None


def test_a_fold_that_was_not_recorded_and_the_recorded_run_itself(recorded: Record):
    with pytest.raises(UserError, match="has no results of this fold; there are 1, 2, 3"):
        recorded.train_options(ReproduceOptions(folds=[4]))
    with pytest.raises(UserError, match="is the recorded run itself"):
        recorded.train_options(ReproduceOptions(run_dir=recorded.path))


def test_seeds_of_one_row_of_a_survey(recorded: Record, tmp_path: Path):
    assert recorded.seed_deviation([1, 2, 3]) is None
    means = {"a-seed0": ("a", 0.8), "a-seed1": ("a", 0.9), "b-seed0": ("b", 0.1)}
    for folder, (name, value) in means.items():
        rows = [row.changed(accuracy=value) for row in recorded.results.folds]
        write_json(tmp_path / folder / "results.json", recorded.results.changed(folds=rows).as_json())
        write_json(tmp_path / folder / "config.yaml", {})
        row = SurveyRow(name=name, config="a", seed=int(folder[-1]))
        write_row(tmp_path / folder, row)
    write_row(tmp_path / "a-seed1-elsewhere", SurveyRow(name="a", config="a", seed=1, dataset="other"))
    from audiosurvey.runs.results.run_folder import RunFolder

    one = replace(recorded, seeds=tuple(seeds_of(RunFolder(tmp_path / "a-seed0"))))
    found = one.seed_deviation([1, 2])
    assert found is not None
    # The sample standard deviation of 0.8 and 0.9.
    assert found == (pytest.approx(0.1 / 2**0.5), 2)


def test_means(recorded: Record):
    rows = recorded.results.folds
    expected = (rows[0].metrics(["accuracy"])["accuracy"] or 0) + (rows[2].metrics(["accuracy"])["accuracy"] or 0)
    assert mean_over(recorded.results, [1, 3], "accuracy") == pytest.approx(expected / 2)
    assert mean_over(recorded.results, [1, 7], "accuracy") is None


def test_what_is_no_record(tmp_path: Path, finished_run: Path):
    with pytest.raises(UserError, match="no such file or folder"):
        read_record(tmp_path / "nowhere")
    with pytest.raises(UserError, match="no finished fold here"):
        read_record(tmp_path)
    (tmp_path / "x.json").write_text("[]", encoding="utf-8")
    with pytest.raises(UserError, match="damaged"):
        read_record(tmp_path / "x.json")
    old = read_record(finished_run).results.as_json()
    write_json(tmp_path / "x.json", {key: value for key, value in old.items() if key != "config"})
    with pytest.raises(UserError, match="contains no config"):
        read_record(tmp_path / "x.json")
