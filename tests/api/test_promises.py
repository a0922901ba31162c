"""What is public is documented, typed, and changes only on purpose.

`python tests/api/test_promises.py` stores the signatures. A change of signatures.txt is a change of the public API: see
"Versions and deprecation" in CONTRIBUTING.md.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import audiosurvey

REPOSITORY = Path(__file__).resolve().parents[2]
SIGNATURES = Path(__file__).with_name("signatures.txt")
PAGES = ("python.md", "python-training.md", "python-sklearn.md", "python-models.md")


def public() -> Iterator[tuple[str, Any]]:
    """Public functions, classes and methods by name."""
    for name in audiosurvey.__all__:
        found = getattr(audiosurvey, name)
        if isinstance(found, ModuleType):
            yield from ((f"{name}.{part}", getattr(found, part)) for part in found.__all__)
        elif callable(found):
            yield name, found
            if inspect.isclass(found):
                yield from ((f"{name}.{part}", method) for part, method in own_methods(found))


def own_methods(kind: type) -> Iterator[tuple[str, Any]]:
    for name, member in inspect.getmembers(kind):
        mine = (getattr(member, "__module__", None) or "").startswith("audiosurvey")
        if not name.startswith("_") and (isinstance(member, property) or (inspect.isroutine(member) and mine)):
            yield name, member


EVERYTHING = dict(public())
FUNCTIONS = {name: found for name, found in EVERYTHING.items() if inspect.isroutine(found)}


def signature(found: Any) -> str:
    """Names and defaults of the arguments: types are written differently by different versions of Python."""
    if not callable(found):
        return ""
    described = inspect.signature(found)
    plain = [one.replace(annotation=inspect.Parameter.empty) for one in described.parameters.values()]
    text = str(described.replace(parameters=plain, return_annotation=inspect.Signature.empty))
    return re.sub(" at 0x[0-9a-f]+", "", text)


def stored() -> str:
    return "".join(f"{name}{signature(found)}\n" for name, found in sorted(EVERYTHING.items()))


def test_signatures_are_those_that_were_promised():
    assert stored() == SIGNATURES.read_text(encoding="utf-8"), "run `python tests/api/test_promises.py`"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_argument_has_a_type(name: str):
    described = inspect.signature(FUNCTIONS[name])
    given = [one for one in described.parameters.values() if one.name not in ("self", "cls")]
    assert all(one.annotation is not inspect.Parameter.empty for one in given)
    assert described.return_annotation is not inspect.Signature.empty


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_docstring_has_its_sections(name: str):
    described = inspect.signature(FUNCTIONS[name])
    text = inspect.getdoc(FUNCTIONS[name]) or ""
    given = [argument for argument in described.parameters if argument not in ("self", "cls")]
    arguments = re.search(r"^Args:\n((?: {4}.*\n?|\n)+)", text, flags=re.M)
    named = re.findall(r"^ {4}(\w+): ", arguments[1], flags=re.M) if arguments else []
    if name not in IN_WORDS:
        assert named == given
        assert ("\nReturns:\n" in text) == (described.return_annotation not in (None, "None"))
    assert re.match(r"\S.*[.:]", text)


IN_WORDS = {"RunPredictions.of", "FirstBatches.next_batch", "UserError.at", "ClipDataset.truth"}
"""A sentence says all of them."""


@pytest.mark.parametrize("name", [name for name in EVERYTHING if name not in FUNCTIONS])
def test_classes_and_properties_are_described(name: str):
    assert inspect.getdoc(EVERYTHING[name])


def test_public_names_are_in_the_documentation():
    text = "".join((REPOSITORY / "docs" / page).read_text(encoding="utf-8") for page in PAGES)
    words = set(re.findall(r"\w+", text))
    missing = [name for name in EVERYTHING if name.split(".")[-1] not in words]
    assert not missing


def test_the_package_is_typed():
    assert (Path(audiosurvey.__file__).parent / "py.typed").is_file()


if __name__ == "__main__":
    SIGNATURES.write_text(stored(), encoding="utf-8")
