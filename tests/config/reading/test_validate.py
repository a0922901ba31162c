"""The machinery on a small config of its own, so that it is tested apart from the real sections."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.config.reading.document import read
from audiosurvey.config.reading.faults import lines
from audiosurvey.config.reading.overrides import override
from audiosurvey.config.reading.validate import Checked, validate
from audiosurvey.model.blocks.pooling import PoolingConfig, PoolingItem
from audiosurvey.model.menu import Block
from audiosurvey.section import Section


class Pool(Section):
    mode: Literal["avg", "max"] = "avg"
    size: int = 2


class Noise(Section):
    p: float = Field(default=0.0, ge=0, le=1)
    """Chance that a clip gets noise. Zero is off."""
    min_snr_db: float = 1.0
    max_snr_db: float = 30.0

    @field_validator("max_snr_db")
    @classmethod
    def _ordered(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("min_snr_db", value):
            raise ValueError("below min_snr_db")
        return value


class Train(Section):
    lr: float = Field(default=1e-3, gt=0)
    epochs: int | None = None
    fast: bool = False
    rate: float | Literal["auto"] = "auto"
    names: list[str] = []
    way: Literal["last", "best"] | bool = "last"


class Step(Section):
    epoch: int
    share: float = 1.0


class Root(Section):
    seed: int = 0
    noise: Noise = Noise()
    train: Train = Train()
    pool: Pool | None = None
    blocks: list[Block] = []
    steps: list[Step] = []
    pair: tuple[int, int] = (1, 2)
    tagged: Annotated[list[Pool], Field(max_length=2)] = []


def check(text: str, *overrides: str) -> tuple[Checked[Root], list[str]]:
    document = read(text, "config.yaml")
    for word in overrides:
        override(document, word)
    checked = validate(Root, document)
    return checked, list(lines(document, checked.faults))


def told(text: str, *overrides: str) -> list[str]:
    return check(text, *overrides)[1]


def test_a_valid_config() -> None:
    checked, faults = check("seed: 3\ntrain: {lr: 1e-4}\n")
    assert faults == []
    assert checked.config == Root(seed=3, train=Train(lr=1e-4))


def test_every_kind_of_fault_in_plain_words() -> None:
    text = """\
seed: 1.5
noise:
  p: 2
  min_snr: 3
train:
  lr: abc
  epochs: [1]
  fast: maybe
  rate: quick
  names: [a, 5]
  way: lst
pool: 7
tagged: [{}, {}, {}]
trian: {}
"""
    assert told(text) == [
        "config.yaml:1: seed: 1.5 is not a whole number",
        "config.yaml:3: noise.p: 2 is out of range: it must be at most 1",
        "config.yaml:4: noise.min_snr: unknown key; did you mean min_snr_db?",
        "config.yaml:6: train.lr: 'abc' is not a number",
        "config.yaml:7: train.epochs: [1] is not a whole number",
        "config.yaml:8: train.fast: 'maybe' is not one of true, false",
        "config.yaml:9: train.rate: 'quick' is not auto or a number",
        "config.yaml:10: train.names.1: 5 is not text; put it in quotes: '5'",
        "config.yaml:11: train.way: 'lst' is not one of last, best, true, false; did you mean last?",
        "config.yaml:12: pool: 7 is not a section of keys and values; its keys are mode, size",
        "config.yaml:13: tagged: [{}, {}, {}] has too many values; expected at most 2",
        "config.yaml:14: trian: unknown key; did you mean train?",
    ]


def test_a_stray_key_is_told_where_it_belongs() -> None:
    assert told("lr: 1\n") == ["config.yaml:1: lr: unknown key here; did you mean train.lr?"]
    # Where the very name stands in another section, that is meant, and not what resembles it here.
    assert told("pool: {modes: max, names: [a]}\n") == [
        "config.yaml:1: pool.modes: unknown key; did you mean mode?",
        "config.yaml:1: pool.names: unknown key here; did you mean train.names?",
    ]
    assert told("train: {mode: max}\n") == ["config.yaml:1: train.mode: unknown key here; did you mean pool.mode?"]
    assert told("zzz: 1\n")[0].startswith("config.yaml:1: zzz: unknown key; known here: seed, noise,")


def test_numbers_with_commas_and_units_get_a_hint() -> None:
    hint = "; write it without spaces, commas and units, such as 44100 or 0.001"
    assert told("train: {lr: '0,001'}") == [f"config.yaml:1: train.lr: '0,001' is not a number{hint}"]
    assert told("train: {lr: '16,000'}") == [f"config.yaml:1: train.lr: '16,000' is not a number{hint}"]
    assert told("train: {lr: 30 ms}") == [f"config.yaml:1: train.lr: '30 ms' is not a number{hint}"]
    for written in ("44,100", "1,234,567", "44 100", "0,100"):
        assert told(f"seed: {written}") == [f"config.yaml:1: seed: '{written}' is not a whole number{hint}"]


def test_a_list_of_another_length() -> None:
    assert told("pair: [1]") == ["config.yaml:1: pair.1: missing; it has no default"]
    assert told("pair: [1, 2, 3]") == ["config.yaml:1: pair: [1, 2, 3] has too many values; expected at most 2"]


def test_true_is_not_a_number() -> None:
    assert told("train: {lr: true}") == ["config.yaml:1: train.lr: true is not a number"]
    assert told("train: {fast: true, way: true}") == []


def test_a_key_without_value() -> None:
    assert told("train:\n  lr:\n") == ["config.yaml:2: train.lr: has no value; expected a number"]
    assert told("train: {epochs: null}\npool: null\n") == []


def test_an_empty_section_has_its_defaults() -> None:
    checked, faults = check("noise:\ntrain:\n  # lr: 3\nseed: 4\n")
    assert faults == []
    assert checked.config == Root(seed=4)


def test_an_empty_section_lacks_the_keys_that_have_no_default() -> None:
    assert told("blocks:\n  - conv:\n")[0] == "config.yaml:2: blocks.0.conv.channels: missing; it has no default"
    assert told("steps:\n  - {epoch: 1}\n  -\n") == ["config.yaml:3: steps.1.epoch: missing; it has no default"]
    # One whose keys all have a default is that default.
    checked, faults = check("blocks:\n  - pooling:\n")
    assert faults == []
    assert checked.config is not None
    assert checked.config.blocks == [PoolingItem(pooling=PoolingConfig())]
    # What is wrong beside it is told.
    faults = told("blocks:\n  - pooling:\n  - res: [1, x]\n")
    assert faults == ["config.yaml:3: blocks.1.res.1: 'x' is not a whole number"]


def test_yes_and_no_are_booleans_where_one_is_expected() -> None:
    checked, faults = check("train: {fast: yes, names: [yes, no]}")
    assert faults == []
    assert checked.config is not None
    assert checked.config.train == Train(fast=True, names=["yes", "no"])


def test_blocks_are_told_by_index_key_and_place() -> None:
    text = """\
