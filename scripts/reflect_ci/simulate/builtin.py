"""The built-in suites, in the format of a scenario file: each id says what the suite does."""

from __future__ import annotations

from typing import Any

_ALWAYS = {"times": "always"}
# A key is refused by every answer of the suite.
_NO_KEY = [{"status": 401, "message": "Unauthorized", **_ALWAYS}]
_NO_RIGHT = [{"status": 403, "message": "Forbidden", **_ALWAYS}]


def _start(**answer: Any) -> dict[str, Any]:
    return {"faults": {"start": [{**_ALWAYS, **answer}]}}


def _poll(**answer: Any) -> dict[str, Any]:
    # It never ends by itself, so that a run which nobody canceled stays visible.
    return {"status": "never", "faults": {"poll": [{**_ALWAYS, **answer}]}}


def _cancel(**answer: Any) -> dict[str, Any]:
    return {"status": "never", "faults": {"cancel": [{**_ALWAYS, **answer}]}}


SUITES: dict[str, dict[str, Any]] = {
    "passes": {},
    "fails": {"status": "failed"},
    "canceled": {"status": "canceled"},
    "empty": {"tests": 0},
    "never-ends": {"status": "never"},
    "takes-2": {"takes": 2},
    "takes-12": {"takes": 12},
    "mixed": {
        "tests": [
            {"name": "Sign in"},
            {"name": "Check out", "status": "failed", "failed-steps": {"4": "Visual Observe Failed - image difference exceeds limit"}},
        ]
    },
    "retried": {"tests": [{"name": "Sign in"}, {"name": "Check out", "runs": ["failed", "passed"]}]},
    "many": {"tests": 40},
    "throttled": {"faults": {"start": [{"status": 429, "retry-after": 1, "message": "Too Many Requests"}]}},
    "throttled-poll": {"faults": {"poll": [{"status": 429, "retry-after": 1, "message": "Too Many Requests"}]}},
    "unavailable-poll": {"faults": {"poll": [{"status": 503, "times": 2}]}},
    "broken-poll": _poll(status=500),
    "bad-request": _start(status=400, message="The request is not valid."),
    "conflict": _start(status=409, message="The suite cannot be executed at the moment."),
    "start-500": _start(status=500),
    "start-503-created": _start(status=503, created=True),
    "start-slow": {"faults": {"start": [{"delay": 2, **_ALWAYS}]}},
    "cut-before": _start(answer="cut"),
    "cut-after": _start(answer="cut", created=True),
    "start-html": _start(answer="html"),
    "start-empty": _start(answer="empty", created=True),
    "start-truncated": _start(answer="truncated", created=True),
    "start-hang": _start(answer="hang"),
    "start-drip": _start(answer="drip", created=True),
    "start-redirect": _start(answer="redirect"),
    "poll-html": _poll(answer="html"),
    "poll-empty": _poll(answer="empty"),
    "poll-truncated": _poll(answer="truncated"),
    "poll-cut": _poll(answer="cut"),
    "poll-hang": _poll(answer="hang"),
    "poll-redirect": _poll(answer="redirect"),
    "poll-404": _poll(status=404, message="Execution not found."),
    "late": {"faults": {"poll": [{"status": 404, "times": 2, "message": "Execution not found."}]}},
    "unauthorized": {"faults": {"start": _NO_KEY, "poll": _NO_KEY, "cancel": _NO_KEY, "list": _NO_KEY}},
    "forbidden": {"faults": {"start": _NO_RIGHT, "poll": _NO_RIGHT, "cancel": _NO_RIGHT, "list": _NO_RIGHT}},
    "echo-key": _start(status=400, message="The key {key} may not execute this suite."),
    "cancel-500": _cancel(status=500),
    "cancel-hang": _cancel(answer="hang"),
    "cancel-404": _cancel(status=404, message="Execution not found."),
    # It ended by itself a moment before the cancel came.
    "cancel-409": _cancel(status=409, message="The execution has already finished.", then="passed"),
}  # fmt: skip

REFUSED_KEY = "wrong-key"
