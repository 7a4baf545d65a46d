"""Outcomes for the tests of reports, outputs and display."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial

from reflect_ci import exits
from reflect_ci.exits import Exit
from reflect_ci.model import Commit, Execution, Outcome, Run, Step, Test

BEGUN = 1_764_109_000.0
# Text that tries every format at once: HTML, Markdown, XML, shells, CI commands, terminals.
NASTY = (
    '<script>alert(1)</script>"><img src=x onerror=alert(2)> [click](javascript:alert(3)) ![i](http://evil.example/i.png)'
    " | cell | ]]> &amp; `code` **bold** @everyone www.evil.example https://evil.example/ \x1b[31mred\x1b]8;;http://evil.example\x07"
    "\r\n::error::owned\n##vso[task.setvariable variable=PATH]owned\n##teamcity[buildStatus status='SUCCESS']"
    "\n$(touch pwned) `touch pwned` '; touch pwned; ' \u202egnp.exe \x00\ud800\ufffe\n--- group\nsection_start:1:x\r\x1b[0K"
)
NASTY_URL = "javascript:alert(document.domain)"


def step(message: str = "Visual Observe Failed - image difference exceeds limit", index: str = "4") -> Step:
    """A failed step."""
    return Step(index, message)


def run(
    status: str = "passed", *steps: Step, browser: str = "Chrome", video: str = "https://videos.example/2641.mp4"
) -> Run:
    """An attempt of 16.126 seconds."""
    return Run("2641", browser, status, 16126.0, 1643734963077.0, video, 14, list(steps))


def row(status: str = "passed", name: str = "Check out", instance: str = "0", runs: list[Run] | None = None) -> Test:
    """A test with one attempt, which failed at step 4 when the test failed."""
    made = [run(status, step())] if status == "failed" else [run(status)]
    return Test(instance, "683", status, name, "", "https://staging.example/one", made if runs is None else runs)


def execution(
    ending: Exit | None = exits.PASSED, *tests: Test, suite: str = "checkout", number: str = "47", reason: str = ""
) -> Execution:
    """An execution of 65 seconds; one passed test unless others are given."""
    return Execution(
        suite,
        number,
        f"https://app.reflect.run/suites/{suite}/executions/{number}" if number else "",
        "passed" if ending is exits.PASSED else "failed" if ending is exits.FAILED else "pending" if number else "",
        ending,
        reason,
        list(tests),
        BEGUN if number else None,
        BEGUN + 65 if number and ending else None,
    )


def outcome(ending: Exit, *executions: Execution, message: str = "", **changes: object) -> Outcome:
    """The end of a call of 70 seconds on GitHub."""
    made = Outcome(
        "run",
        ending,
        message or ending.meaning,
        list(executions),
        BEGUN,
        BEGUN + 70,
        ci="github",
        build_url="https://github.com/octo/app/actions/runs/1",
        commit=Commit("octo", "app", "0f42" * 10),
        version="0.1.0",
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]  # each test knows the member that it changes


def _plain(ending: Exit) -> Outcome:
    started = ending not in (exits.AUTH, exits.NOT_FOUND)
    return outcome(ending, execution(ending, number="47" if started else "", reason=f"It ended as {ending.word}."))


def _endings() -> dict[str, Callable[[], Outcome]]:
    return {f"{each.code}-{each.word}": partial(_plain, each) for each in exits.EXITS if each is not exits.PASSED}


# Every way in which a call can end, by name.
ENDINGS: dict[str, Callable[[], Outcome]] = {
    **_endings(),
    "passed": lambda: outcome(exits.PASSED, execution(exits.PASSED, row())),
    "failed": lambda: outcome(
        exits.FAILED, execution(exits.FAILED, row(), row("failed"), reason="1 of 2 tests failed.")
    ),
    "failed-though-passed": lambda: outcome(
        exits.FAILED, execution(exits.FAILED, row("failed"), reason="Passed overall, 1 test failed.")
    ),
    "failed-without-rows": lambda: outcome(exits.FAILED, execution(exits.FAILED, reason="failed")),
    "canceled-rows": lambda: outcome(exits.CANCELED, execution(exits.CANCELED, row("canceled"), row())),
    "timed-out-rows": lambda: outcome(exits.TIMED_OUT, execution(exits.TIMED_OUT, row("pending"), row())),
    "empty-allowed": lambda: outcome(exits.PASSED, execution(exits.PASSED, reason="It ran no test, which is allowed.")),
    "started": lambda: outcome(exits.STARTED, execution(exits.STARTED), waited=False),
    "skipped": lambda: outcome(exits.SKIPPED, message="No key, so nothing was run."),
    "usage": lambda: outcome(
        exits.USAGE, message="Write --hosts original=replacement.", commit=None, ci="", build_url=""
    ),
    "several": lambda: outcome(
        exits.SERVICE,
        execution(exits.PASSED, row()),
        execution(exits.FAILED, row("failed"), row(), suite="mobile", number="12"),
        execution(exits.SERVICE, suite="admin", number="", reason="The service refused the request (400): bad host."),
    ),
    "interrupted-midway": lambda: outcome(
        exits.TERMINATED,
        execution(exits.PASSED, row()),
        execution(None, suite="b"),
        execution(None, suite="c", number=""),
    ),
    "interrupted-after-all-passed": lambda: outcome(exits.TERMINATED, execution(exits.PASSED, row())),
    "retried": lambda: outcome(exits.PASSED, execution(exits.PASSED, row(runs=[run("failed", step()), run("passed")]))),
    "canceled-as-asked": lambda: outcome(
        exits.PASSED,
        dataclasses.replace(execution(exits.PASSED, reason="It was canceled."), status=""),
        command="cancel",
    ),
}


def nasty() -> Outcome:
    """An outcome in which every text that comes from outside is hostile."""
    test = Test(
        NASTY,
        NASTY,
        "failed",
        NASTY,
        NASTY,
        NASTY_URL,
        [Run(NASTY, NASTY, "failed", float("nan"), 1e30, NASTY_URL, 3, [Step(NASTY, NASTY)])],
    )
    hostile = Execution(NASTY, NASTY, NASTY_URL, NASTY, exits.FAILED, NASTY, [test, test], BEGUN, BEGUN + 1)
    return outcome(
        exits.FAILED, hostile, message=NASTY, build_url=NASTY_URL, commit=Commit(NASTY, NASTY, NASTY), ci="github"
    )


def many(count: int = 1000, tests: int = 3) -> Outcome:
    """A call with this many executions, each tenth of which failed."""
    rows = [row(instance=str(number)) for number in range(tests)]
    made = [
        execution(exits.FAILED, *rows, row("failed"), suite=f"suite-{number}", number=str(number + 1))
        if number % 10 == 0
        else execution(exits.PASSED, *rows, suite=f"suite-{number}", number=str(number + 1))
        for number in range(count)
    ]
    return outcome(exits.FAILED, *made)