blocks:
  - res: [3, 4]
  - rez: [3, 4]
  - res: [3, x]
  - pooling: {mode: agv}
  - pooling: {mod: avg}
  - res: [1]
  - res: [1, 2, 3]
"""
    assert told(text) == [
        "config.yaml:3: blocks.1: unknown block rez; did you mean res?",
        "config.yaml:4: blocks.2.res.1: 'x' is not a whole number",
        "config.yaml:5: blocks.3.pooling.mode: 'agv' is not one of avg, max, sum, mul, avg+max; did you mean avg?",
        "config.yaml:6: blocks.4.pooling.mod: unknown key; did you mean mode?",
        "config.yaml:7: blocks.5.res: takes two channel counts, [between the convolutions, out], not 1 value",
        "config.yaml:8: blocks.6.res: takes two channel counts, [between the convolutions, out], not 3 values",
    ]


def test_faulty_parts_stand_at_their_defaults() -> None:
    text = """\
noise: {p: 0.5, min_snr: 3}
train: {lr: -1, epochs: 7}
blocks:
  - pooling: {mode: agv}
  - res: [5, 6]
"""
    checked, faults = check(text)
    assert len(faults) == 3
    assert checked.config == Root(noise=Noise(p=0.5), train=Train(epochs=7))
    # Also the key that a misspelt one resembles: its value is not what the user meant.
    assert checked.replaced == {
        ("noise", "min_snr"),
        ("noise", "min_snr_db"),
        ("train", "lr"),
        ("blocks", 0, "pooling", "mode"),
        ("blocks",),
    }


def test_a_faulty_key_is_not_blamed_on_its_neighbour() -> None:
    # The default of min_snr_db (1) is above the given max; what the user meant is not known.
    assert told("noise: {min_snr_db: x, max_snr_db: -5}") == ["config.yaml:1: noise.min_snr_db: 'x' is not a number"]
    assert told("noise: {max_snr_db: -5}") == ["config.yaml:1: noise.max_snr_db: below min_snr_db"]


def test_faults_of_overrides_come_last_and_name_their_key() -> None:
    assert told("train: {lr: x}\nsed: 1\n", "train.epochs=y", "noise={q: 1}", "noise.p=3", "pool.moed=avg") == [
        "config.yaml:1: train.lr: 'x' is not a number",
        "config.yaml:2: sed: unknown key; did you mean seed?",
        "--set train.epochs: 'y' is not a whole number",
        "--set noise: noise.q: unknown key; known here: p, min_snr_db, max_snr_db",
        "--set noise.p: 3 is out of range: it must be at most 1",
        "--set pool.moed: unknown key; did you mean mode?",
    ]


def test_an_override_mends_the_file() -> None:
    assert told("train: {lr: x}\n", "train.lr=1") == []
