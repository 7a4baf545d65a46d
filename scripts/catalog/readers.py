"""How inputs are read out of a platform's file: a small table of readers, named in platforms.yaml.

    read: {yaml: "spec.params[]"}             a list of mappings with `name` (and `default`)
    read: {yaml: "inputs.*"}                  a mapping, name to mapping (with `default`)
    read: {yaml: "spec.inputs.*", document: 0}
    read: {json: "inputs[]"}                  the same of a JSON file
    read: {yaml: "spec.arguments|json.properties.*"}   a text that holds JSON
    read: {regex: "(?m)^@param (\\\\w+)"}     group 1 is the name
    read: {environment: true}                 the file reads REFLECT_… variables, so it has them all

A reader returns the names with their defaults (None where the file gives none).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Names = dict[str, str | None]


def as_text(value: object) -> str | None:
    """Return a default as the input table writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    # An empty list (Azure's typed parameters) is as good as no default.
    return None if value is None or value == [] else str(value)


def _walk(value: Any, path: str) -> Names:
    for step in re.findall(r"\|json|\[\]|[^.\[|]+", path):
        if step == "|json":
            value = json.loads(value)
        elif step == "[]":
            return {str(item["name"]): as_text(item.get("default")) for item in value}
        elif step == "*":
            return {str(k): as_text(v.get("default")) if isinstance(v, dict) else None for k, v in value.items()}
        else:
            value = value[step]
    raise ValueError(f"the path {path} must end in [] or .*")


def _yaml(documents: list[Any], _text: str, read: dict[str, Any]) -> Names:
    return _walk(documents[int(read.get("document", 0))], read["yaml"])


def _json(_documents: list[Any], text: str, read: dict[str, Any]) -> Names:
    return _walk(json.loads(text), read["json"])


def _regex(_documents: list[Any], text: str, read: dict[str, Any]) -> Names:
    return {match[1]: None for match in re.finditer(read["regex"], text)}


READERS: dict[str, Callable[[list[Any], str, dict[str, Any]], Names]] = {
    "yaml": _yaml,
    "json": _json,
    "regex": _regex,
}


def read_inputs(documents: list[Any], text: str, read: dict[str, Any]) -> Names | None:
    """Return the inputs' names and defaults, None when the file takes them all from the environment.

    Raises ValueError when the file has none at the place.
    """
    if read.get("environment"):
        return None
    for name, reader in READERS.items():
        if name in read:
            try:
                return reader(documents, text, read)
            except (KeyError, IndexError, TypeError, AttributeError, json.JSONDecodeError) as error:
                raise ValueError(f"no inputs at {read[name]!r} ({type(error).__name__}: {error})") from None
    raise ValueError(f"no such reader: {', '.join(read)}; there are {', '.join(READERS)}, environment")
