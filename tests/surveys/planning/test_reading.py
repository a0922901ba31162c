"""Survey files: every fault with its line, and the schema for editors."""

import json
from pathlib import Path

import pytest
from small_survey import MakeSurvey

from audiosurvey.errors import UserError
from audiosurvey.surveys.planning.grid import expand
from audiosurvey.surveys.planning.reading import load_survey, schema_text


def spec(tmp_path: Path, text: str):
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    return load_survey(path).spec


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("45s", 45), ("30m", 1800), ("30 min", 1800), ("2h", 7200), ("1.5d", 129600)]
)
def test_durations(tmp_path: Path, text: str, seconds: float):
    assert spec(tmp_path, f"configs: [tiny]\ntimeout: {text}").timeout == seconds


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("configs: []", "1: configs: [] has too few values; expected at least 1"),
        ("config: [tiny]", "1: config: unknown key; did you mean configs?"),
        ("seeds: [1]", "1: configs: missing; it has no default"),
        ("configs: [tiny]\nseedss: [1]", "2: seedss: unknown key; did you mean seeds?"),
        ("configs: [tiny]\nseed: 1", "2: seed: unknown key; did you mean seeds?"),
        ("configs: [tiny]\nfold: 1", "2: fold: unknown key; did you mean folds?"),
        ("configs: [tiny]\ntrials: 1", "2: trials: unknown key here; did you mean search.trials?"),
        ("configs: [tiny]\nseeds: [1, 1]", "2: seeds: 1 is listed twice"),
        ("configs: [tiny]\nseeds: [-1]", "2: seeds.0: -1 is out of range: it must be at least 0"),
        ("configs: [tiny]\nfolds: []", "2: folds: expected at least one number"),
        (
            "configs: [tiny]\nkeep: models",
            "2: keep: 'models' is not one of predictions, model, all; did you mean model?",
        ),
        (
            "configs: [tiny]\ntimeout: soon",
            "2: timeout: 'soon' is not a duration; expected seconds, or a number with a unit, such as 2h",
        ),
        ("configs: [tiny]\nbudget: {}", "2: budget: expected exactly one of epochs, steps and seconds"),
        (
            "configs: [tiny]\nbudget: {epochs: 1, steps: 2}",
            "2: budget: expected exactly one of epochs, steps and seconds",
        ),
        (
            "configs: [tiny]\nsweep: {train.lr: 1}",
            "2: sweep: train.lr: expected a list of values, such as [1e-3, 3e-3]",
        ),
        ("configs: [tiny]\nsweep: {train.lr: [1, 1]}", "2: sweep: train.lr: a value is listed twice"),
        ("configs: [tiny]\nsweep: {seed: [1]}", "2: sweep: seed: cannot be swept; use the survey key seeds"),
        (
            "configs: [tiny]\nsweep: {list: [1]}",
            "2: sweep: list: expected a list of mappings, such as [{train.lr: 1e-3}, {train.lr: 3e-3}]",
        ),
    ],
)
def test_faults_have_their_line(tmp_path: Path, text: str, fault: str):
    with pytest.raises(UserError) as error:
        spec(tmp_path, text)
    lines = [line.removeprefix(f"{tmp_path / 's.yaml'}:") for line in error.value.lines]
    assert fault in [line.partition(" (")[0] if "(" not in fault else line for line in lines]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file; expected a survey file"),
        ("model: {preset: tiny}", "is a config, not a survey file; list it there as `configs: ["),
        ("configs: [tiny", "configs"),
        (
            "- tiny",
            "s.yaml:1: a survey file is a mapping of keys to values (`configs: [tiny]`), but this is a list",
        ),
    ],
)
def test_not_a_survey_file(tmp_path: Path, content: str | None, message: str):
    path = tmp_path / "s.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError) as error:
        load_survey(path)
    assert message in str(error.value) or content == "configs: [tiny"


