"""Every bad answer in every phase: the right exit code, a sentence, reports, one start at most, nothing left running."""

from __future__ import annotations

from typing import Any

import pytest

from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import REPORTS, Call

TIMEOUT = "6s"  # the error budget and the time for one request are a quarter of it
FAULTS: dict[str, dict[str, Any]] = {
    **{str(status): {"status": status} for status in (400, 401, 403, 404, 409, 429, 500, 502, 503, 520)},
    **{answer: {"answer": answer} for answer in ("html", "empty", "truncated", "cut", "hang", "drip", "redirect")},
}
REFUSED = {"400": 5, "401": 3, "403": 3, "404": 4, "409": 5, "redirect": 5}
# At the start everything that is no plain refusal may have started an execution, except 429.
AT_START = {**dict.fromkeys(FAULTS, 9), **REFUSED, "429": 5}
IN_POLL = {**dict.fromkeys(FAULTS, 5), **REFUSED}


def scenario(phase: str, fault: dict[str, Any], **suite: Any) -> dict[str, Any]:
    """Return a scenario file's content with one suite that answers so in this phase, for ever."""
    return {"suites": {"checkout": {**suite, "faults": {phase: [{**fault, "times": "always"}]}}}}


@pytest.mark.parametrize("name", FAULTS)
def test_bad_answer_at_the_start(name: str, call: Call) -> None:
    """No bad answer to the start makes a second one, and each has its exit code."""
    with Simulator(scenario("start", FAULTS[name])) as sim:
        ended = call(sim.url, "run", "checkout", "--timeout", TIMEOUT)
        posts = [each for each in sim.calls if each.method == "POST"]
        assert ended.code == AT_START[name], ended.text
        assert len(posts) == 1 or name == "429", (
            "only an answer that proves that nothing started may be followed by a second start"
        )
        assert not sim.started
    check(ended)


@pytest.mark.parametrize("name", ["500", "502", "503", "520", "html", "empty", "truncated", "cut", "hang", "drip"])
def test_bad_answer_although_it_started(name: str, call: Call) -> None:
    """An execution that was started behind a bad answer is found and taken up, and there is no second one."""
    with Simulator(scenario("start", {**FAULTS[name], "created": True})) as sim:
        ended = call(sim.url, "run", "checkout", "--timeout", "20s")
        assert ended.code == 0, ended.text
        assert len(sim.started) == 1
        assert [each.method for each in sim.calls].count("POST") == 1
    check(ended)


@pytest.mark.parametrize("name", FAULTS)
def test_bad_answer_in_a_poll(name: str, call: Call) -> None:
    """Polls that stay bad end the call with its exit code, and the execution is canceled first."""
    with Simulator(scenario("poll", FAULTS[name], status="never")) as sim:
        ended = call(sim.url, "run", "checkout", "--timeout", TIMEOUT)
        assert ended.code == IN_POLL[name], ended.text
        assert len(sim.started) == 1
        assert sim.running() == []
    check(ended)


@pytest.mark.parametrize("name", FAULTS)
def test_bad_answer_to_the_cancel(name: str, call: Call) -> None:
    """A cancel that does not work is told, with the page where to do it by hand; the call still ends as timed out."""
    with Simulator(scenario("cancel", FAULTS[name], status="never")) as sim:
        ended = call(sim.url, "run", "checkout", "--timeout", "1s")
        assert ended.code == 6, ended.text
        assert [each.method for each in sim.calls].count("PATCH") == 1, "one PATCH, then leave"
    assert any(words in ended.text for words in ("could not be canceled", "had finished already"))
    check(ended)


def check(ended: Any) -> None:
    """What holds on every end."""
    assert "Traceback" not in ended.text
    assert "unforeseen" not in ended.text
    assert ended.leaks() == []
    assert sorted(path.name for path in ended.reports.iterdir()) == sorted(REPORTS)
