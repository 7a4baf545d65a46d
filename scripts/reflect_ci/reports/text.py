"""Words, numbers and links as every report, output and display shows them, and text of others made harmless."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from math import isfinite
from typing import Any, Optional
from urllib.parse import quote, urlsplit

from reflect_ci.exits import EMPTY, PASSED, Exit
from reflect_ci.model import Execution, Outcome, Run, Test

STATUSES = ("passed", "failed", "canceled", "pending")

# Escape sequences as a whole, so that no `[31m` is left of them.
_SEQUENCES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_])?|\x9b[0-?]*[ -/]*[@-~]")
# Control characters, halves of surrogates, what XML forbids, and the marks that reverse the reading direction.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
_SPACES = re.compile(r"\s+")
_BREAKS = re.compile(r"[^\S ]+")
# What begins a command: Azure, TeamCity and old GitHub anywhere in a line, GitLab and Travis by a word, the others at
# the beginning of a line.
_HASHES = re.compile(r"##(?=(?:vso|teamcity)?\[)", re.IGNORECASE)
_WORDS = re.compile(r"(section_(?:start|end)|travis_(?:fold|time)):", re.IGNORECASE)
_COLONS = re.compile(r"^(\s*):(?=:)")
_GROUPS = re.compile(r"^(?=(?:---|\+\+\+|~~~|\^\^\^)(?:\s|$))")


def clean(text: str) -> str:
    """Return the text without what steers a terminal, reverses the reading direction or is forbidden in XML."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _FORBIDDEN.sub("", _SEQUENCES.sub("", text)) if _FORBIDDEN.search(text) else text


def one_line(text: str) -> str:
    """Return the cleaned text on one line."""
    return _SPACES.sub(" ", clean(text)).strip()


def defuse(text: str) -> str:
    """Return the text on one line, so that it forms no command of any CI system.

    All systems' commands, not only those of the system at hand: logs are passed on from one to another.
    """
    text = _BREAKS.sub(" ", clean(text)).rstrip()
    text = _HASHES.sub("# #", text)
    text = _WORDS.sub(r"\1 :", text)
    text = _COLONS.sub(r"\1: ", text)
    return _GROUPS.sub(" ", text)


def redacted(outcome: Outcome, redact: Callable[[str], str]) -> Outcome:
    """Return a copy in which every text is cleaned and then redacted, in this order: cleaning could join a key's parts."""
    copied: Outcome = _walk(outcome, lambda text: redact(clean(text)))
    return copied


def _walk(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_walk(item, change) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, Exit)):
        return type(value)(**{f.name: _walk(getattr(value, f.name), change) for f in dataclasses.fields(value)})
    return value


def safe_url(url: str) -> str:
    """Return the address when it is http or https, with everything escaped that is not part of an address, else ''."""
    url = url.strip()
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() not in ("http", "https") or not parts.hostname or parts.username is not None:
            return ""
    except ValueError:
        return ""
    return quote(url, safe=":/?#[]@!&*+,=-._~%")


def verdict(outcome: Outcome) -> str:
    """Return the word for the whole call; exit code 0 is not always `passed`."""
    if outcome.exit is not PASSED:
        return outcome.exit.word
    if outcome.command not in ("run", "wait"):
        return "done"
    if not outcome.executions:
        return "skipped"
    return "passed" if outcome.waited else "started"


def green(execution: Execution) -> bool:
    """Tell whether the execution gives the build nothing to complain of: passed, or started as asked."""
    return execution.exit is not None and execution.exit.code == 0


def word(execution: Execution) -> str:
    """Return the word for one execution."""
    if execution.exit is PASSED and not execution.status and not execution.tests:
        return "done"  # it was canceled as asked, which is not the suite's verdict
    if execution.exit is not None:
        return execution.exit.word
    return "unfinished" if execution.id else "not-started"


def counted(executions: Iterable[Execution]) -> dict[str, int]:
    """Return how many tests there are, in total and by status."""
    counts = dict.fromkeys(("total", *STATUSES), 0)
    for execution in executions:
        for test in execution.tests:
            counts["total"] += 1
            counts[test.status if test.status in STATUSES else "pending"] += 1
    return counts


def tally(execution: Execution) -> str:
    """Return the counts of an execution's tests as people read them; '' when they are not known."""
    counts = counted([execution])
    total = counts["total"]
    if not total:
        # Only a finished execution is known to have none.
        finished = execution.exit is EMPTY or (execution.exit is PASSED and execution.status)
        return "no tests" if finished else ""
    if counts["passed"] == total:
        return f"{total} passed"
    words = {"failed": "failed", "canceled": "canceled", "pending": "unfinished", "passed": "passed"}
    return ", ".join(f"{counts[status]} {word}" for status, word in words.items() if counts[status])


def duration(seconds: Optional[float]) -> str:
    """Return 0.4s, 45s, 1m05s or 1h02m; '' when not known."""
    if seconds is None or not isfinite(seconds):
        return ""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def iso(seconds: Optional[float]) -> Optional[str]:
    """Return epoch seconds as ISO 8601 in UTC with milliseconds; None when not known or no time at all."""
    if seconds is None:
        return None
    try:
        moment = datetime.fromtimestamp(seconds, tz=timezone.utc)
    except (OverflowError, OSError, ValueError):
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def failed_runs(test: Test) -> list[Run]:
    """Return the attempts that say why the test failed: of each browser the last failed one."""
    last: dict[str, Run] = {}
    for run in test.runs:
        if run.failed_steps or run.status == "failed":
            last[run.browser] = run
    return list(last.values())


def why(test: Test) -> str:
    """Return the failed steps of a test with the service's messages, in one sentence."""
    runs = failed_runs(test)
    parts = []
    for run in runs:
        prefix = f"{run.browser}: " if len(runs) > 1 and run.browser else ""
        parts += [f"{prefix}step {step.index}: {step.message or 'failed'}" for step in run.failed_steps]
    return "; ".join(parts) or "failed, and the service names no step"


def failures(executions: Iterable[Execution]) -> Iterator[tuple[Execution, Test, str]]:
    """Yield each failed test with its execution and the sentence that says why."""
    for execution in executions:
        for test in execution.tests:
            if test.status == "failed":
                yield execution, test, why(test)


def worst_first(executions: Iterable[Execution]) -> list[Execution]:
    """Return the executions, those that are not green first, else in their order."""
    return sorted(executions, key=green)


def plural(count: int, noun: str) -> str:
    """Return `1 test` or `3 tests`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def sentence(outcome: Outcome) -> str:
    """Return the verdict with its numbers on one line."""
    text = verdict(outcome)
    if not outcome.executions:
        return text
    passed = sum(execution.exit is PASSED for execution in outcome.executions)
    total = len(outcome.executions)
    if not outcome.waited:
        return f"{text}: {plural(total, 'execution')}, not waited for"
    counts = counted(outcome.executions)
    tests = f"{counts['passed']} of {plural(counts['total'], 'test')}"
    return f"{text}: {passed} of {plural(total, 'execution')} and {tests} passed in {duration(outcome.ended_at - outcome.started_at)}"
