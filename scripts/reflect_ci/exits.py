"""The one table of exit codes: code, word in reports, meaning. README, --help and the schemas are held against it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Exit:
    """One way for a call to end."""

    code: int
    word: str
    meaning: str


PASSED = Exit(0, "passed", "every execution passed")
FAILED = Exit(1, "failed", "tests failed")
USAGE = Exit(2, "usage", "wrong arguments, missing key, unexpanded placeholder, unreadable file; nothing was called")
AUTH = Exit(3, "auth", "the key was refused (401 or 403)")
NOT_FOUND = Exit(4, "not-found", "no such suite or execution")
SERVICE = Exit(
    5, "service", "the service refused the request (400, 409 …), or gave no usable answer within the error budget"
)
TIMED_OUT = Exit(6, "timed-out", "not finished at the deadline")
CANCELED = Exit(7, "canceled", "canceled on the service's side")
EMPTY = Exit(8, "empty", "finished, but nothing ran (unless --allow-empty)")
UNKNOWN_START = Exit(9, "unknown-start", "an execution may or may not have started; the start was not repeated")
INTERRUPTED = Exit(130, "interrupted", "stopped by SIGINT (Ctrl-C)")
TERMINATED = Exit(143, "interrupted", "stopped by SIGTERM (the job was cancelled)")

# Two more ways to end with 0, which are not "passed": outputs and reports must not claim a verdict that was not waited for.
STARTED = Exit(0, "started", "started and not waited for (--wait false)")
SKIPPED = Exit(0, "skipped", "not run for want of a key (--missing-key skip)")

EXITS = (
    PASSED, FAILED, USAGE, AUTH, NOT_FOUND, SERVICE, TIMED_OUT, CANCELED, EMPTY, UNKNOWN_START, INTERRUPTED, TERMINATED,
)  # fmt: skip

# With several suites the worst wins, in this order.
WORST_FIRST = (UNKNOWN_START, SERVICE, AUTH, NOT_FOUND, TIMED_OUT, CANCELED, EMPTY, FAILED, STARTED, PASSED)


def worst(exits: Iterable[Exit]) -> Exit:
    """Return the exit that a whole call takes, given one for each of its executions (at least one)."""
    return min(exits, key=WORST_FIRST.index)
