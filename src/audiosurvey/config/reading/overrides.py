"""`--set KEY=VALUE`: changing any key of a config from the command line.

In: a `Document` and words such as `train.lr=1e-3` or `model.blocks.3.res=[64, 64]`; the value is YAML. Out:
the document is changed in place and remembers which `--set` gave which key; what cannot be set joins its
faults.
"""

from typing import Any

from audiosurvey.config.reading.document import Document, get, read_value
from audiosurvey.errors import Fault, UserError


def override(document: Document, word: str) -> None:
    """Apply one `KEY=VALUE`. Missing sections on the way are made; a list must have the index named."""
    key, equals, text = word.partition("=")
    key = key.strip()
    place = key or word
    path = tuple(key.split("."))
    document.overrides.append(place)
    try:
        if not equals:
            raise UserError("expected KEY=VALUE, as in --set train.lr=1e-3")
        if not all(path):
            raise UserError("a name is empty; expected names with dots between, as in --set train.lr=1e-3")
        _put(document, path, read_value(text), place)
    except UserError as error:
        document.faults.append((place, Fault((), error.lines[0])))


def _put(document: Document, path: tuple[str, ...], value: Any, place: str) -> None:
    way: list[str | int] = []
    for depth, part in enumerate(path):
        node = get(document.data, tuple(way))
        way.append(_step(document, node, way, part, place))
        if depth == len(path) - 1:
            document.put(tuple(way), value, place)
        elif isinstance(node, dict) and node.get(part) is None:
            if path[depth + 1].isdecimal():
                raise UserError(_no_list(".".join(map(str, way))))
            document.put(tuple(way), {}, place)


def _no_list(name: str) -> str:
    whole = "give model.preset or the whole list" if name == "model.blocks" else "give the whole list"
    return f"this config has no {name} to change one of; {whole}"


def _step(document: Document, node: Any, way: list[str | int], part: str, place: str) -> str | int:
    """`part` as a key or an index of `node`, which `way` leads to."""
    name = ".".join(map(str, way))
    if isinstance(node, dict):
        if part not in node and way[-2:-1] == ["blocks"]:
            # A block has one key: giving it another makes it another block.
            document.put(tuple(way), {}, place)
        return part
    if not isinstance(node, list):
        raise UserError(f"{name} is the value {node!r}, which has no key {part!r}")
    if not part.isdecimal():
        raise UserError(f"{name} is a list; a number from 0 to {len(node) - 1} is expected after it, not {part!r}")
    if int(part) >= len(node):
        have = f"the last is {len(node) - 1}" if node else "it is empty"
        raise UserError(f"{name} has no item {int(part)}; {have}")
    return int(part)
