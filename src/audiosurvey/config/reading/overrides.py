"""`--set KEY=VALUE`: changing any key of a config from the command line."""

from collections.abc import Callable
from typing import Any

from audiosurvey.config.reading.document import Document, get, read_value
from audiosurvey.config.reading.mapping import plain_value
from audiosurvey.errors import Fault, UserError


def override(document: Document, word: str) -> None:
    """Apply one `KEY=VALUE`, such as `train.lr=1e-3` or `model.blocks.3.res=[64, 64]`, to the document in place.

    The value is YAML. Missing sections on the way are created; an index of a list must exist. What cannot be set is
    added to the document's faults.
    """
    key, equals, text = word.partition("=")
    key = key.strip()
    place = key or word
    if not equals:
        document.overrides.append(place)
        document.faults.append((place, Fault((), "expected KEY=VALUE, as in --set train.lr=1e-3")))
        return
    _set(document, place, key, lambda: read_value(text))


def override_value(document: Document, key: str, value: Any) -> None:
    """As `override`, for a value of Python: `override_value(document, "train.lr", 1e-3)`."""
    _set(document, key, key, lambda: plain_value(value, key))


def _set(document: Document, place: str, key: str, read: Callable[[], Any]) -> None:
    path = tuple(key.split("."))
    document.overrides.append(place)
    try:
        if not all(path):
            raise UserError("a name is empty; expected names separated by dots, as in --set train.lr=1e-3")
        _put(document, path, read(), place)
    except UserError as error:
        document.faults.append((place, Fault((), error.lines[0])))


def _put(document: Document, path: tuple[str, ...], value: Any, place: str) -> None:
    above: tuple[str | int, ...] = ()
    for depth, part in enumerate(path):
        node = get(document.data, above)
        if isinstance(node, dict) and part not in node and above[-2:-1] == ("blocks",):
            # A block has one key: giving it another makes it another block.
            document.put(above, {}, place)
        above = (*above, part if isinstance(node, dict) else _index(node, above, part))
        if depth == len(path) - 1:
            document.put(above, value, place)
        elif isinstance(node, dict) and node.get(part) is None:
            if path[depth + 1].isdecimal():
                name = ".".join(map(str, above))
                whole = "give model.preset or the whole list" if name == "model.blocks" else "give the whole list"
                raise UserError(f"this config has no list {name} with items to change; {whole}")
            document.put(above, {}, place)


def _index(node: Any, above: tuple[str | int, ...], part: str) -> int:
    """`part` as an index of the list `node` at the path `above`."""
    name = ".".join(map(str, above))
    if not isinstance(node, list):
        raise UserError(f"{name} is the value {node!r}, which has no key {part!r}")
    if not part.isdecimal():
        raise UserError(f"{name} is a list; a number from 0 to {len(node) - 1} is expected after it, not {part!r}")
    if int(part) >= len(node):
        have = f"the last is {len(node) - 1}" if node else "it is empty"
        raise UserError(f"{name} has no item {int(part)}; {have}")
    return int(part)
