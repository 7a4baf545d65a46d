"""One call from settings to exit code: prepares, runs the jobs, writes the reports, says the verdict."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from reflect_ci import __version__, exits, patience, reports, signals
from reflect_ci.api import Api
from reflect_ci.cancelling import DEADLINE as CANCEL_DEADLINE
from reflect_ci.cancelling import Cancellation
from reflect_ci.console import Console
from reflect_ci.exits import Exit
from reflect_ci.job import Job
from reflect_ci.model import Commit, Execution, Outcome
from reflect_ci.reports import executions as executions_file
from reflect_ci.scheduler import Scheduler, Turns
from reflect_ci.settings import Settings
from reflect_ci.transport import Transport


class Session:
    """Carries one call. executions are those that the call is about, in the order given."""

    def __init__(self, settings: Settings, console: Console, executions: Sequence[Execution]):
        self.settings = settings
        self.console = console
        self.executions = list(executions)
        self.commit: Optional[Commit] = None
        self._begun = time.time()
        self._mono = time.monotonic()
        self._told: set[int] = set()
        self._saving = threading.Lock()
        self._events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.transport = Transport(settings.key, patience.request_limit(settings.timeout), __version__)
        self.api = Api(self.transport, settings.api_url)
        self._scheduler: Optional[Scheduler] = None

    @property
    def deadline(self) -> float:
        """The end of the call's time, on the monotonic clock."""
        return self._mono + (CANCEL_DEADLINE if self.settings.command == "cancel" else self.settings.timeout)

    def save(self) -> None:
        """Write what was started so far; a failure is told and does not stop the run.

        One at a time: starts come from several threads, and an older list must not be written over a newer one.
        """
        with self._saving:
            self._save()

    def _save(self) -> None:
        try:
            executions_file.write([each for each in self.executions if each.id], self.settings.report_dir)
        except OSError as error:
            self.console.warn(
                f"executions.json could not be written to {self.settings.report_dir} ({error.strerror or error}); another step cannot pick the executions up."
            )

    def started(self, execution: Execution) -> None:
        """Save and print the id, before the first poll."""
        self.save()
        self.console.started(execution)

    def active(self) -> int:
        """How many executions are under way."""
        return self._scheduler.active if self._scheduler else 1

    def drive(self, jobs: Sequence[Turns], concurrency: int = 0) -> Optional[Exit]:
        """Run the jobs to their ends; return the Exit of a signal, None without one."""
        late = f"Not finished within {_length(self.settings.timeout)} (timeout)."
        self._scheduler = Scheduler(jobs, self.deadline, self._events, concurrency, self._tick, late)
        with signals.watched(self._events):
            stopped = self._scheduler.run()
            self._settle(jobs, stopped)
            self._tick()
        return stopped

    def _tick(self) -> None:
        for position, execution in enumerate(self.executions):
            if execution.exit and position not in self._told:
                self._told.add(position)
                self.console.ended(execution)
        self.console.progress(self.executions)

    def _settle(self, jobs: Sequence[Turns], stopped: Optional[Exit]) -> None:
        """No execution stays without an end, even when the service let the last requests hang."""
        for job in jobs:
            if isinstance(job, (Job, Cancellation)) and not job.execution.exit:
                job.execution.exit = stopped or exits.TIMED_OUT
                job.execution.reason = "Its end could not be learnt in time: look at its page and cancel it if it runs."
                job.execution.ended_at = time.time()

    def finish(self, exit_: Exit, message: str, write: bool = True) -> int:
        """Write the reports, say the verdict and return the exit code."""
        outcome = Outcome(
            command=self.settings.command,
            exit=exit_,
            message=message,
            executions=self.executions,
            started_at=self._begun,
            ended_at=time.time(),
            waited=self.settings.wait,
            ci=self.console.system.name,
            build_url=self.console.system.build_url,
            commit=self.commit,
            version=__version__,
        )
        paths: list[Path] = []
        if write:
            paths, problems = reports.write_all(outcome, self.settings.report_dir, self.console.redact)
            for problem in problems:
                self.console.warn(problem)
        if exit_.code:
            self.console.error(message)
        self.console.finished(outcome, paths)
        return exit_.code

    def conclude(self, stopped: Optional[Exit]) -> int:
        """Derive the call's exit from its executions and finish."""
        exit_ = stopped or exits.worst(each.exit for each in self.executions if each.exit)
        return self.finish(exit_, summary(exit_, self.executions))


def summary(exit_: Exit, executions: Sequence[Execution]) -> str:
    """Return the one sentence about the whole call."""
    if len(executions) == 1:
        only = executions[0]
        return (
            f"{only.name}: {only.reason}"
            if only.reason
            else f"{only.name}: all {len(only.tests)} tests passed."
            if len(only.tests) != 1
            else f"{only.name}: its test passed."
        )
    groups: dict[str, list[str]] = {}
    for each in executions:
        groups.setdefault(each.exit.word if each.exit else "unknown", []).append(each.name)
    good = (exits.PASSED.word, exits.STARTED.word)
    parts = [f"{len(names)} {word}" + ("" if word in good else f" ({_some(names)})") for word, names in groups.items()]
    return f"{len(executions)} suites: {', '.join(parts)}." if exit_ else ""


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _length(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return "".join(f"{value}{unit}" for value, unit in ((hours, "h"), (minutes, "m"), (rest, "s")) if value) or "0s"
