"""Two front ends: which settings differ, and that ways of writing the same do not."""

import pytest

from audiosurvey.features.agreement import FrontEnd, disagreements
from audiosurvey.features.mel import MelConfig

TRAINED = FrontEnd(32_000, MelConfig(win_length=0.025, n_fft=1024, n_mels=128, f_max=15_000, compression="ln"))


def lines(sample_rate: int = 32_000, **changed: object) -> list[str]:
    assert TRAINED.mel is not None
    mel = TRAINED.mel.model_copy(update=changed)
    return [f"{fault.dotted}: {fault.message}" for fault in disagreements(FrontEnd(sample_rate, mel), TRAINED, "w.pt")]


def test_each_difference_is_a_line_with_what_to_write():
    assert lines(n_mels=64, f_max=None) == [
        "mel_spectrogram.n_mels: 64, the weights of w.pt were trained with 128; write n_mels: 128",
        "mel_spectrogram.f_max: 16000, the weights of w.pt were trained with 15000; write f_max: 15000",
    ]


def test_another_rate_is_one_line_and_not_one_in_every_length():
    assert lines(sample_rate=16_000) == [
        "sample_rate: 16000, the weights of w.pt were trained with 32000; write sample_rate: 32000"
    ]


@pytest.mark.parametrize(
    "same",
    [
        {"floor_db": -80.0},
        {"wkwargs": {"periodic": True}},
        {"win_length": 0.02501},
        {"onesided": True},
    ],
    ids=str,
)
def test_what_changes_nothing_is_no_difference(same):
    assert lines(**same) == []


@pytest.mark.parametrize(
    ("changed", "shown"),
    [
        ({"wkwargs": {"periodic": False}}, "wkwargs: {periodic: true}"),
        ({"hop_length": 0.02}, "hop_length: 0.01"),
        ({"center": False}, "center: true"),
        ({"norm": "slaney"}, "norm: null"),
        ({"log_offset": 1e-3}, "log_offset: 1e-05"),
        ({"standardize": "batch_norm"}, "standardize: none"),
        ({"preemphasis": 0.9}, "preemphasis: 0"),
        ({"compression": "db"}, "compression: ln"),
    ],
    ids=str,
)
def test_the_mend_is_what_one_would_write(changed, shown):
    (line,) = lines(**changed)
    assert line.endswith(f"; write {shown}")


def test_what_a_config_would_have_to_say():
    given = TRAINED.given()
    assert given == {"win_length": 0.025, "n_fft": 1024, "n_mels": 128, "f_max": 15_000, "compression": "ln"}
    assert MelConfig(**given) == TRAINED.mel
