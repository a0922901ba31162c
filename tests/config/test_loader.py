from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from audiosurvey.augment.settings import AugmentationConfig
from audiosurvey.config.loader import LoadedConfig, load_config, load_text
from audiosurvey.config.presets import preset_names, preset_text
from audiosurvey.config.reading.keys import keys_at
from audiosurvey.config.root import Config
from audiosurvey.errors import UserError

ORIGINAL = preset_text("original")


def faults_of(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        load_text(text, "config.yaml", overrides)
    return caught.value.lines


def reloads(loaded: LoadedConfig) -> bool:
    again = load_text(loaded.resolved_yaml(), "resolved.yaml")
    return again.config == loaded.config and again.resolved_yaml() == loaded.resolved_yaml()


def test_the_original_config_loads_unchanged(shared: Path) -> None:
    source = shared / "spec" / "original-config.yaml"
    loaded = load_config(source)
    config = loaded.config
    assert (config.sample_rate, config.mel_spectrogram.n_mels, config.train.patience) == (30_000, 128, 35)
    assert (config.augmentation.noise.min_snr_db, config.augmentation.noise.max_snr_db) == (30, 1)
    assert config.mel_spectrogram.compression == "log10p1"
    assert config.protocol.selection == "validation"
    assert len(config.model.network_blocks()) == 22
    assert config.input_shape == (1, 626, 128)
    (warning,) = loaded.warnings
    assert warning.startswith(f"{source}:4: mel_spectrogram.f_max: 16000 Hz is above half of sample_rate (15000 Hz)")
    assert "filter 127" in warning
    assert reloads(loaded)


def test_the_shipped_original_is_that_config(shared: Path) -> None:
    assert load_config("original").config == load_config(shared / "spec" / "original-config.yaml").config


def test_keys_of_another_section_are_told_where_they_stand() -> None:
    text = "optimizer: {weight_decay: 0.1}\npretrain: {name: toy}\ntrain: {clip_seconds: 3}\nloss: {lr: 1}\n"
    assert faults_of(text) == (
        "config.yaml:1: optimizer.weight_decay: unknown key here; did you mean train.weight_decay?",
        "config.yaml:2: pretrain.name: unknown key here; did you mean pretrain.dataset.name?",
        "config.yaml:3: train.clip_seconds: unknown key here; did you mean dataset.clip_seconds?",
        "config.yaml:4: loss.lr: unknown key here; did you mean train.lr?",
    )
    (line,) = faults_of("pretrain: {clip_second: 3, epochs: 1}\n")
    assert line.startswith("config.yaml:1: pretrain.clip_second: unknown key")


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_reloads(name: str) -> None:
    loaded = load_config(name)
    assert (loaded.name, loaded.source) == (name, name)
    assert reloads(loaded)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "dataset: {name: folder, root: sounds}",
        "dataset: {name: csv, root: 'C:\\sounds'}\naugmentation: {reverb: {p: 1, folder: rooms}}",
        "train: {epochs: 0, patience: 3}",
        "train: {epochs: 9, patience: 3}",
        "protocol: {selection: test}\ntrain: {patience: 5}",
        "mel_spectrogram: {}",
        "mel_spectrogram:\naugmentation:\n",
        "model: {preset: original}",
        "tracking: []\nloss: {name: bce}\nmel_spectrogram: {wkwargs: {periodic: false}, n_fft: 2048}",
    ],
)
def test_the_resolved_config_reloads_to_itself(text: str) -> None:
    assert reloads(load_text(text, "config.yaml"))


def test_the_mel_section_left_out_or_left_empty_is_in_decibels() -> None:
    kinds = {
        text: load_text(text, "config.yaml").config.mel_spectrogram.compression
        for text in ("", "mel_spectrogram:", "mel_spectrogram: {}")
    }
    assert kinds == {"": "db", "mel_spectrogram:": "db", "mel_spectrogram: {}": "log10p1"}


TWELVE = """\
sample_rate: 30_000
mel_spectrogram: {win_length: 0.031, hop_length: 0.008, n_mels: 128, f_min: 30, f_max: 16_000}
augmentation:
  reverb: {p: 1.5}
  noise: {p: 0.5, min_snr: 30, max_snr_db: 1}
  dropblock: {p: 0.5, dp: 0.5, block_size: {t: 32, g: 4}}
  time_masking: {p: 0.5, tmp: 2000, num: 6}
  freq_masking: {p: 0.5, fmp: 200, num: 5}
train: {num_workers: 2, patience: many, lr: 0, batch_size: 16}
train: {num_workers: 4}
precision: bf61
optimiser: {name: sgd}
model:
  res_block: {activation: gelu}
  blocks:
    - rez: [32, 32]
    - max_pool: [2, 2]
    - max_pool: [7x0, 2]
    - pooling: {mode: avg, flat: true}
"""


