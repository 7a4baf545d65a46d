"""The answers are held against the documented ones, written down here with values of our own."""

from __future__ import annotations

from typing import Any

import pytest

SUITES = {"suites": {"data": [{"name": "Smoke tests", "suiteId": "smoke-tests", "created": 1638416940}]}}
# What newer clients read.
NEWER_SUITES = {
    "suites": [{"id": "12", "accountId": 3, "name": "Smoke tests", "slug": "smoke-tests", "created": 1719400000000, "numTestInstances": 4}]
}  # fmt: skip
EXECUTIONS = {
    "suiteId": "smoke-tests",
    "executions": {"data": [{"executionId": 8, "url": "https://app.reflect.run/suites/smoke-tests/executions/8", "isFinished": False, "status": "pending"}]},
}  # fmt: skip
STARTED = {"suiteId": "smoke-tests", "executionId": 8, "url": "https://app.reflect.run/…", "isFinished": False, "status": "pending"}  # fmt: skip
TESTS = {"tests": [{"id": 41, "name": "Sign in", "created": 1570546969108, "folders": ["all", "smoke-tests"]}]}
RUN = {
    "runId": 91, "browser": "Chrome", "status": "passed", "variables": {"COLOUR": "green"}, "startTime": 1643734963077,
    "endTime": 1643734979203, "runTime": 16126, "timestamp": 1643734979647, "videoUrl": "https://…/a.mp4", "stepCount": 14,
}  # fmt: skip
ROW = {"instanceId": 1, "testId": 41, "startingUrl": "https://shop.example/", "status": "passed", "runs": [RUN]}
FAILED_ROW = {
    **ROW,
    "runs": [{**RUN, "failedStepIndex": {"4": "Visual Observe Failed", "5": "Element Selection Failed"}}],
}
ACTION_ROW = {**ROW, "actionName": "run-tests-1"}
STATUS = {
    "suiteId": "smoke-tests", "executionId": 8, "url": "https://app.reflect.run/…", "isFinished": True, "status": "failed",
    "overrides": {"hostnames": [{"original": "www.shop.example", "replacement": "staging.shop.example"}]},
    "gitHub": {"owner": "shop", "repo": "web", "sha": "0f42"},
    "tests": {"data": [ACTION_ROW, ROW, FAILED_ROW], "bookmark": ""},
}  # fmt: skip
CANCELED = {"executionId": 8, "status": "canceled", "isFinished": True}
ERROR = {"message": "Not Found", "errorId": "17"}

SUITE = {
    "suites": {
        "smoke-tests": {
            "name": "Smoke tests",
            "takes": 0.1,
            "status": "failed",
            "tests": [
                {"name": "Sign in", "action": "run-tests-1"},
                {"name": "Search"},
                {"name": "Pay", "status": "failed", "failed-steps": {"4": "Visual Observe Failed", "5": "Element Selection Failed"}},
            ],
        }
    },
    "built-in": False,
}  # fmt: skip
PATH = "/suites/smoke-tests/executions"
REQUEST: dict[str, Any] = {
    "overrides": {"hostnames": [{"original": "www.shop.example", "replacement": "staging.shop.example"}]},
    "gitHub": {"owner": "shop", "repo": "web", "sha": "0f42"},
    "variables": {"COLOUR": "blue"},
}


def form(value: Any) -> Any:
    """Return what a value is made of: the members with their types, without the values."""
    if isinstance(value, dict):
        return {name: form(item) for name, item in value.items()}
    if isinstance(value, list):
        return [form(item) for item in value]
    return type(value).__name__


def test_lists(serve: Any) -> None:
    """The lists of suites, tests and executions have the documented members."""
    client = serve(SUITE)
    client.start("smoke-tests")
    assert form(client.json("GET", "/suites")) == form(SUITES)
    tests = client.json("GET", "/tests")["tests"]
    assert [form({"tests": [test]}) for test in tests] == [form(TESTS)] * 3
    assert [test["name"] for test in tests] == ["Sign in", "Search", "Pay"]
    assert form(client.json("GET", PATH)) == form(EXECUTIONS)


def test_newer_list_of_suites(serve: Any) -> None:
    """The newer shape has slugs, and milliseconds where the documented one has seconds."""
    client = serve({**SUITE, "shape": {"suites": "flat"}})
    newer = client.json("GET", "/suites")
    assert form(newer) == form(NEWER_SUITES)
    assert newer["suites"][0]["created"] == 1000 * serve(SUITE).json("GET", "/suites")["suites"]["data"][0]["created"]


def test_start_status_cancel(serve: Any) -> None:
    """A start, the status at its end and a cancel have the documented members; what was sent comes back."""
    client = serve(SUITE)
    assert form(client.start("smoke-tests", REQUEST)) == form(STARTED)
    status = client.ended("smoke-tests")
    assert form(status) == form(STATUS)
    assert (status["overrides"], status["gitHub"]) == (REQUEST["overrides"], REQUEST["gitHub"])
    assert status["tests"]["data"][2]["runs"][0]["failedStepIndex"]["4"] == "Visual Observe Failed"
    assert "name" not in status["tests"]["data"][0]
    slow = serve({"suites": {"smoke-tests": {"takes": 1000}}})
    slow.start("smoke-tests")
    assert form(slow.json("PATCH", f"{PATH}/1/cancel")) == form(CANCELED)


def test_times_are_in_order(serve: Any) -> None:
    """The runs of an execution follow one another, each as long as it says."""
    client = serve(SUITE)
    client.start("smoke-tests")
    runs = [row["runs"][0] for row in client.ended("smoke-tests")["tests"]["data"]]
    for run in runs:
        assert run["startTime"] + run["runTime"] == run["endTime"] < run["timestamp"]
    assert [run["startTime"] for run in runs] == sorted(run["startTime"] for run in runs)


