"""What every built-in suite does, told by a client and by what was really started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import requests

from reflect_ci.simulate.builtin import SUITES

NEVER = "never"
SHORT = 0.5  # seconds to wait for an answer that never comes


@dataclass
class Does:
    """The answers to starts, polls and a cancel in a row, how many executions came of it, and how the first ends."""

    starts: str = "ok"
    polls: str = "ok"
    cancel: str = "ok"
    created: int = 1
    ends: str = "passed"


TABLE = {
    "passes": Does(starts="ok ok", created=2),
    "fails": Does(ends="failed"),
    "canceled": Does(ends="canceled"),
    "empty": Does(),
    "never-ends": Does(ends=NEVER),
    "takes-2": Does(),
    "mixed": Does(),
    "retried": Does(),
    "many": Does(),
    # The second execution meets it again, so that a service which runs for long stays the same.
    "throttled": Does(starts="429 ok 429 ok", created=2),
    "throttled-poll": Does(polls="429 ok ok"),
    "unavailable-poll": Does(polls="503 503 ok ok"),
    "broken-poll": Does(polls="500 500 500 500", ends=NEVER),
    "bad-request": Does(starts="400 400", created=0),
    "conflict": Does(starts="409 409", created=0),
    "start-500": Does(starts="500 500", created=0),
    "start-503-created": Does(starts="503 503", created=2),
    "start-slow": Does(),
    "cut-before": Does(starts="cut cut", created=0),
    "cut-after": Does(starts="cut cut", created=2),
    "start-html": Does(starts="html html", created=0),
    "start-empty": Does(starts="empty", created=1),
    "start-truncated": Does(starts="broken", created=1),
    "start-hang": Does(starts="hang", created=0),
    "start-redirect": Does(starts="302 302", created=0),
    "poll-html": Does(polls="html html html", ends=NEVER),
    "poll-empty": Does(polls="empty empty empty", ends=NEVER),
    "poll-truncated": Does(polls="broken broken broken", ends=NEVER),
    "poll-cut": Does(polls="cut cut cut", ends=NEVER),
    "poll-hang": Does(polls="hang hang", ends=NEVER),
    "poll-redirect": Does(polls="302 302 302", ends=NEVER),
    "poll-404": Does(polls="404 404 404 404", ends=NEVER),
    "late": Does(polls="404 404 ok ok"),
    "unauthorized": Does(starts="401 401", polls="401", cancel="401", created=0),
    "forbidden": Does(starts="403 403", polls="403", cancel="403", created=0),
    "echo-key": Does(starts="400 400", created=0),
    "cancel-500": Does(cancel="500 500", ends=NEVER),
    "cancel-hang": Does(cancel="hang", ends=NEVER),
    "cancel-404": Does(cancel="404 404", ends=NEVER),
    "cancel-409": Does(cancel="409 409", ends=NEVER),
}
ELSEWHERE = {"takes-12", "start-drip"}  # checked below, in a form of their own


def test_every_suite_is_in_the_table() -> None:
    """A built-in suite that no test looks at would be a promise without proof."""
    assert set(TABLE) | ELSEWHERE == set(SUITES)


@pytest.mark.parametrize("suite", TABLE)
def test_starts_and_polls(client: Any, suite: str) -> None:
    """The answers come in the documented row, and exactly the executions that were meant are created."""
    does = TABLE[suite]
    for expected in does.starts.split():
        assert _word(client, "POST", f"/suites/{suite}/executions", expected) == expected
    assert [one.suite for one in client.sim.started] == [suite] * does.created
    if does.created or suite in ("unauthorized", "forbidden"):
        for expected in does.polls.split():
            assert _word(client, "GET", f"/suites/{suite}/executions/1", expected) == expected
    if does.created and does.ends == NEVER:
        assert client.sim.running() == client.sim.started
    elif does.created:
        assert client.sim.wait_for(lambda sim: not sim.running(), 60)
        assert client.sim.started[0].status == does.ends


@pytest.mark.parametrize("suite", [name for name, does in TABLE.items() if does.ends == NEVER or does.cancel != "ok"])
def test_cancel(client: Any, suite: str) -> None:
    """A cancel ends what never ends by itself, or is answered as the suite's name says."""
    does = TABLE[suite]
    for expected in does.starts.split():
        _word(client, "POST", f"/suites/{suite}/executions", expected)
    for expected in does.cancel.split():
        assert _word(client, "PATCH", f"/suites/{suite}/executions/1/cancel", expected) == expected
    left = [one.suite for one in client.sim.running()]
    assert left == ([suite] if suite in ("cancel-500", "cancel-hang", "cancel-404") else [])
    if suite == "cancel-409":
        assert client.json("GET", f"/suites/{suite}/executions/1")["status"] == "passed"


