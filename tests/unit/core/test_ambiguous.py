"""A start that may have happened: adopted only when it can be no other, never repeated."""

from __future__ import annotations

import json
from typing import Any

from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import Call


def service(**suite: Any) -> Simulator:
    """Return a service whose suite cuts the connection of each start after it happened."""
    return Simulator(
        {
            "suites": {
                "checkout": {"faults": {"start": [{"answer": "cut", "created": True, "times": "always"}]}, **suite}
            }
        }
    )


def posts(sim: Simulator) -> int:
    """Return how many starts arrived."""
    return [each.method for each in sim.calls].count("POST")


def test_older_executions_are_not_mistaken(call: Call) -> None:
    """Executions that were there before are not taken up, whether finished or under way."""
    with service(history=["passed", "pending", "failed"]) as sim:
        ended = call(sim.url, "run", "checkout")
        assert ended.code == 0, ended.text
        result = json.loads((ended.reports / "result.json").read_text())
        assert result["executions"][0]["id"] == "4"
        assert posts(sim) == 1


def test_somebody_elses_start_at_the_same_moment(call: Call) -> None:
    """Two new executions that could both be ours: none is taken up, the code is 9, and both are named."""
    with service(others=1) as sim:
        ended = call(sim.url, "run", "checkout")
        assert ended.code == 9, ended.text
        assert "Several new executions could be it" in ended.text
        assert posts(sim) == 1


def test_the_echo_tells_ours_from_another(call: Call) -> None:
    """Of two new executions the one that echoes our hosts and commit is ours."""
    with service(others=1) as sim:
        ended = call(sim.url, "run", "checkout", "--hosts", "a.com=b.com", "--commit", "acme/shop@0123abc")
        assert ended.code == 0, ended.text
        assert posts(sim) == 1
        ours = next(each for each in sim.started if each.body)
        assert f"checkout/{ours.id}" in ended.text


def test_without_a_list_nothing_is_certain(call: Call) -> None:
    """When the executions list cannot be read, the code is 9 and says so."""
    faults = {"start": [{"answer": "cut", "created": True}], "list": [{"status": 500, "times": "always"}]}
    with Simulator({"suites": {"checkout": {"faults": faults}}}) as sim:
        ended = call(sim.url, "run", "checkout")
        assert ended.code == 9, ended.text
        assert "could not be read" in ended.text
        assert posts(sim) == 1


def test_an_execution_that_shows_up_late_is_found(call: Call) -> None:
    """The list may lag: it is looked at several times."""
    faults = {
        "start": [{"answer": "cut", "created": True}],
        "list": [{"status": 200, "body": '{"executions": {"data": []}}', "times": 2}],
    }
    with Simulator({"suites": {"checkout": {"faults": faults}}}) as sim:
        ended = call(sim.url, "run", "checkout")
        assert ended.code == 0, ended.text
        assert posts(sim) == 1


def test_conflict_cancel_needs_the_list(call: Call) -> None:
    """conflict=cancel without a readable list starts nothing: it could not keep its word."""
    with Simulator({"suites": {"checkout": {"faults": {"list": [{"status": 500, "times": "always"}]}}}}) as sim:
        ended = call(sim.url, "run", "checkout", "--conflict", "cancel", "--timeout", "6s")
        assert ended.code == 5, ended.text
        assert posts(sim) == 0
