"""The JSON that the service answers with, in the shapes of its documentation and of newer clients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from reflect_ci.simulate.scenarios import Scenarios, Shape, Suite, TestRow

if TYPE_CHECKING:
    from reflect_ci.simulate.world import Started

JSON = dict[str, Any]

CREATED = 1_638_416_940  # of every suite and test, epoch seconds


def suites(scenarios: Scenarios) -> JSON:
    """GET /suites: `suites.data[].suiteId` with seconds, or the newer `suites[].slug` with milliseconds."""
    known = scenarios.suites.values()
    if scenarios.shape.suites == "wrapped":
        return {"suites": {"data": [{"name": one.name, "suiteId": one.id, "created": CREATED} for one in known]}}
    rows = [
        {"id": str(number), "accountId": 1, "name": one.name, "slug": one.id, "created": CREATED * 1000, "numTestInstances": len(one.tests)}
        for number, one in enumerate(known, 1)
    ]  # fmt: skip
    return {"suites": rows}


def tests(scenarios: Scenarios) -> JSON:
    """GET /tests: the only place where tests have names."""
    rows = [
        {"id": test.id, "name": test.name, "created": CREATED * 1000, "folders": ["all", suite.id]}
        for suite in scenarios.suites.values()
        for test in suite.tests
    ]
    return {"tests": rows}


def executions(suite: str, found: Iterable[Started], shape: Shape) -> JSON:
    """GET /suites/{suite}/executions, in the order given."""
    rows = [_head(one, shape) for one in found]
    return {"suiteId": suite, "executions": {"data": rows} if shape.executions == "wrapped" else rows}


def started(execution: Started, shape: Shape) -> JSON:
    """Return the answer to a start."""
    return {"suiteId": execution.suite, **_head(execution, shape)}


def canceled(execution: Started, shape: Shape) -> JSON:
    """Return the answer to a cancel."""
    head = _head(execution, shape)
    return {name: head[name] for name in ("executionId", "status", "isFinished")}


def status(execution: Started, suite: Suite, shape: Shape) -> JSON:
    """GET /suites/{suite}/executions/{id}: the request's overrides and commit come back, with the tests."""
    body = execution.body if isinstance(execution.body, dict) else {}
    echoed = {name: body[name] for name in ("overrides", "gitHub") if name in body}
    rows = [_row(execution, index, test, len(suite.tests), shape) for index, test in enumerate(suite.tests)]
    listed: Any = {"data": rows, "bookmark": suite.bookmark} if shape.tests == "object" else rows
    return {"suiteId": execution.suite, **echoed, **_head(execution, shape), "tests": listed}


def _head(execution: Started, shape: Shape) -> JSON:
    return {
        "executionId": _id(execution, shape),
        "url": execution.url,
        "isFinished": execution.finished,
        "status": shape.words.get(execution.status, execution.status),
    }


def _id(execution: Started, shape: Shape) -> Any:
    return int(execution.id) if shape.ids == "number" else execution.id


def _row(execution: Started, index: int, test: TestRow, total: int, shape: Shape) -> JSON:
    """Tests end one after another, evenly over the execution's time; an execution that was canceled ends them all."""
    end = execution.takes * (index + 1) / total
    word = test.status
    if execution.stopped_after is not None and (execution.never or end > execution.stopped_after):
        word = "canceled"
    elif not execution.finished and (execution.never or end > execution.age):
        word = "pending"
    begin = execution.created_ms + int(execution.takes * index / total * 1000)
    length = int(execution.takes / total * 1000)
    variables = execution.body.get("variables", {}) if isinstance(execution.body, dict) else {}
    runs = test.runs if word == test.status else ()
    row: JSON = {"instanceId": index, "testId": test.id, "startingUrl": test.url or f"https://shop.example/{test.id}"}
    if test.action:
        row["actionName"] = test.action
    row["status"] = shape.words.get(word, word)
    row["runs"] = [
        {
            **_run(execution, test, number, run, begin, length),
            "status": shape.words.get(run, run),
            "variables": variables,
        }
        for number, run in enumerate(runs, 1)
    ]
    return row


def _run(execution: Started, test: TestRow, number: int, word: str, begin: int, length: int) -> JSON:
    run_id = test.id * 100 + number
    run: JSON = {
        "runId": run_id, "browser": "Chrome", "startTime": begin,
        "endTime": begin + length, "runTime": length, "timestamp": begin + length + 50,
        "videoUrl": f"https://reflect-videos.s3.amazonaws.com/simulated/{execution.suite}-{execution.id}-{run_id}.mp4",
        "stepCount": 14,
    }  # fmt: skip
    if word != "passed":
        run["failedStepIndex"] = dict(test.failed_steps) or {"4": "Element Selection Failed"}
    return run
