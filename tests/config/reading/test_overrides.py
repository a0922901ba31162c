import pytest

from audiosurvey.config.reading.document import read
from audiosurvey.config.reading.faults import lines
from audiosurvey.config.reading.overrides import override

TEXT = "train: {lr: 0.1}\nmodel:\n  blocks:\n    - res: [1, 2]\n    - pooling: {mode: avg}\nempty:\nseed: 3\n"


def applied(*words: str) -> tuple[dict[str, object], list[str]]:
    document = read(TEXT, "config.yaml")
    for word in words:
        override(document, word)
    return document.data, list(lines(document, ()))


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("train.lr=1e-3", "train", {"lr": 0.001}),
        ("train.new = 5", "train", {"lr": 0.1, "new": 5}),
        ("train={}", "train", {}),
        ("train=null", "train", None),
        ("seed=", "seed", None),
        ("ema.deep.decay=0.9", "ema", {"deep": {"decay": 0.9}}),
        ("empty.key=1", "empty", {"key": 1}),
        ("seed='7'", "seed", "7"),
        ("name=a=b", "name", "a=b"),
        ("model.blocks.0.res=[64, 64]", "model", {"blocks": [{"res": [64, 64]}, {"pooling": {"mode": "avg"}}]}),
        ("model.blocks.0.res.1=9", "model", {"blocks": [{"res": [1, 9]}, {"pooling": {"mode": "avg"}}]}),
        ("model.blocks.1.fc=9", "model", {"blocks": [{"res": [1, 2]}, {"fc": 9}]}),
        (
            "model.blocks.0.pooling.mode=max",
            "model",
            {"blocks": [{"pooling": {"mode": "max"}}, {"pooling": {"mode": "avg"}}]},
        ),
        ("model.blocks.1={fc: 9}", "model", {"blocks": [{"res": [1, 2]}, {"fc": 9}]}),
    ],
)
def test_values_are_placed(word: str, key: str, value: object) -> None:
    data, faults = applied(word)
    assert faults == []
    assert data[key] == value


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("train.lr", "--set train.lr: expected KEY=VALUE"),
        ("=5", "--set =5: a name is empty"),
        ("train..lr=5", "--set train..lr: a name is empty"),
        ("model.blocks.2.res=[1]", "--set model.blocks.2.res: model.blocks has no item 2; the last is 1"),
        ("model.blocks.-1.res=[1]", "--set model.blocks.-1.res: model.blocks is a list"),
        ("model.blocks.res=[1]", "--set model.blocks.res: model.blocks is a list"),
        ("seed.deep=1", "--set seed.deep: seed is the value 3, which has no key 'deep'"),
        (
            "seed=[1, 2",
            "--set seed: not YAML: while parsing a flow sequence (line 1): expected ',' or ']'",
        ),
        ("train={lr: 1, lr: 2}", "--set train: lr: given twice"),
        ("seed=!!python/none x", "--set seed: the tag"),
    ],
)
def test_what_cannot_be_set(word: str, message: str) -> None:
    before, _ = applied()
    data, faults = applied(word)
    assert len(faults) == 1
    assert faults[0].startswith(message)
    assert data == before


def test_an_item_of_a_list_that_is_not_there() -> None:
    _, faults = applied("dataset.classes.0=dog")
    assert faults == [
        "--set dataset.classes.0: this config has no list dataset.classes with items to change; give the whole list"
    ]


def test_the_later_one_wins_and_places_follow() -> None:
    document = read(TEXT, "config.yaml")
    override(document, "train.lr=1")
    override(document, "train={lr: 2}")
    assert document.data["train"] == {"lr": 2}
    assert document.place(("train", "lr")) == "train"
    assert document.place(("seed",)) == 7