def test_errors(serve: Any) -> None:
    """Every error is an object with a message and an id."""
    client = serve(SUITE)
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("POST", "/suites/other/executions", 404),
        ("GET", f"{PATH}/9", 404),
        ("PATCH", f"{PATH}/9/cancel", 404),
        ("DELETE", "/suites", 404),
    ):
        answer = client.send(method, path)
        assert (answer.status_code, form(answer.json())) == (status, form(ERROR)), path


def test_cancel_of_a_finished_execution(serve: Any) -> None:
    """What has ended cannot be canceled: 409, and it stays what it was."""
    client = serve(SUITE)
    client.start("smoke-tests")
    client.ended("smoke-tests")
    assert client.word("PATCH", f"{PATH}/1/cancel") == "409"
    assert client.json("GET", f"{PATH}/1")["status"] == "failed"


def test_cancel_in_the_middle(serve: Any) -> None:
    """Tests that had ended keep their result, the others are canceled."""
    client = serve({"suites": {"slow": {"takes": 1000, "tests": 4}}})
    client.start("slow")
    client.sim.started[0].began -= 500
    client.json("PATCH", "/suites/slow/executions/1/cancel")
    status = client.json("GET", "/suites/slow/executions/1")
    assert (status["status"], status["isFinished"]) == ("canceled", True)
    assert [row["status"] for row in status["tests"]["data"]] == ["passed", "passed", "canceled", "canceled"]


def test_cancel_of_what_never_ends(client: Any) -> None:
    """However long it has run, its tests are pending before the cancel and canceled after it."""
    client.start("never-ends")
    client.sim.started[0].began -= 500
    before = client.json("GET", "/suites/never-ends/executions/1")
    client.json("PATCH", "/suites/never-ends/executions/1/cancel")
    after = client.json("GET", "/suites/never-ends/executions/1")
    assert {row["status"] for row in before["tests"]["data"]} == {"pending"}
    assert {row["status"] for row in after["tests"]["data"]} == {"canceled"}


def test_shape_options(serve: Any) -> None:
    """Ids as text, tests and executions as plain lists, and other words for the statuses."""
    shape = {
        "ids": "text",
        "tests": "array",
        "executions": "flat",
        "words": {"canceled": "cancelled", "pending": "running"},
    }
    client = serve({"suites": {"slow": {"takes": 1000}}, "shape": shape})
    assert client.start("slow")["executionId"] == "1"
    status = client.json("GET", "/suites/slow/executions/1")
    assert (status["status"], status["tests"][0]["status"]) == ("running", "running")
    client.json("PATCH", "/suites/slow/executions/1/cancel")
    [row] = client.json("GET", "/suites/slow/executions")["executions"]
    assert row == {**row, "executionId": "1", "status": "cancelled", "isFinished": True}
    assert client.sim.started[0].status == "canceled"


def test_recent_executions(serve: Any) -> None:
    """The list is newest first and holds older executions and those of others; ids are numbered per suite."""
    client = serve({"suites": {"busy": {"history": ["failed", "pending"], "others": 1}, "calm": {}}})
    assert client.start("busy")["executionId"] == 3
    assert client.start("calm")["executionId"] == 1
    rows = client.json("GET", "/suites/busy/executions")["executions"]["data"]
    assert [row["executionId"] for row in rows] == [4, 3, 2, 1]
    assert [(row["status"], row["isFinished"]) for row in rows[2:]] == [("pending", False), ("failed", True)]
    assert [(one.suite, one.id) for one in client.sim.started] == [("busy", "3"), ("calm", "1")]


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({"overrides": {"hostnames": [{"source": "a", "target": "b"}]}}, "original"),
        ({"overrides": {"hostnames": {"a": "b"}}}, "array"),
        ({"overrides": {"cookies": [{"name": "a"}]}}, "value"),
        ({"overrides": {"headers": {"a": "b"}}}, "headers"),
        ({"overrides": {"agent": "a"}}, "agent"),
        ({"overrides": {"agent": {}}}, "agent.name"),
        ({"variables": [1]}, "variables"),
        ({"variables": {"a": 1}}, "variables.a"),
        ({"gitHub": {"sha": 42}}, "gitHub.sha"),
        ({"mobileAppOverrides": {"app": None}}, "mobileAppOverrides.app"),
        ([], "body"),
    ],
)
def test_bodies_that_are_refused(client: Any, body: Any, part: str) -> None:
    """A documented member in another form than the documented one is a 400, and nothing starts."""
    answer = client.send("POST", "/suites/passes/executions", json=body)
    assert answer.status_code == 400
    assert part in answer.json()["message"]
    assert client.sim.started == []


def test_bodies_that_are_accepted(client: Any) -> None:
    """Every documented member, an empty object and no body at all start an execution and are remembered."""
    full = {
        **REQUEST,
        "mobileAppOverrides": {"app.apk": "61f2"},
        "overrides": {
            **REQUEST["overrides"],
            "cookies": [{"name": "a", "value": "b", "maxAge": 1000, "secure": True}],
            "parameters": [{"key": "a", "value": "b"}],
            "localStorage": [{"key": "a", "value": "b"}],
            "agent": {"name": "office"},
        },
    }
    client.start("passes", full)
    client.start("passes", {})
    # As the documented curl lines send it: without the JSON content type.
    assert client.send("POST", "/suites/passes/executions", data="{}").status_code == 200
    assert client.send("POST", "/suites/passes/executions").status_code == 200
    assert [one.body for one in client.sim.started] == [full, {}, {}, None]
    assert client.send("POST", "/suites/passes/executions", data="{").status_code == 400
