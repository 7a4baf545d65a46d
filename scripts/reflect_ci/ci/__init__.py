"""The CI system that the runner finds itself in: detection, and that system's own output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from reflect_ci.model import Commit, Outcome


@dataclass(frozen=True)
class System:
    """What the environment says about the CI system; name is '' outside of any."""

    name: str = ""
    title: str = ""
    build_url: str = ""
    branch: str = ""
    commit: Optional[Commit] = None
    pull_request: str = ""
    sha: str = ""


class Native:
    """The system's own output; this base class is a system without one. write takes one line without its end."""

    def __init__(self, system: System, environ: Mapping[str, str], write: Callable[[str], None]) -> None:
        self.system, self.environ, self.write = system, environ, write

    def mask(self, secret: str) -> None:
        """Have the system hide this value in its log."""

    def group(self, title: str) -> None:
        """Begin a collapsible part of the log."""

    def end_group(self) -> None:
        """End the part begun last."""

    def defuse(self, line: str) -> str:
        """Return text of the service so that it cannot form a command of a CI system or steer a terminal."""
        return line

    def problem(self, text: str) -> None:
        """Show an error where the system shows errors."""

    def warning(self, text: str) -> None:
        """Show a warning where the system shows warnings."""

    def finished(self, outcome: Outcome, paths: list[Path], redact: Callable[[str], str]) -> None:
        """Hand over outputs, summary and reports."""


def detect(environ: Mapping[str, str]) -> System:
    """Return the CI system that these variables belong to."""
    return System()


def native(system: System, environ: Mapping[str, str], write: Callable[[str], None]) -> Native:
    """Return the output of this system."""
    return Native(system, environ, write)


def outputs(outcome: Outcome, report_dir: str = "") -> dict[str, str]:
    """Return the outputs of a step by name."""
    return {}
