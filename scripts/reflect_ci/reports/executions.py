"""executions.json: what was started, so that another step can pick it up or cancel it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from reflect_ci.model import Execution


def write(executions: Sequence[Execution], directory: Path) -> None:
    """Write executions.json into the directory, atomically."""


def read(path: Path) -> list[tuple[str, str, str]]:
    """Return (suite, id, url) of each execution in the file; ValueError says what is wrong and what to write."""
    return []