def _word(client: Any, method: str, path: str, expected: str) -> str:
    word: str = client.word(method, path, *([SHORT] if expected == "hang" else []))
    return word


def test_takes_12(client: Any) -> None:
    """Its tests end one after another over twelve seconds."""
    client.start("takes-12")
    [execution] = client.sim.started
    assert (execution.takes, execution.finished) == (12, False)
    # Time is told by the moment of its creation; nobody needs to wait for it.
    execution.began -= 6.5
    rows = client.json("GET", "/suites/takes-12/executions/1")["tests"]["data"]
    assert [row["status"] for row in rows] == ["passed", "pending", "pending"]
    execution.began -= 6
    assert client.json("GET", "/suites/takes-12/executions/1")["isFinished"] is True


def test_start_drip(client: Any) -> None:
    """The answer comes byte by byte and is far from complete when a read would time out; the execution is created."""
    with client.send("POST", "/suites/start-drip/executions", stream=True) as answer:
        first = next(answer.iter_content(1))
        assert first == b"{"
        assert int(answer.headers["Content-Length"]) > 10_000
    assert [one.suite for one in client.sim.started] == ["start-drip"]


def test_throttled_says_when(client: Any) -> None:
    """Throttling comes with Retry-After: 1, at the start and in a poll."""
    assert client.send("POST", "/suites/throttled/executions").headers["Retry-After"] == "1"
    client.start("throttled-poll")
    assert client.send("GET", "/suites/throttled-poll/executions/1").headers["Retry-After"] == "1"


def test_echo_key(client: Any) -> None:
    """The error repeats the caller's key, so that a client can be seen to hide it."""
    assert "a-key-of-the-tests" in client.json("POST", "/suites/echo-key/executions")["message"]


def test_redirect_goes_where_it_is_seen(client: Any) -> None:
    """Who follows the redirect is in the list of calls, with or without the key."""
    answer = client.send("POST", "/suites/start-redirect/executions")
    assert answer.headers["Location"] == client.sim.url + "/redirected"
    requests.get(answer.headers["Location"], timeout=60, proxies={"http": ""})
    assert client.sim.calls[-1].path == "/redirected"


def test_mixed_and_retried(client: Any) -> None:
    """`mixed` passed as a whole with a failed row; `retried` has a row that passed in its second run."""
    client.start("mixed")
    mixed = client.ended("mixed")
    assert (mixed["status"], [row["status"] for row in mixed["tests"]["data"]]) == ("passed", ["passed", "failed"])
    client.start("retried")
    retried = client.ended("retried")
    assert [run["status"] for run in retried["tests"]["data"][1]["runs"]] == ["failed", "passed"]
    assert retried["tests"]["data"][1]["status"] == retried["status"] == "passed"


def test_canceled_many_and_empty(client: Any) -> None:
    """`canceled` leaves tests that never ran, `many` has 40, `empty` none."""
    for suite in ("canceled", "many", "empty"):
        client.start(suite)
    rows = client.ended("canceled")["tests"]["data"]
    assert [(row["status"], len(row["runs"])) for row in rows] == [("passed", 1), ("canceled", 0), ("canceled", 0)]
    assert len(client.ended("many")["tests"]["data"]) == 40
    assert client.ended("empty")["tests"] == {"data": [], "bookmark": ""}


def test_start_slow_is_created_before_its_answer(client: Any) -> None:
    """The execution exists while the answer is still on its way, and the answer comes."""
    with pytest.raises(requests.exceptions.Timeout):
        client.send("POST", "/suites/start-slow/executions", timeout=SHORT)
    assert client.sim.wait_for(lambda sim: bool(sim.started), 60)
    assert [one.suite for one in client.sim.started] == ["start-slow"]


def test_unknown_suite(client: Any) -> None:
    """Another id is unknown, also in another casing; only its listing is empty instead of refused."""
    for suite in ("passed", "Passes"):
        assert client.word("POST", f"/suites/{suite}/executions") == "404"
        assert client.word("GET", f"/suites/{suite}/executions/1") == "404"
        assert client.word("PATCH", f"/suites/{suite}/executions/1/cancel") == "404"
        assert client.json("GET", f"/suites/{suite}/executions")["executions"] == {"data": []}
    assert client.sim.started == []
