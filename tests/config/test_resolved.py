from pathlib import Path, PureWindowsPath

import yaml
from hypothesis import given
from hypothesis import strategies as st

from audiosurvey.config.reading.document import read, read_value
from audiosurvey.config.resolved import dump, plain, resolved_yaml
from audiosurvey.section import Section

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc_", min_size=1), inner, max_size=4)
)


class Inner(Section):
    folder: Path | None = None
    sides: tuple[int, int] = (2, 3)


class Outer(Section):
    name: str = "x"
    inner: Inner = Inner()
    blocks: list[dict[str, list[int]]] = []


def test_the_form() -> None:
    config = Outer(inner=Inner(folder=Path("a") / "b"), blocks=[{"res": [1, 2]}])
    assert resolved_yaml(config) == ("name: x\ninner:\n  folder: a/b\n  sides: [2, 3]\nblocks:\n- res: [1, 2]\n")


def test_paths_have_forward_slashes_on_any_system() -> None:
    assert plain({"root": PureWindowsPath("data\\clips")}) == {"root": "data/clips"}


@given(st.dictionaries(st.text("abc_", min_size=1), VALUES, max_size=4))
def test_what_is_written_is_read_back(data: dict[str, object]) -> None:
    assert read(dump(data), "config.yaml").data == data


@given(st.sampled_from(["1e-3", "1_000", "0x1f", "no", "1:30", "~", "null", "true", "<<", "2024-01-01", ".5", "012"]))
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    written = dump({"a": text})
    assert read(written, "config.yaml").data == {"a": text}
    assert yaml.safe_load(written) == {"a": text}


@given(st.floats(allow_nan=False))
def test_numbers_keep_every_digit(number: float) -> None:
    assert read_value(dump([number])) == [number]
