"""Fail closed: only what is provably passed is green."""

from __future__ import annotations

import pytest

from reflect_ci import answers, exits
from reflect_ci.judge import verdict

PASSED, FAILED = {"testId": 1, "status": "passed"}, {"testId": 2, "status": "failed"}


@pytest.mark.parametrize(
    ("status", "tests", "allow_empty", "exit_"),
    [
        ("passed", [PASSED], False, exits.PASSED),
        ("passed", [{"testId": 1, "status": "succeeded"}], False, exits.PASSED),
        ("passed", [PASSED, FAILED], False, exits.FAILED),
        ("passed", [PASSED, {"testId": 3, "status": "pending"}], False, exits.FAILED),
        ("passed", [PASSED, {"testId": 3}], False, exits.FAILED),
        ("passed", [], False, exits.EMPTY),
        ("passed", None, False, exits.EMPTY),
        ("passed", [], True, exits.PASSED),
        ("failed", [PASSED], False, exits.FAILED),
        ("failed", [], True, exits.FAILED),
        ("canceled", [PASSED], False, exits.CANCELED),
        ("cancelled", [], True, exits.CANCELED),
        ("", [PASSED], False, exits.FAILED),
        ("done", [PASSED], False, exits.FAILED),
        (None, [PASSED], False, exits.FAILED),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_verdict(status: object, tests: object, allow_empty: bool, exit_: exits.Exit, wrapped: bool) -> None:
    """Both shapes of `tests` give the same verdict; everything unknown is red."""
    body = {"isFinished": True, "status": status, "tests": {"data": tests} if wrapped else tests}
    seen = answers.status(body)
    assert seen is not None
    found, reason = verdict(seen, allow_empty)
    assert found is exit_
    assert bool(reason) == (exit_ is not exits.PASSED or not seen.tests)


@pytest.mark.parametrize(
    "body", [None, [], "passed", 3, {}, {"isFinished": "yes"}, {"isFinished": None, "status": None}]
)
def test_unusable_answers(body: object) -> None:
    """An answer that does not say whether it finished is none."""
    assert answers.status(body) is None


def test_without_is_finished_the_status_decides() -> None:
    """isFinished comes first; where it is missing, only a known end counts as one."""
    for word, finished in (("passed", True), ("pending", False), ("running", False)):
        seen = answers.status({"status": word})
        assert seen is not None
        assert seen.finished is finished
    early = answers.status({"isFinished": False, "status": "passed"})
    assert early is not None and not early.finished


def test_worst_wins() -> None:
    """The order in which one verdict outranks another."""
    order = [9, 5, 3, 4, 6, 7, 8, 1, 0]
    found = [each.code for each in exits.WORST_FIRST if each is not exits.STARTED]
    assert found == order
    assert exits.worst([exits.PASSED, exits.FAILED, exits.EMPTY]) is exits.EMPTY