def test_a_dozen_faults_are_a_dozen_located_lines() -> None:
    found = faults_of(TWELVE)
    assert [line.split(": ")[:2] for line in found] == [
        ["config.yaml:4", "augmentation.reverb.p"],
        ["config.yaml:5", "augmentation.noise.min_snr"],
        ["config.yaml:6", "augmentation.dropblock.block_size.g"],
        ["config.yaml:7", "augmentation.time_masking.tmp"],
        ["config.yaml:8", "augmentation.freq_masking.fmp"],
        ["config.yaml:9", "train.patience"],
        ["config.yaml:9", "train.lr"],
        ["config.yaml:10", "train"],
        ["config.yaml:11", "precision"],
        ["config.yaml:12", "optimiser"],
        ["config.yaml:16", "model.blocks.0"],
        ["config.yaml:18", "model.blocks.2.max_pool.0"],
    ]
    assert found[1].endswith("unknown key; did you mean min_snr_db?")
    assert found[8].endswith("'bf61' is not one of auto, fp32, bf16, fp16; did you mean bf16?")
    assert found[10].endswith("did you mean res?")
    text = "\n".join(found)
    for foreign in ("Value error", "Input should", "pydantic", "Traceback"):
        assert foreign not in text


def test_faults_of_one_line_are_all_told() -> None:
    found = faults_of("train: {lr: -1, epochs: x, bach_size: 3}\n")
    assert [line.split(": ")[1] for line in found] == ["train.epochs", "train.lr", "train.bach_size"]


def test_faults_of_set_name_the_key() -> None:
    assert faults_of(ORIGINAL, "train.lrr=1", "precision=bf61", "model.blocks.99.fc=3") == (
        "--set train.lrr: unknown key; did you mean lr?",
        "--set precision: 'bf61' is not one of auto, fp32, bf16, fp16; did you mean bf16?",
        "--set model.blocks.99.fc: model.blocks has no item 99; the last is 21",
    )


def test_a_dropped_pooling_is_not_blamed_on_the_layers_after_it() -> None:
    text = "model:\n  blocks:\n    - res: [4, 4]\n    - pooling: average\n    - fc: 8\n"
    assert [line.split(": ")[:2] for line in faults_of(text)] == [["config.yaml:4", "model.blocks.1.pooling"]]
    text = "model:\n  blocks:\n    - res: [4, 4]\n    - zzz: 3\n    - fc: 8\n"
    assert [line.split(": ")[:2] for line in faults_of(text)] == [["config.yaml:4", "model.blocks.1"]]


def test_overrides_reach_every_key() -> None:
    loaded = load_text(
        ORIGINAL,
        "config.yaml",
        ["train.lr=1e-3", "model.blocks.4.res=[48, 64]", "augmentation={}", "mel_spectrogram.f_max=null"],
    )
    assert loaded.config.train.lr == 0.001
    assert loaded.config.model.network_blocks()[4].text() == "res: [48, 64]"
    assert loaded.config.augmentation == AugmentationConfig()
    assert loaded.warnings == ()


def test_warnings_of_set_name_the_key() -> None:
    loaded = load_text("mel_spectrogram: {}", "config.yaml", ["mel_spectrogram.f_max=20000"])
    assert loaded.warnings[0].startswith("--set mel_spectrogram.f_max: 20000 Hz is above half")


def test_a_front_end_that_set_brings_into_being_is_told() -> None:
    (warning,) = load_text("", "config.yaml", ["mel_spectrogram.n_mels=80"]).warnings
    assert warning.startswith("--set mel_spectrogram.n_mels: mel_spectrogram: a section given without compression")
    keys = ["mel_spectrogram.n_mels=80", "mel_spectrogram.compression=db"]
    assert load_text("", "config.yaml", keys).warnings == ()
    assert load_text("mel_spectrogram: {}", "config.yaml", keys[:1]).warnings == ()


def test_a_preset_fills_the_model_and_can_be_changed() -> None:
    loaded = load_text("seed: 5\nmodel: {preset: original}\n", "config.yaml", ["model.blocks.20.fc=64"])
    original = load_config("original").config
    assert loaded.config.seed == 5
    assert loaded.config.model.preset is None
    assert loaded.config.model.network_blocks()[:20] == original.model.network_blocks()[:20]
    assert loaded.config.model.network_blocks()[20].text() == "fc: 64"


