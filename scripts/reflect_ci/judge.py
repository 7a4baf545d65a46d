"""The verdict on a finished execution: fail closed on everything that is not provably passed."""

from __future__ import annotations

from reflect_ci.answers import Status
from reflect_ci.exits import CANCELED, EMPTY, FAILED, PASSED, Exit


def verdict(seen: Status, allow_empty: bool) -> tuple[Exit, str]:
    """Return (exit, reason) for a finished execution; the reason is '' when it passed."""
    bad = [test for test in seen.tests if test.status != "passed"]
    failed = sum(test.status == "failed" for test in bad)
    if seen.status == "canceled":
        return CANCELED, "It was canceled on the service's side. Start it again, or ask who canceled it."
    if seen.status == "failed":
        return FAILED, f"{_some(failed)} failed." if failed else "The service calls it failed, without a failed test."
    if seen.status != "passed":
        return FAILED, f"It finished with the unknown status {seen.status!r}, which does not count as passed."
    if failed:
        return FAILED, f"The service calls it passed, but {_some(failed)} failed."
    if bad:
        return FAILED, f"The service calls it passed, but {_some(len(bad))} did not pass ({bad[0].status})."
    if not seen.tests:
        if allow_empty:
            return PASSED, "It ran no test, which --allow-empty accepts."
        return EMPTY, "It finished, but ran no test. Add tests to the suite, or allow it with --allow-empty."
    return PASSED, ""


def _some(number: int) -> str:
    return f"{number} test{'' if number == 1 else 's'}"
