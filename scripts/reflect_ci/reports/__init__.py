"""Reports of a call: junit.xml, result.json, summary.md, report.html and executions.json."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reflect_ci.model import Outcome


def write_all(outcome: Outcome, directory: Path, redact: Callable[[str], str]) -> tuple[list[Path], list[str]]:
    """Write every report; return the paths written and sentences about what could not be written. Never raises."""
    return [], []
