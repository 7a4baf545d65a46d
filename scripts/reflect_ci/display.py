"""What people see while it runs: plain lines on a pipe, a live table on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from reflect_ci.model import Execution, Outcome


class Display:
    """Plain lines. progress's `now` is in epoch seconds, as the times of executions are."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], defuse: Callable[[str], str]) -> None:
        self.stream, self.environ, self.defuse = stream, environ, defuse

    def note(self, text: str) -> None:
        """Say something that is neither a warning nor an error."""

    def warn(self, text: str) -> None:
        """Say what may be wrong."""

    def error(self, text: str) -> None:
        """Say what is wrong and what to do."""

    def started(self, execution: Execution) -> None:
        """Say that an execution was started, with its id and link."""

    def progress(self, executions: Sequence[Execution], now: float) -> None:
        """Show how far the executions are; called often, prints what is due."""

    def ended(self, execution: Execution) -> None:
        """Say how an execution ended, with its failed tests."""

    def finished(self, outcome: Outcome, paths: Sequence[Path]) -> None:
        """Say the verdict, what to do, and where the reports are."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def make(stream: TextIO, environ: Mapping[str, str], defuse: Callable[[str], str]) -> Display:
    """Return the display that fits the stream."""
    return Display(stream, environ, defuse)
