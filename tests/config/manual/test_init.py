"""`model.init` and `model.freeze` in a config: the front end comes from the weights, faults stand at their lines."""

from pathlib import Path

import pytest

from audiosurvey.config.loader import LoadedConfig, load_config, load_text
from audiosurvey.errors import UserError


def lines_of(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(UserError) as caught:
        load_text(text, "config.yaml", overrides)
    return caught.value.lines


def reloads(loaded: LoadedConfig) -> bool:
    again = load_text(loaded.resolved_yaml(), "resolved.yaml")
    return again.config == loaded.config and again.resolved_yaml() == loaded.resolved_yaml()


@pytest.fixture
def mn04(shared: Path) -> str:
    return (shared / "weights" / "mn04_as_mAP_432.pt").as_posix()


@pytest.mark.parametrize("name", ["efficientat/mn04_as", "panns/cnn14"])
def test_a_name_alone_brings_the_front_end_of_its_family(name: str) -> None:
    preset = name.split("/")[1].split("_")[0]
    loaded = load_text(f"model: {{preset: {preset}, init: {name}}}", "config.yaml")
    shipped = load_config(preset).config
    assert loaded.config.sample_rate == shipped.sample_rate
    assert loaded.config.mel_spectrogram == shipped.mel_spectrogram
    assert loaded.config.model.init == name
    assert reloads(loaded)


def test_a_file_brings_it_too(mn04: str) -> None:
    loaded = load_text(f"model:\n  preset: mn04\n  init: {mn04}\n  freeze: body\n", "config.yaml")
    assert loaded.config.mel_spectrogram == load_config("mn04").config.mel_spectrogram
    assert loaded.config.input_shape == (1, 500, 128)
    assert loaded.config.model.freeze == "body"
    assert loaded.warnings == ()
    assert reloads(loaded)


def test_what_is_given_stays_and_has_to_agree(mn04: str) -> None:
    text = f"""\
sample_rate: 16_000
mel_spectrogram:
  n_mels: 64
  hop_length: 0.01
model:
  preset: mn04
  init: {mn04}
"""
    assert lines_of(text) == (
        f"config.yaml:1: sample_rate: 16000, the weights of {mn04} were trained with 32000; write sample_rate: 32000",
        f"config.yaml:3: mel_spectrogram.n_mels: 64, the weights of {mn04} were trained with 128; write n_mels: 128",
    )


def test_an_override_that_disagrees() -> None:
    (line,) = lines_of("model: {preset: mn04, init: efficientat/mn04_as}", "mel_spectrogram.compression=db")
    assert line.startswith(
        "--set mel_spectrogram.compression: db, the weights of efficientat/mn04_as were trained with ln"
    )


def test_weights_of_another_network(mn04: str) -> None:
    (line,) = lines_of(f"sample_rate: 32000\nmodel:\n  init: {mn04}\n  preset: mn10\n")
    assert line.startswith(f"config.yaml:3: model.init: {mn04}: features.0.0.weight (8 x 1 x 3 x 3) does not fit")
    assert line.endswith("they are the weights of preset mn04")


def test_other_faults_are_told_beside_it(mn04: str) -> None:
    text = f"train: {{lr: -1}}\nmodel:\n  init: {mn04}\n  preset: mn04\n  freeze: 90\nmel_spectrogram: {{n_mels: 64}}\n"
    found = lines_of(text)
    assert [line.split(":")[2].strip() for line in found] == ["train.lr", "model.freeze", "mel_spectrogram.n_mels"]


def test_a_name_of_another_family_is_no_matter_of_the_front_end() -> None:
    for mel in ("", "mel_spectrogram: {n_mels: 128, norm: slaney}\n"):
        (line,) = lines_of(f"{mel}model:\n  preset: mn04\n  init: panns/cnn14\n")
        assert "model.init: panns/cnn14: the weights are of preset cnn14, but the network is different" in line
    with pytest.raises(UserError) as caught:
        load_config("mn04", ["model.init=panns/cnn14"])
    assert [line.split(": ")[:2] for line in caught.value.lines] == [["--set model.init", "panns/cnn14"]]
    (line,) = lines_of("model: {preset: mn10, init: efficientat/mn04_as}")
    assert "use preset: mn04" in line
    # The blocks of the preset, written out, are its network.
    for name in ("panns/cnn14_16k", "panns/wavegram-logmel-cnn14", "efficientat/mn10_as_hop_15"):
        preset = name.split("/")[1].split("_")[0]
        assert load_text(f"model: {{preset: {preset}, init: {name}}}", "config.yaml").config.model.init == name


def test_one_network_is_no_ensemble(mn04: str) -> None:
    for init in ("efficientat/mn04_as", mn04):
        (line,) = lines_of(f"model:\n  preset: mn04\n  init: {init}\n  members: 3\n")
        assert line == (
            f"config.yaml:3: model.init: {init}: is not an ensemble of 3 networks, as model.members: 3 asks for; "
            "leave model.init or model.members out"
        )


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("init: efficientat/mn4_as", "no weights of that name; did you mean efficientat/mn"),
        ("init: [1]", "model.init"),
        ("init: ''", "model.init"),
        (
            "freeze: body",
            "frozen blocks would keep random weights; set model.init or pretrain.dataset",
        ),
        ("freeze: everything", "takes `body`"),
        (
            "keep_statistics: true",
            "model.keep_statistics: there are no statistics to keep; set model.init or pretrain.dataset",
        ),
        ("views: 0", "model.views"),
        ("init: nosuch.pt, freeze: [0, 21]", "block 21: the network has 21 blocks, numbered from 0 to 20"),
    ],
)
def test_one_line_each(model: str, words: str) -> None:
    (line,) = lines_of(f"model: {{preset: mn04, {model}}}")
    assert words in line


def test_a_broken_file(tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_text("words")
    (line,) = lines_of(f"model: {{preset: mn04, init: '{(tmp_path / 'w.pt').as_posix()}'}}")
    assert line.startswith("config.yaml:1: model.init: ")
    assert "not a file of weights, or damaged" in line


def test_weights_that_are_not_here_yet_are_no_fault() -> None:
    loaded = load_text("model: {preset: mn04, init: other/place/weights.pt, freeze: [0, 20]}", "config.yaml")
    assert loaded.config.model.init == "other/place/weights.pt"
    assert reloads(loaded)


def test_freezing_what_a_pretraining_brings() -> None:
    assert load_text("pretrain_urban: true\nmodel: {freeze: 2}", "config.yaml").config.model.freeze == 2
