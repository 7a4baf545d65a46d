"""A tree to be checked: the repository, or one of the examples, with the platforms that have a folder in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from catalog.platforms import Platform, load_platforms

ROOT = Path(__file__).resolve().parents[2]
GENERATED = {"node_modules", "dist", "build", ".git", ".venv", "__pycache__", ".cache"}


# libyaml's parser is ten times as quick as Python's; a PyYAML that was built without it lacks the name.
_Fast: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fast):  # type: ignore[misc, valid-type]  # chosen when this is run
    """Reads any platform's YAML: unknown tags (`!reference`) are read as what they stand on."""


def _any_tag(loader: _Loader, _suffix: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _any_tag)


@dataclass
class Tree:
    """The files below root. Platforms come from its own platforms.yaml (examples), else from the repository's."""

    root: Path
    _texts: dict[Path, str | None] = field(default_factory=dict)
    _documents: dict[Path, list[Any]] = field(default_factory=dict)

    @cached_property
    def platforms(self) -> dict[str, Platform]:
        """The platforms that have a folder here, by name."""
        own = self.root / "platforms.yaml"
        table = load_platforms(own if own.is_file() else ROOT / "scripts" / "catalog" / "platforms.yaml")
        return {name: row for name, row in table.items() if (self.root / "tasks" / name).is_dir()}

    def folder(self, platform: str) -> Path:
        """Return the platform's folder."""
        return self.root / "tasks" / platform

    def files(self, *folders: str, suffixes: tuple[str, ...] = ()) -> Iterator[Path]:
        """Yield the text files below the folders (default: tasks and .github), those with one of the suffixes."""
        for folder in folders or ("tasks", ".github"):
            for home, inner, names in os.walk(self.root / folder):
                inner[:] = sorted(set(inner) - GENERATED)  # not walked into: node_modules has very many files
                for name in sorted(names):
                    path = Path(home, name)
                    if name.endswith(suffixes or "") and path.is_file() and self.text(path) is not None:
                        yield path

    def text(self, path: Path) -> str | None:
        """Return a file's text, None for a binary file."""
        if path not in self._texts:
            try:
                self._texts[path] = path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                self._texts[path] = None
        return self._texts[path]

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield a file's lines with their numbers, from 1."""
        yield from enumerate((self.text(path) or "").splitlines(), 1)

    def documents(self, path: Path) -> list[Any]:
        """Return the documents of a YAML (or JSON) file; none when it does not parse (another rule says so).

        Rules share them: do not change them.
        """
        if path not in self._documents:
            try:
                self._documents[path] = list(yaml.load_all(self.text(path) or "", _Loader))
            except yaml.YAMLError:
                self._documents[path] = []
        return self._documents[path]


def nodes(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value inside with the nearest key above it, from the outside in."""
    yield key, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from nodes(inner, str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner, key)
