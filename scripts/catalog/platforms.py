"""platforms.yaml: one row a platform, saying how its files spell the inputs and where they stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reflect_ci.inputs import RUNNER, Input, for_command

SPELLINGS = ("kebab", "snake", "camel", "upper", "env")


def spelled(row: Input, spelling: str) -> str:
    """Return an input's name as a platform spells it; `env` is REFLECT_…, `upper` is the same without the prefix."""
    return {
        "kebab": row.name,
        "snake": row.snake,
        "camel": row.camel,
        "upper": row.snake.upper(),
        "env": row.env,
    }[spelling]


@dataclass(frozen=True)
class InputsFile:
    """A file (below the platform's folder) that declares inputs.

    read: where they stand, for catalog.readers. command: whose rows of the input table it must have. omit: rows that
    it leaves out, name to reason. add: names of its own, name to what they mean. runner: whether it has the input
    `runner` (steps that take an image have not).
    """

    path: str
    command: str
    read: dict[str, Any]
    omit: dict[str, str] = field(default_factory=dict)
    add: dict[str, str] = field(default_factory=dict)
    runner: bool = True

    def rows(self) -> list[Input]:
        """Return the rows of the input table that the file must have. The key comes in each platform's own way."""
        rows = [row for row in for_command(self.command) if not row.secret and row.name not in self.omit]
        return [*rows, RUNNER] if self.runner else rows


@dataclass(frozen=True)
class Platform:
    """A row of platforms.yaml. default_column False: the table in its README has no column of defaults."""

    name: str
    title: str
    spelling: str
    inputs: tuple[InputsFile, ...] = ()

    def spell(self, row: Input) -> str:
        """Return an input's name as this platform spells it."""
        return spelled(row, self.spelling)


def load_platforms(path: Path) -> dict[str, Platform]:
    """Read platforms.yaml; a row that is not understood is an error with its name."""
    table: dict[str, Platform] = {}
    for name, row in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).items():
        try:
            files = tuple(InputsFile(**entry) for entry in row.pop("inputs", []))
            platform = Platform(name=name, inputs=files, **row)
        except TypeError as error:
            raise ValueError(f"{path.name}: {name}: {error}") from None
        if platform.spelling not in SPELLINGS:
            raise ValueError(f"{path.name}: {name}: spelling is one of {', '.join(SPELLINGS)}")
        table[name] = platform
    return table
