"""A misspelt key anywhere is a located line, never a traceback."""

import random
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import yaml

from audiosurvey.config.loader import load_text
from audiosurvey.config.presets import preset_names, preset_text
from audiosurvey.errors import UserError

SAMPLE = 60


def keys(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        if isinstance(value, dict):
            yield (*path, key)
        yield from keys(inner, (*path, key))


def misspelt(data: Any, path: tuple[Any, ...], typo: str) -> str:
    data = deepcopy(data)
    section = data
    for part in path[:-1]:
        section = section[part]
    pairs = [(typo if key == path[-1] else key, value) for key, value in section.items()]
    section.clear()
    section.update(pairs)
    return yaml.safe_dump(data, sort_keys=False)


def typos(key: str) -> list[str]:
    dropped = [key[:i] + key[i + 1 :] for i in range(len(key))]
    swapped = [key[:i] + key[i + 1] + key[i] + key[i + 2 :] for i in range(len(key) - 1) if key[i] != key[i + 1]]
    return [*dropped, *swapped]


def located(text: str) -> None:
    """Refused with the place, or still a config (a key that may be left out has become another one)."""
    lines: tuple[str, ...] = ()
    try:
        load_text(text, "c.yaml")
    except UserError as error:
        lines = error.lines
    assert all(line.startswith("c.yaml:") for line in lines), lines


def test_a_misspelt_preset_is_named():
    with pytest.raises(UserError, match=r"^c\.yaml:1: model\.prset: unknown key; did you mean preset\?$"):
        load_text("model: {prset: mn04}", "c.yaml")
    with pytest.raises(UserError, match="no preset 'mn44'") as raised:
        load_text("model: {preset: mn44}", "c.yaml")
    assert len(raised.value.lines) == 1


def test_other_faults_are_told_with_it():
    with pytest.raises(UserError) as raised:
        load_text(
            "model: {prset: mn04}\nsample_rate: 8000\nmel_spectrogram: {f_max: 9000}\ntrain: {lr: -1}\n", "c.yaml"
        )
    assert [line.split(":")[1] for line in raised.value.lines] == ["1", "4"]


@pytest.mark.parametrize("path", [("model",), ("model", "preset"), ("model", "freeze"), ("dataset", "name")])
def test_every_typo_of_a_short_config(path: tuple[str, ...]):
    data = {"model": {"preset": "mn04", "freeze": 2}, "dataset": {"name": "toy"}}
    for typo in typos(path[-1]):
        located(misspelt(data, path, typo))


def test_typos_at_every_level_of_the_shipped_configs():
    configs = [yaml.safe_load(preset_text(name)) for name in preset_names()]
    places = {
        tuple("#" if isinstance(part, int) else part for part in path): (data, path)
        for data in configs
        for path in keys(data)
    }
    draw = random.Random(0)
    for data, path in draw.sample([places[place] for place in sorted(places)], SAMPLE):
        located(misspelt(data, path, draw.choice(typos(path[-1]))))
