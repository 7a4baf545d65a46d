"""What people see while it runs: plain lines on a pipe, a live table below them on a terminal.

Plain lines carry no time of day, which every CI system adds, but the time elapsed. They are ASCII as long as the
names of suites and tests are.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Optional, TextIO

from reflect_ci.exits import PASSED, STARTED
from reflect_ci.model import Execution, Outcome
from reflect_ci.reports.text import duration, failures, green, plural, safe_url, tally, verdict, word

# Two systems end a step after ten minutes without output; people give up sooner.
QUIET = 50.0
# With many executions something changes all the time.
CHANGED = 5.0
NAMED = 3
FAILED_SHOWN = 20
REST_NAMED = 10


class Display:
    """Plain lines. progress's `now` is in epoch seconds, as the times of executions are."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], defuse: Callable[[str], str]) -> None:
        self.stream, self.environ, self.defuse = stream, environ, defuse
        # Re-entrant: a signal handler may speak while a line is being written.
        self.lock = threading.RLock()
        self._began: Optional[float] = None
        self._spoke = self._looked = 0.0
        self._seen: object = None
        self._said: set[str] = set()
        self._errors: set[str] = set()

    def note(self, text: str) -> None:
        """Say something that is neither a warning nor an error."""
        self.line(self.defuse(text))

    def warn(self, text: str) -> None:
        """Say what may be wrong."""
        self.line("WARNING  " + self.defuse(text))

    def error(self, text: str) -> None:
        """Say what is wrong and what to do, unless the lines above have just said it."""
        if text not in self._said | self._errors:
            self._errors.add(text)
            self.line("ERROR    " + self.defuse(text))

    def started(self, execution: Execution) -> None:
        """Say that an execution was started, with its id and link."""
        how = "  (found among the running ones, not started twice)" if execution.adopted else ""
        self.line(self.defuse(_joined("STARTED", execution.name, safe_url(execution.url))) + how)

    def progress(self, executions: Sequence[Execution], now: float) -> None:
        """Say how far the executions are, when something changed or nothing was said for a while."""
        with self.lock:
            if self._began is None:
                self._began = self._spoke = now
            elif now - self._looked < 1.0:
                return  # counting a thousand executions' tests has its price
            self._looked = now
            running = [execution for execution in executions if execution.exit is None]
            seen = [(execution.name, execution.status, tally(execution)) for execution in running]
            since = now - self._spoke
            # The first starts have lines of their own.
            changed = seen != self._seen and since >= CHANGED
            if not running or not (changed or since >= QUIET):
                return
            self._seen, self._spoke = seen, now
            self.line(self.defuse(self._how_far(executions, running, now)))

    def _how_far(self, executions: Sequence[Execution], running: list[Execution], now: float) -> str:
        states = [f"{execution.name} {self._state(execution)}" for execution in running[:NAMED]]
        if len(running) > NAMED:
            states.append(f"{len(running) - NAMED} more")
        done = f"{len(executions) - len(running)} of {len(executions)} finished; " if len(executions) > 1 else ""
        return f"RUNNING  {self.elapsed(executions, now):>6}  {done}{', '.join(states)}"

    def elapsed(self, executions: Sequence[Execution], now: float) -> str:
        """Return the time since the first start, or since the first call when none is known."""
        starts = [execution.started_at for execution in executions if execution.started_at is not None]
        return duration(max(0.0, now - min([*starts, self._began if self._began is not None else now])))

    @staticmethod
    def _state(execution: Execution) -> str:
        if not execution.id:
            return "waits to be started"
        if not execution.tests:
            return execution.status or "started"
        done = sum(test.status != "pending" for test in execution.tests)
        return f"{execution.status or 'pending'} ({done} of {plural(len(execution.tests), 'test')} done)"

    def ended(self, execution: Execution) -> None:
        """Say how an execution ended, with its failed tests."""
        name = word(execution).upper()
        took = f"in {duration(execution.seconds)}" if execution.seconds is not None else ""
        text = _joined(name, execution.name, tally(execution), took, safe_url(execution.url))
        reason = execution.reason if execution.exit is not PASSED or not execution.tests else ""
        with self.lock:
            self._said.add(f"{execution.name}: {execution.reason}")
            if execution.exit is STARTED:
                return  # its start has been told
            self.line(self.paint(self.defuse(text), name))
            if reason:
                self.line("         " + self.defuse(reason))
            failed = list(failures([execution]))
            for _, test, why in failed[:FAILED_SHOWN]:
                self.line("         - " + self.defuse(f"{test.title}: {why}"))
            if len(failed) > FAILED_SHOWN:
                self.line(f"         and {len(failed) - FAILED_SHOWN} more failed tests: see the reports.")

    def finished(self, outcome: Outcome, paths: Sequence[Path]) -> None:
        """Say the verdict, what to do, and where the reports are."""
        name = verdict(outcome).upper()
        passed = sum(execution.exit is PASSED for execution in outcome.executions)
        total = len(outcome.executions)
        with self.lock:
            if total > REST_NAMED and outcome.waited:
                self._rest(outcome)
            if paths:
                names = ", ".join(path.name for path in paths)
                self.line(f"REPORTS  {self.defuse(str(paths[0].parent))}: {self.defuse(names)}")
            counts = f"({passed} of {total} executions passed)" if total > 1 and outcome.waited else ""
            message = "" if outcome.message in self._errors else outcome.message
            if message in self._said and outcome.exit is not STARTED:
                message = outcome.executions[0].name  # the sentence stands just above
            took = f"after {duration(outcome.ended_at - outcome.started_at)}"
            text = _joined(name, message, counts, took, f"exit code {outcome.exit.code}")
            self.line(self.paint(self.defuse(text), name))

    def _rest(self, outcome: Outcome) -> None:
        """Name again what did not pass: with many executions their lines are far above."""
        rest = [execution for execution in outcome.executions if not green(execution)]
        for execution in rest[:REST_NAMED]:
            self.line(self.defuse(_joined("NOT OK", execution.name, word(execution), safe_url(execution.url))))
        if len(rest) > REST_NAMED:
            self.line(f"NOT OK   and {len(rest) - REST_NAMED} more: see the reports.")

    def close(self) -> None:
        """Leave the terminal as it was."""
        with self.lock, contextlib.suppress(OSError, ValueError):
            self.stream.flush()

    def paint(self, text: str, name: str) -> str:
        """Return the line in the colour of its verdict; a pipe has none."""
        del name
        return text

    def line(self, text: str) -> None:
        """Write one line. A stream that is gone must not take the verdict with it."""
        with self.lock:
            self.write(text + "\n")

    def write(self, text: str) -> None:
        """Write text and flush it."""
        try:
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                encoding = self.stream.encoding or "ascii"
                self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError):
            # From here on to nowhere; the exit code and the reports still say it.
            self.stream = _nowhere()


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123 - stays open as long as the process


def _joined(name: str, *parts: str) -> str:
    return "  ".join([f"{name:<7}", *(part for part in parts if part)])


def make(stream: TextIO, environ: Mapping[str, str], defuse: Callable[[str], str]) -> Display:
    """Return the display that fits the stream: a live table on a terminal that can move its cursor, else lines."""
    try:
        # Some CI systems give a step a terminal (CircleCI, act): their logs still want lines.
        terminal = stream.isatty() and environ.get("TERM", "") != "dumb" and not environ.get("CI")
    except (ValueError, AttributeError):
        terminal = False
    if terminal and os.name == "nt":
        # Older Windows consoles show escape sequences as they are.
        terminal = any(environ.get(name) for name in ("WT_SESSION", "ANSICON", "TERM"))
    if not terminal:
        return Display(stream, environ, defuse)
    from reflect_ci.display_live import Live

    return Live(stream, environ, defuse)
