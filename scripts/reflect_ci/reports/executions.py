"""executions.json: what was started, so that another step can pick it up or cancel it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reflect_ci.model import Execution
from reflect_ci.reports import atomic
from reflect_ci.reports.text import iso

NAME = "executions.json"
VERSION = 1


def render(executions: Sequence[Execution]) -> str:
    """Return the file's text: the executions that have an id."""
    rows = [
        {
            "suite": execution.suite,
            "id": execution.id,
            "url": execution.url,
            "startedAt": iso(execution.started_at),
        }
        for execution in executions
        if execution.id
    ]
    return json.dumps({"version": VERSION, "executions": rows}, indent=2) + "\n"


def write(executions: Sequence[Execution], directory: Path) -> None:
    """Write executions.json into the directory, atomically. Raises OSError."""
    atomic.write(directory / NAME, render(executions))


def read(path: Path) -> list[tuple[str, str, str]]:
    """Return (suite, id, url) of each execution in the file; ValueError says what is wrong and what to write.

    Of a folder, those of every executions.json below it: jobs that share a volume leave one each.
    """
    if path.is_dir():
        return [row for file in sorted(path.rglob(NAME)) for row in read(file)]
    advice = f"Name the {NAME} that `reflect-ci run` wrote into its report-dir."
    try:
        # utf-8-sig: an editor on Windows may have put a mark before the text.
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {atomic.reason(error)}. {advice}") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON. {advice}") from None
    rows = data.get("executions") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise ValueError(f'{path} has no list "executions". {advice}')
    if data.get("version") != VERSION:
        raise ValueError(
            f'{path} says "version": {data.get("version")!r}, this runner reads version {VERSION}. {advice}'
        )
    return [_row(row, number, path) for number, row in enumerate(rows, start=1)]


def _row(row: Any, number: int, path: Path) -> tuple[str, str, str]:
    fields = row if isinstance(row, dict) else {}
    suite, identifier, url = fields.get("suite"), fields.get("id"), fields.get("url", "")
    for name, value in (("suite", suite), ("id", identifier)):
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f'{path}: execution {number} has no "{name}". Write it as text, like "{name}": "47".')
    if not isinstance(url, str):
        raise ValueError(f'{path}: the "url" of execution {number} is no text. Write "" when it is not known.')
    return str(suite), str(identifier), url
