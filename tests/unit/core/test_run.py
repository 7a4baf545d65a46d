"""The main job and its relatives on the built-in suites: exit codes, what reached the service, what is left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import Call

VERDICTS = {
    "passes": 0, "fails": 1, "mixed": 1, "canceled": 7, "empty": 8, "retried": 0, "many": 0, "throttled": 0, "throttled-poll": 0, "unavailable-poll": 0,
    "late": 0, "unknown": 4, "unauthorized": 3, "forbidden": 3,
}  # fmt: skip


@pytest.mark.parametrize("suite", VERDICTS)
def test_verdict(suite: str, sim: Simulator, call: Call) -> None:
    """Each suite gives its exit code by at most one start."""
    ended = call(sim.url, "run", suite)
    assert ended.code == VERDICTS[suite], ended.text
    assert len(sim.started) <= 1
    assert sim.running() == []


def test_wrong_key(sim: Simulator, call: Call) -> None:
    """A refused key is code 3, and nothing was started."""
    ended = call(sim.url, "run", "passes", key="wrong-key")
    assert ended.code == 3
    assert "Nothing was started" in ended.text
    assert sim.started == []


def test_worst_of_several(sim: Simulator, call: Call) -> None:
    """With several suites the worst verdict wins and each is in the report."""
    ended = call(sim.url, "run", "passes", "fails", "empty")
    assert ended.code == 8, ended.text
    result = json.loads((ended.reports / "result.json").read_text())
    assert [each["verdict"] for each in result["executions"]] == ["passed", "failed", "empty"]


def test_allow_empty(sim: Simulator, call: Call) -> None:
    """--allow-empty turns code 8 into 0."""
    assert call(sim.url, "run", "empty", "--allow-empty").code == 0


def test_deadline_cancels(sim: Simulator, call: Call) -> None:
    """At the deadline the execution is canceled and the call ends with 6."""
    ended = call(sim.url, "run", "never-ends", "--timeout", "2s")
    assert ended.code == 6, ended.text
    assert sim.running() == []


def test_deadline_leaves(sim: Simulator, call: Call) -> None:
    """on-timeout=leave does not cancel and says how to pick the execution up."""
    ended = call(sim.url, "run", "never-ends", "--timeout", "2s", "--on-timeout", "leave")
    assert ended.code == 6
    assert [each.suite for each in sim.running()] == ["never-ends"]
    assert "reflect-ci wait never-ends/1" in ended.text


def test_start_now_and_collect_later(sim: Simulator, call: Call) -> None:
    """wait=false ends with 0 and the word started; `wait` gives the verdict from the file."""
    started = call(sim.url, "run", "passes", "fails", "--wait", "false")
    assert started.code == 0, started.text
    assert json.loads((started.reports / "result.json").read_text())["verdict"] == "started"
    collected = call(sim.url, "wait", "--from-file", str(started.reports / "executions.json"))
    assert collected.code == 1, collected.text
    assert len(sim.started) == 2


def test_wait_for_an_unknown_execution(sim: Simulator, call: Call) -> None:
    """An execution that does not exist is code 4."""
    assert call(sim.url, "wait", "passes/999").code == 4


def test_cancel(sim: Simulator, call: Call) -> None:
    """cancel ends what runs; what had finished already is no error; what does not exist is code 4."""
    started = call(sim.url, "run", "never-ends", "passes", "--wait", "false")
    sim.wait_for(lambda service: len(service.running()) == 1)
    ended = call(sim.url, "cancel", "--from-file", str(started.reports / "executions.json"))
    assert ended.code == 0, ended.text
    assert sim.running() == []
    assert call(sim.url, "cancel", "passes/999").code == 4


def test_file_without_executions(sim: Simulator, call: Call) -> None:
    """A file that lists nothing: nothing to cancel is fine, nothing to wait for is not green."""
    refused = call(sim.url, "run", "unauthorized")
    path = str(refused.reports / "executions.json")
    assert call(sim.url, "cancel", "--from-file", path).code == 0
    assert call(sim.url, "wait", "--from-file", path).code == 8


@pytest.mark.parametrize("command", ["wait", "cancel"])
def test_unusable_file(command: str, sim: Simulator, call: Call, tmp_path: Path) -> None:
    """A file that is missing or no executions.json is code 2."""
    broken = tmp_path / "broken.json"
    broken.write_text('{"executions": 3}')
    for path in (broken, tmp_path / "missing.json"):
        ended = call(sim.url, command, "--from-file", str(path))
        assert ended.code == 2, ended.text
        assert "from-file" in ended.text


def test_conflict_cancels_older(sim: Simulator, call: Call) -> None:
    """conflict=cancel ends unfinished executions of the same suite before it starts its own."""
    call(sim.url, "run", "never-ends", "--wait", "false")
    ended = call(sim.url, "run", "never-ends", "--wait", "false", "--conflict", "cancel")
    assert ended.code == 0, ended.text
    assert [each.id for each in sim.running()] == ["2"]


def test_wait_for_url(sim: Simulator, call: Call) -> None:
    """Nothing is started before the URL answers; a URL that never does is code 6."""
    root = sim.url.removesuffix("/v1")
    assert call(sim.url, "run", "passes", "--wait-for-url", f"{root}/_simulate/started").code == 0
    before = len(sim.started)
    ended = call(sim.url, "run", "passes", "--timeout", "2s", "--wait-for-url", f"{root}/nowhere")
    assert ended.code == 6, ended.text
    assert "Nothing was started" in ended.text
    assert len(sim.started) == before


def test_the_key_goes_nowhere_else(sim: Simulator, call: Call) -> None:
    """wait-for-url is asked without the key."""
    root = sim.url.removesuffix("/v1")
    call(sim.url, "run", "passes", "--wait-for-url", f"{root}/v1/elsewhere", "--timeout", "1s")
    asked = [each for each in sim.calls if "elsewhere" in each.path]
    assert asked and all("x-api-key" not in each.headers for each in asked)


def test_service_down(call: Call) -> None:
    """A service that refuses the connection is tried again, then it is code 5 and nothing was started."""
    with Simulator() as sim:
        url = sim.url
    ended = call(url, "run", "passes", "--timeout", "6s")
    assert ended.code == 5, ended.text
    assert "refused" in ended.text
    assert "Nothing was started" in ended.text


def test_duplicates_run_once(sim: Simulator, call: Call) -> None:
    """A suite that is named twice runs once."""
    assert call(sim.url, "run", "passes", "passes").code == 0
    assert len(sim.started) == 1


def test_concurrency(sim: Simulator, call: Call) -> None:
    """concurrency=1 runs one suite after the other."""
    assert call(sim.url, "run", "passes", "retried", "many", "--concurrency", "1").code == 0
    order = [(each.method, each.path.split("/")[2]) for each in sim.calls if each.path.startswith("/suites/")]
    suites = list(dict.fromkeys(suite for _method, suite in order))
    assert [
        suite for position, (_m, suite) in enumerate(order) if position == 0 or order[position - 1][1] != suite
    ] == suites
