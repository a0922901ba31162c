"""Ids of cells: whatever changes a result changes the id, and nothing else does."""

from dataclasses import replace

import pytest

from audiosurvey.config.loader import load_config
from audiosurvey.surveys.cell import Conditions, DataKey, _identity, make_cell, recipe_hash

CONDITIONS, KEY = Conditions("cpu", "fp32", 1), DataKey("data")


def ident(*overrides: str, fold: int = 1, conditions: Conditions = CONDITIONS, key: DataKey = KEY) -> str:
    return make_cell("row", load_config("tiny", overrides).config, fold, conditions, key).id


@pytest.mark.parametrize(
    "word",
    [
        "train.lr=0.5",
        "seed=1",
        "protocol.selection=validation",
        "augmentation.noise.p=0.11",
        "model.blocks.0.conv_block.channels=24",
        "dataset.clip_seconds=3",
        "precision=bf16",
    ],
)
def test_what_changes_the_result_changes_the_id(word: str):
    assert ident(word) != ident()


def test_fold_data_and_machine_change_the_id():
    found = {
        ident(),
        ident(fold=2),
        ident(key=DataKey("other")),
        ident(key=replace(KEY, pretrain_data="x")),
        ident(conditions=replace(CONDITIONS, threads=2)),
        ident(conditions=replace(CONDITIONS, device="cuda")),
        ident(conditions=replace(CONDITIONS, precision="bf16")),
    }
    assert len(found) == 7


@pytest.mark.parametrize(
    "word", ["dataset.root=elsewhere", "train.num_workers=0", "tracking=[]", "dataset.store=there", "precision=fp32"]
)
def test_paths_and_speed_do_not(word: str):
    assert ident(word) == ident()


def test_the_length_of_a_budget_is_kept_for_the_recipe_whatever_its_paths_and_seed():
    def recipe(*overrides: str, key: DataKey = KEY) -> str:
        return recipe_hash(load_config("tiny", overrides).config, CONDITIONS, key)

    assert recipe() == recipe("seed=3") == recipe("dataset.root=elsewhere", "precision=fp32")
    assert len({recipe(), recipe("train.batch_size=7"), recipe(key=DataKey("other")), recipe("precision=bf16")}) == 4


def test_weights_count_by_content():
    key = replace(KEY, init="abc")
    config = load_config("tiny").config
    configs = [
        config.model_copy(update={"model": config.model.model_copy(update={"init": path})}) for path in ("a.pt", "b.pt")
    ]
    one, two = (make_cell("row", config, 1, CONDITIONS, key) for config in configs)
    assert one.id == two.id
    assert one.id != ident()


def test_backgrounds_count_by_content_and_cells_without_one_keep_their_ids():
    def of(folder: str, contents: str) -> str:
        background = f"augmentation.background={{p: 0.5, folder: {folder}}}"
        return ident(background, key=replace(KEY, background=contents))

    assert of("here", "abc") == of("there", "abc")
    assert len({of("here", "abc"), of("here", "xyz"), ident()}) == 3
    assert not [name for name in _identity(load_config("tiny").config, CONDITIONS, KEY) if "background" in name]


def test_folds_share_a_pretraining_and_so_do_learning_rates():
    def shared(*overrides: str, fold: int = 1) -> str:
        return make_cell("row", load_config("tiny", overrides).config, fold, CONDITIONS, KEY).shared

    assert shared() == shared(fold=2) == shared("train.epochs=3", "pretrain.lr=0.001")
    assert shared() != shared("seed=1")
    assert shared() != shared("pretrain.lr=0.5")
