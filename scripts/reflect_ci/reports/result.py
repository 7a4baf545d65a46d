"""result.json: everything that the call knows, for programs. Its schema is schemas/result.schema.json."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from math import isfinite
from typing import Any, Optional

from reflect_ci.model import Execution, Outcome, Run, Test
from reflect_ci.reports.text import STATUSES, counted, iso, safe_url, verdict, word

VERSION = 1


def render(outcome: Outcome) -> str:
    """Return the file's text."""
    return "".join(parts(outcome))


def parts(outcome: Outcome) -> Iterator[str]:
    """Return the file's text execution by execution: as a whole, a thousand of them would take much memory."""
    before, after = _dumped(_outcome(outcome)).rsplit('"executions": []', 1)
    yield before + '"executions": ['
    for number, execution in enumerate(outcome.executions):
        yield ("," if number else "") + "\n" + textwrap.indent(_dumped(_execution(execution)), "    ")
    yield ("\n  ]" if outcome.executions else "]") + after + "\n"


def _dumped(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False)


def _outcome(outcome: Outcome) -> dict[str, Any]:
    commit = outcome.commit
    return {
        "version": VERSION,
        "runner": outcome.version,
        "command": outcome.command,
        "verdict": verdict(outcome),
        "exitCode": outcome.exit.code,
        "message": outcome.message,
        "waited": outcome.waited,
        "startedAt": iso(outcome.started_at),
        "endedAt": iso(outcome.ended_at),
        "seconds": _rounded(max(0.0, outcome.ended_at - outcome.started_at)),
        "ci": {"name": outcome.ci, "buildUrl": safe_url(outcome.build_url)} if outcome.ci else None,
        "commit": {"owner": commit.owner, "repo": commit.repo, "sha": commit.sha} if commit else None,
        "counts": counted(outcome.executions),
        "executions": [],
    }


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "suite": execution.suite,
        "id": execution.id,
        "url": safe_url(execution.url),
        "verdict": word(execution),
        "status": execution.status,
        "reason": execution.reason,
        "adopted": execution.adopted,
        "startedAt": iso(execution.started_at),
        "seconds": _rounded(execution.seconds),
        "counts": counted([execution]),
        "tests": [_test(test) for test in execution.tests],
    }


def _test(test: Test) -> dict[str, Any]:
    return {
        "instance": test.instance,
        "testId": test.test_id,
        "name": test.title,
        "status": test.status if test.status in STATUSES else "pending",
        "url": safe_url(test.url),
        "runs": [_run(run) for run in test.runs],
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "runId": run.run_id,
        "browser": run.browser,
        "status": run.status,
        "startedAt": iso(None if run.start_time is None else run.start_time / 1000),
        "seconds": _rounded(None if run.run_time is None else run.run_time / 1000),
        "videoUrl": safe_url(run.video_url),
        "stepCount": run.step_count,
        "failedSteps": [{"index": step.index, "message": step.message} for step in run.failed_steps],
    }


def _rounded(seconds: Optional[float]) -> Optional[float]:
    # NaN and infinity are no JSON; the service's numbers may be anything.
    if seconds is None or not isfinite(seconds):
        return None
    return round(max(0.0, seconds), 3)
