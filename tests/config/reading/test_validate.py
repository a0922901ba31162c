"""The machinery on a small config of its own, so that it is tested apart from the real sections."""

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from audiosurvey.config.reading.document import read
from audiosurvey.config.reading.faults import lines
from audiosurvey.config.reading.overrides import override
from audiosurvey.config.reading.validate import Checked, validate
from audiosurvey.section import Section


class Pool(Section):
    mode: Literal["avg", "max"] = "avg"
    size: int = 2


class PoolItem(Section):
    pool: Pool


class ConvItem(Section):
    conv: tuple[int, int]


class SkipItem(Section):
    skip: int


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


class StepItem(Section):
    step: Step


class Root(Section):
    seed: int = 0
    noise: Noise = Noise()
    train: Train = Train()
    pool: Pool | None = None
    blocks: list[PoolItem | ConvItem | SkipItem] = []
    steps: list[Step] = []
    own: list[StepItem] = []
    tagged: Annotated[list[Pool], Field(max_length=2)] = []


def check(text: str, *overrides: str, neutral: bool = True) -> tuple[Checked[Root], list[str]]:
    document = read(text, "config.yaml")
    for word in overrides:
        override(document, word)
    checked = validate(Root, document, {"skip": 0} if neutral else None)
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
        "config.yaml:3: noise.p: 2 is out of range: it must be at most 1 (chance that a clip gets noise)",
        "config.yaml:4: noise.min_snr: unknown key; did you mean min_snr_db?",
        "config.yaml:6: train.lr: 'abc' is not a number",
        "config.yaml:7: train.epochs: [1] is not a whole number",
        "config.yaml:8: train.fast: 'maybe' is neither true nor false",
        "config.yaml:9: train.rate: 'quick' is not one of auto, nor a number",
        "config.yaml:10: train.names.1: 5 is not text; put it in quotes: '5'",
        "config.yaml:11: train.way: 'lst' is not one of true, false, last, best; did you mean last?",
        "config.yaml:12: pool: 7 is not a section of keys and values; its keys are mode, size",
        "config.yaml:13: tagged: [{}, {}, {}] has 3 values; expected 2",
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


def test_numbers_with_commas_and_units_get_the_mend() -> None:
    assert told("train: {lr: '0,001'}")[0].endswith("'0,001' is not a number; write 0.001")
    assert told("seed: 44,100")[0].endswith("'44,100' is not a whole number; write 44100")
    assert told("seed: 1,234,567")[0].endswith("; write 1234567")
    assert told("seed: 44 100")[0].endswith("; write 44100")
    assert told("seed: 0,100")[0].endswith("'0,100' is not a whole number; write 0.100")
    assert told("train: {lr: '16,000'}")[0].endswith("'16,000' is not a number; write 16000, or 16.000 for the decimal")
    assert told("train: {lr: '0,001'}")[0].endswith("; write 0.001")
    assert told("train: {lr: 30 ms}")[0].endswith("'30 ms' is not a number; leave the unit out")


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
    assert told("own:\n  - step:\n") == ["config.yaml:2: own.0.step.epoch: missing; it has no default"]
    assert told("steps:\n  - {epoch: 1}\n  -\n") == ["config.yaml:3: steps.1.epoch: missing; it has no default"]
    # One whose keys all have a default is that default, and what is wrong beside it is told.
    checked, faults = check("blocks:\n  - pool:\n  - conv: [1, x]\n")
    assert faults == ["config.yaml:3: blocks.1.conv.1: 'x' is not a whole number"]
    assert checked.config is not None
    assert checked.config.blocks[0] == PoolItem(pool=Pool())


def test_yes_and_no_are_booleans_where_one_is_expected() -> None:
    checked, faults = check("train: {fast: yes, names: [yes, no]}")
    assert faults == []
    assert checked.config is not None
    assert checked.config.train == Train(fast=True, names=["yes", "no"])


def test_blocks_are_told_by_index_key_and_place() -> None:
    text = """\
blocks:
  - conv: [3, 4]
  - conf: [3, 4]
  - conv: [3, x]
  - pool: {mode: agv}
  - pool: {mod: avg}
  - conv: [1]
  - conv: [1, 2, 3]
"""
    faults = told(text)
    assert [fault.split(": ")[0] for fault in faults] == [f"config.yaml:{line}" for line in range(3, 9)]
    assert "conf" in faults[0]
    assert faults[1] == "config.yaml:4: blocks.2.conv.1: 'x' is not a whole number"
    assert faults[2] == "config.yaml:5: blocks.3.pool.mode: 'agv' is not one of avg, max; did you mean avg?"
    assert faults[3] == "config.yaml:6: blocks.4.pool.mod: unknown key; did you mean mode?"
    assert faults[4] == "config.yaml:7: blocks.5.conv: [1] has 1 value; more are expected"
    assert faults[5] == "config.yaml:8: blocks.6.conv: [1, 2, 3] has 3 values; expected 2"


def test_repair_keeps_what_it_can() -> None:
    text = """\
noise: {p: 0.5, min_snr: 3}
train: {lr: -1, epochs: 7}
blocks:
  - pool: {mode: agv, size: 3}
  - cnov: [3, 4]
  - conv: [5, 6]
  - skip: x
  - conv: [7, 8]
"""
    config = check(text)[0].config
    assert config is not None
    assert config.noise == Noise(p=0.5, min_snr_db=3)
    assert config.train == Train(epochs=7)
    assert config.blocks == [
        PoolItem(pool=Pool(size=3)),
        ConvItem(conv=(3, 4)),
        ConvItem(conv=(5, 6)),
        SkipItem(skip=0),
        ConvItem(conv=(7, 8)),
    ]


def test_without_a_neutral_item_the_list_is_cut() -> None:
    checked, faults = check("blocks:\n  - conv: [1, 2]\n  - 5\n  - conv: [3, 4]\n", neutral=False)
    assert checked.config is not None
    assert checked.config.blocks == [ConvItem(conv=(1, 2))]
    assert len(faults) == 1


def test_a_repaired_key_is_not_blamed_on_its_neighbour() -> None:
    # The default of min_snr_db (1) is above the given max; what the user meant is not known.
    assert told("noise: {min_snr_db: x, max_snr_db: -5}") == ["config.yaml:1: noise.min_snr_db: 'x' is not a number"]
    assert told("noise: {max_snr_db: -5}") == ["config.yaml:1: noise.max_snr_db: below min_snr_db"]


def test_faults_of_overrides_come_last_and_name_their_key() -> None:
    assert told("train: {lr: x}\nsed: 1\n", "train.epochs=y", "noise={q: 1}", "noise.p=3", "pool.moed=avg") == [
        "config.yaml:1: train.lr: 'x' is not a number",
        "config.yaml:2: sed: unknown key; did you mean seed?",
        "--set train.epochs: 'y' is not a whole number",
        "--set noise: noise.q: unknown key; known here: p, min_snr_db, max_snr_db",
        "--set noise.p: 3 is out of range: it must be at most 1 (chance that a clip gets noise)",
        "--set pool.moed: unknown key; did you mean mode?",
    ]


def test_an_override_mends_the_file() -> None:
    assert told("train: {lr: x}\n", "train.lr=1") == []
