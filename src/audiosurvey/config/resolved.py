"""A checked config as YAML with every value, which reads back as the same config on any system."""

from pathlib import PurePath
from typing import Any

import yaml
from pydantic import BaseModel

from audiosurvey.config.reading.document import SCALARS, resolver


class _Dumper(yaml.SafeDumper):
    """Sections stand a key a line, lists of plain values and blocks on one line; nothing is an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_data(self, data: Any) -> yaml.Node:
        node = super().represent_data(data)
        if isinstance(node, yaml.SequenceNode):
            plain = all(isinstance(item, yaml.ScalarNode) for item in node.value)
            node.flow_style = plain
            for item in node.value:
                if isinstance(item, yaml.MappingNode) and len(item.value) == 1:
                    for _, value in item.value:
                        if isinstance(value, yaml.CollectionNode):
                            value.flow_style = True
        return node


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    # PyYAML leaves the rarer line ends as they are unless the text is in double quotes, and reads them as spaces.
    style = '"' if text.splitlines() not in ([], [text]) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)
# Text that our reader, unlike YAML 1.1, takes for a number must be quoted too.
for _kind in SCALARS:
    _Dumper.add_implicit_resolver(*resolver(_kind))


def resolved_yaml(config: BaseModel) -> str:
    """The YAML of `config`, every default included; paths have forward slashes."""
    return dump(plain(config))


def dump(data: Any) -> str:
    """Plain data as YAML in the form of the resolved config."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def plain(value: Any) -> Any:
    """A config, or any part of it, as dicts, lists and scalars."""
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value.as_posix() if isinstance(value, PurePath) else value