def test_a_preset_that_is_not_there_or_stands_beside_blocks() -> None:
    assert faults_of("seed: 1\nmodel: {preset: orginal}\n") == (
        "config.yaml:2: model.preset: no preset 'orginal'; did you mean original? (audiosurvey presets lists them)",
    )
    (line,) = faults_of("model:\n  preset: original\n  blocks:\n    - pooling: {}\n    - fc: 3\n")
    assert line.startswith("config.yaml:2: model.preset: the preset brings its own blocks")
    assert faults_of("model: {preset: [1]}") == ("config.yaml:1: model.preset: [1] is not text",)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    cases = {
        "orignal": "orignal: no such file or folder, and no preset of that name; did you mean original?",
        str(
            tmp_path
        ): f"{tmp_path}: is a folder, not a config file; did you mean {(tmp_path / 'config.yaml').as_posix()}?",
        str(tmp_path / "confg.yaml"): f"did you mean {(tmp_path / 'config.yaml').as_posix()}?",
        "": "CONFIG is empty",
        "a\0b": "no such file",
        "x" * 5000: "no such file",
    }
    for source, message in cases.items():
        with pytest.raises(UserError) as caught:
            load_config(source)
        assert len(caught.value.lines) == 1
        assert message in caught.value.lines[0]


def test_a_file_comes_before_a_preset_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "original").write_text("seed: 77\n")
    assert load_config("original").config.seed == 77


def keys_of(node: yaml.Node, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], yaml.Node]]:
    """Every key of the text with its path, by PyYAML alone."""
    if isinstance(node, yaml.MappingNode):
        own = [((*path, key.value), key) for key, _ in node.value]
        return own + [item for key, value in node.value for item in keys_of(value, (*path, key.value))]
    if isinstance(node, yaml.SequenceNode):
        return [item for index, value in enumerate(node.value) for item in keys_of(value, (*path, index))]
    return []


KEYS = keys_of(yaml.compose(ORIGINAL))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(KEYS), st.sampled_from(["drop", "double", "swap", "letter", "case"]), st.data())
def test_any_misspelt_key_is_found_at_its_line(
    key: tuple[tuple[str | int, ...], yaml.Node], how: str, data: st.DataObject
) -> None:
    path, node = key
    word = str(path[-1])
    at = data.draw(st.integers(0, len(word) - 1))
    wrong = {
        "drop": word[:at] + word[at + 1 :],
        "double": word[: at + 1] + word[at:],
        "swap": word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        "letter": word[:at] + "q" + word[at + 1 :],
        "case": word.upper(),
    }[how]
    if not wrong or wrong in keys_at(Config, path[:-1]) or wrong in ("Y", "N"):
        assume(False)
    text = ORIGINAL[: node.start_mark.index] + wrong + ORIGINAL[node.end_mark.index :]
    line = node.start_mark.line + 1
    found = faults_of(text)
    dotted = ".".join(map(str, path[:-1]))
    about = [fault for fault in found if fault.startswith(f"config.yaml:{line}: {dotted}")]
    assert len(about) == 1
    assert "unknown" in about[0]
    assert wrong in about[0]
    if len(word) > 4 and how != "case":
        assert "did you mean" in about[0]
    # Nothing else is blamed, but for what the lost key leaves open.
    assert len(found) <= 2


def test_epochs_of_zero_are_told_where_they_were_given() -> None:
    (line,) = faults_of("seed: 1\ntrain: {lr: 0.1}\n", "train.epochs=0")
    assert line.startswith("--set train.epochs: 0 means training until early stopping")


@pytest.mark.parametrize(
    ("name", "mend"), [("tinny", "(audiosurvey presets lists them)"), ("cnn66", "did you mean cnn6?")]
)
def test_a_misspelt_preset_of_the_network_gets_a_mend(name: str, mend: str) -> None:
    (line,) = faults_of(f"seed: 1\nmodel: {{preset: {name}}}\n")
    assert line.startswith(f"config.yaml:2: model.preset: no preset '{name}'")
    assert mend in line


def test_a_block_of_a_config_without_blocks() -> None:
    (line,) = faults_of("seed: 1\n", "model.blocks.3.res=[64,64]")
    assert line == (
        "--set model.blocks.3.res: this config has no list model.blocks with items to change; "
        "give model.preset or the whole list"
    )


def test_a_data_set_without_a_preset_of_its_name_is_no_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = "urbansound8k"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_config(name)
    assert caught.value.lines == (
        f"{name}: is a data set, not a config; 'audiosurvey init --dataset {name}' writes a config for it",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train: {optimizer: {name: sgd}}", "optimizer is a top-level key"),
        ("train: {schedule: {}}", "schedule is a top-level key"),
        ("train: {dataset: {}}", "dataset is a top-level key"),
        ("train: {seed: 1}", "seed is a top-level key"),
        ("train: {n_mels: 1}", "did you mean mel_spectrogram.n_mels?"),
    ],
)
def test_a_key_of_elsewhere(text: str, said: str) -> None:
    (line,) = faults_of(text)
    assert line.endswith(f"unknown key here; {said}")


def test_a_survey_file_is_named_as_one(tmp_path: Path):
    (tmp_path / "survey.yaml").write_text("configs: [tiny]\nseeds: [0, 1]\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"is a survey file, not a config; 'audiosurvey survey .*survey.yaml' trains"):
        load_config(tmp_path / "survey.yaml")
