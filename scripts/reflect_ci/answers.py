"""The service's JSON -> our types. Tolerant of the spellings in which the API is documented, strict about what is missing.

Each function returns None when the answer cannot be used; nothing raises on strange JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from reflect_ci.model import Run, Step, Test

_WORDS = {
    "passed": "passed", "succeeded": "passed", "success": "passed",
    "failed": "failed", "failure": "failed", "error": "failed",
    "canceled": "canceled", "cancelled": "canceled",
}  # fmt: skip
TERMINAL = ("passed", "failed", "canceled")


@dataclass
class Status:
    """An execution's state as the service tells it. more: the answer named further pages of tests."""

    finished: bool
    status: str
    id: str = ""
    url: str = ""
    tests: list[Test] = field(default_factory=list)
    more: bool = False
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass
class Suite:
    """A row of the suites list. created: epoch seconds, None when not told."""

    id: str
    name: str
    created: Optional[float] = None


def word(value: Any) -> str:
    """Return passed, failed, canceled, or what the service said in lower case."""
    text = str(value).strip().lower() if isinstance(value, str) else ""
    return _WORDS.get(text, text)


def identifier(value: Any) -> str:
    """Return an id as opaque text; '' when there is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return ""
    return str(value).strip()


def started(body: Any) -> Optional[tuple[str, str]]:
    """Return (id, url) of the answer to a start."""
    if not isinstance(body, dict):
        return None
    number = identifier(body.get("executionId"))
    return (number, _text(body.get("url"))) if number else None


def status(body: Any) -> Optional[Status]:
    """Return the state in the answer to a status request."""
    if not isinstance(body, dict):
        return None
    said = word(body.get("status"))
    finished = body.get("isFinished")
    if not isinstance(finished, bool):
        if not said:
            return None
        finished = said in TERMINAL
    tests, more = _tests(body.get("tests"))
    return Status(finished, said, identifier(body.get("executionId")), _text(body.get("url")), tests, more, body)


def executions(body: Any) -> Optional[list[Status]]:
    """Return the rows of the executions list."""
    rows = _rows(body, "executions")
    if rows is None:
        return None
    return [row for row in (status(each) for each in rows) if row and row.id]


def suites(body: Any) -> Optional[list[Suite]]:
    """Return the suites, from both documented shapes; created in seconds or milliseconds is told by its size."""
    rows = _rows(body, "suites")
    if rows is None:
        return None
    found = []
    for row in rows:
        handle = identifier(row.get("suiteId")) or identifier(row.get("slug")) if isinstance(row, dict) else ""
        if handle:
            created = _number(row.get("created"))
            found.append(
                Suite(handle, _text(row.get("name")), created / 1000 if created and created > 1e11 else created)
            )
    return found


def test_names(body: Any) -> dict[str, str]:
    """Return test id -> name; empty when the list cannot be used."""
    rows = _rows(body, "tests") or []
    return {
        identifier(row.get("id")): _text(row.get("name")) for row in rows if isinstance(row, dict) and row.get("name")
    }


def message(body: Any, text: str) -> str:
    """Return what the service said about an error, in one short line; '' when it said nothing for people."""
    said = body.get("message") if isinstance(body, dict) else None
    if not isinstance(said, str):
        said = "" if body is not None or text.lstrip().startswith("<") else text
    return " ".join(said.split())[:300]


def _rows(body: Any, name: str) -> Optional[list[Any]]:
    rows = body.get(name) if isinstance(body, dict) else None
    if isinstance(rows, dict):
        rows = rows.get("data")
    return rows if isinstance(rows, list) else None


def _tests(value: Any) -> tuple[list[Test], bool]:
    more = isinstance(value, dict) and bool(value.get("bookmark"))
    rows = value.get("data") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        return [], more
    return [_test(row, position) for position, row in enumerate(rows) if isinstance(row, dict)], more


def _test(row: dict[str, Any], position: int) -> Test:
    runs = row.get("runs")
    if not isinstance(runs, list):
        runs = [row["run"]] if isinstance(row.get("run"), dict) else []
    return Test(
        instance=identifier(row.get("instanceId")) or str(position),
        test_id=identifier(row.get("testId")),
        status=word(row.get("status")) or "pending",
        name=_text(row.get("name")),
        action=_text(row.get("actionName")),
        url=_text(row.get("startingUrl")),
        runs=[_run(run) for run in runs if isinstance(run, dict)],
    )


def _run(row: dict[str, Any]) -> Run:
    steps = row.get("failedStepIndex")
    steps = steps if isinstance(steps, dict) else {}
    count = _number(row.get("stepCount"))
    return Run(
        run_id=identifier(row.get("runId")),
        browser=_text(row.get("browser")),
        status=word(row.get("status")),
        run_time=_number(row.get("runTime")),
        start_time=_number(row.get("startTime")),
        video_url=_text(row.get("videoUrl")),
        step_count=None if count is None else int(count),
        failed_steps=[Step(str(index), _text(said) or "failed") for index, said in steps.items()],
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> Optional[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value or abs(value) > 1e15:
        return None
    return float(value)
