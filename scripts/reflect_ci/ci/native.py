"""What every system's output has in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from reflect_ci.ci.systems import System
from reflect_ci.model import Outcome
from reflect_ci.reports.text import defuse, one_line, redacted


class Native:
    """The output of a system; this base class is one without its own.

    write takes one line without its end. It must pass the line on as it is: a mask names the secret.
    """

    def __init__(self, system: System, environ: Mapping[str, str], write: Callable[[str], None]) -> None:
        self.system, self.environ, self.write = system, environ, write
        self._masked: set[str] = set()

    def mask(self, secret: str) -> None:
        """Have the system hide this value in its log, where it has a command for that.

        Line by line, as logs are compared; each once, because the second time it is hidden already.
        """
        for line in filter(None, (line.strip() for line in secret.splitlines())):
            if line not in self._masked:
                self._masked.add(line)
                self.mask_line(line)

    def mask_line(self, line: str) -> None:
        """Do what `mask` says for one line; systems fill this in."""

    def group(self, title: str) -> None:
        """Begin a part of the log that can be folded."""

    def end_group(self) -> None:
        """End the part begun last."""

    def defuse(self, line: str) -> str:
        """Return text of the service so that it can neither form a command of a CI system nor steer a terminal."""
        return defuse(line)

    def problem(self, text: str) -> None:
        """Show an error where the system shows errors."""

    def warning(self, text: str) -> None:
        """Show a warning where the system shows warnings."""

    def finished(self, outcome: Outcome, paths: list[Path], redact: Callable[[str], str]) -> None:
        """Hand over outputs, summary and reports. Never raises: what cannot be written is warned of."""
        clean = redacted(outcome, redact)
        # A report is absolute, because a system reads it from a folder of its own choice.
        self.hand_over(clean, [path if path.is_absolute() else Path.cwd() / path for path in paths])

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Do what `finished` says, with an outcome that is already redacted; systems fill this in."""

    def append(self, path: str, text: str, what: str) -> bool:
        """Append to one of the system's files; what cannot be written is warned of."""
        return self._put(path, text, what, "a")

    def put(self, path: str, text: str, what: str) -> bool:
        """Write one of the system's files anew."""
        return self._put(path, text, what, "w")

    def _put(self, path: str, text: str, what: str, mode: str) -> bool:
        try:
            # newline="\n": these formats are read by Linux programs, whatever the agent runs on.
            with open(path, mode, encoding="utf-8", newline="\n", errors="replace") as file:  # noqa: PTH123 - mode is a parameter
                file.write(text)
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else type(error).__name__
            sentence = f"Could not write {what} to {one_line(str(path))}: {reason}. The verdict stands."
            self.write(f"WARNING {defuse(sentence)}")
            self.warning(sentence)
            return False
        return True


def report(paths: list[Path], name: str) -> str:
    """Return the path of the report with this file name, '' when it was not written."""
    return next((str(path) for path in paths if path.name == name), "")


def report_dir(paths: list[Path]) -> str:
    """Return the folder of the reports, '' when none was written."""
    return str(paths[0].parent) if paths else ""