def test_faults_of_a_config_are_located_in_the_survey(make_survey: MakeSurvey):
    cases = {
        "configs: [net.yml]": "my.yaml:1: configs.0: net.yml: no such file or folder, and no preset of that name; "
        "did you mean net.yaml? (audiosurvey presets lists them)",
        "configs: [{config: net.yaml, set: {train.lrr: 1}}]": "my.yaml:1: configs.0: train.lrr: unknown key; "
        "did you mean lr?",
        "configs: [net.yaml, {config: tiny, name: net}]": "my.yaml:1: configs.1.name: net: two configs have this name",
        "configs: [net.yaml, {config: net.yaml}]": "my.yaml:1: configs.1: the same config as configs.0 "
        "(rows net and net-2); leave one of them out",
    }
    for configs, line in cases.items():
        path = make_survey(configs=configs)
        with pytest.raises(UserError) as error:
            expand(load_survey(path))
        assert error.value.lines[0].removeprefix(f"{path.parent}/") == line
    path = make_survey("sweep: {train.lr: [0.1, -1]}")
    with pytest.raises(UserError, match=r"my.yaml:3: sweep: train.lr: -1 is out of range"):
        expand(load_survey(path))


def test_faults_of_overrides_are_not_those_of_the_file(make_survey: MakeSurvey):
    survey = load_survey(make_survey())
    cases = {
        "train.lr=-2": "--set train.lr: -2 is out of range",
        "train.lrr=1": "--set train.lrr: unknown key; did you mean lr?",
        "train.lr": "--set train.lr: expected KEY=VALUE",
    }
    for word, line in cases.items():
        with pytest.raises(UserError) as error:
            expand(survey, [word])
        # Once, though both configs have the fault.
        (found,) = error.value.lines
        assert found.startswith(line)
    wrong = make_survey(configs="configs: [{config: net.yaml, set: {train.lrr: 1}}]")
    with pytest.raises(UserError) as error:
        expand(load_survey(wrong), ["train.batch_size=0"])
    assert [line.partition("my.yaml:1: ")[2][:27] or line[:24] for line in error.value.lines] == [
        "configs.0: train.lrr: unkno",
        "--set train.batch_size: ",
    ]


def test_the_faults_of_all_configs_are_reported_at_once(make_survey: MakeSurvey):
    path = make_survey(
        "sweep: {train.batch_size: [8, 0]}",
        configs="configs: [tinny, {config: net.yaml, set: {train.lr: -1}}, {config: net.yaml, name: three}]",
    )
    with pytest.raises(UserError) as error:
        expand(load_survey(path))
    assert [line.removeprefix(f"{path}:").partition(": ")[2][:32] for line in error.value.lines] == [
        "configs.0: tinny: no such file o",
        "configs.1: train.lr: -1 is out o",
        "sweep: train.batch_size: 0 is ou",
    ]
    # Also if the survey file itself has faults.
    path = make_survey(configs="configs: [tinny, {config: toy, naem: x}, net.yaml]")
    with pytest.raises(UserError) as error:
        load_survey(path)
    assert [line.removeprefix(f"{path}:1: ").partition("; did")[0] for line in error.value.lines] == [
        "configs.0: tinny: no such file or folder, and no preset of that name",
        "configs.1.naem: unknown key",
    ]


def test_two_points_of_a_sweep_may_be_the_same_config(make_survey: MakeSurvey):
    path = make_survey(
        "sweep: {list: [{train.lr: 0.1}, {train.lr: 0.1, train.batch_size: 8}]}", configs="configs: [net.yaml]"
    )
    with pytest.raises(
        UserError, match=r"my.yaml:3: sweep: rows net_lr=0.1 and .*: the same config; leave one of them"
    ):
        expand(load_survey(path))


def test_the_schema_knows_the_keys():
    schema = json.loads(schema_text())
    assert {"configs", "datasets", "sweep", "seeds", "folds", "budget", "keep", "timeout"} <= schema[
        "properties"
    ].keys()
    assert "draft/2020-12" in schema["$schema"]
    assert "sweep" in schema_text()
