"""Plain lines: few, complete, and harmless whatever the service sends."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from reflect_ci import display, exits
from reflect_ci.display import Display
from reflect_ci.model import Execution, Outcome
from reflect_ci.reports.text import defuse
from tests.unit.reports import examples

T = examples.BEGUN


class Lines:
    """A display on a pipe, and what it has said."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.display: Display = display.make(self.stream, {}, defuse)

    @property
    def said(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def waiting(suite: str = "checkout", number: str = "47", tests: int = 0) -> Execution:
    """An execution under way, with this many tests of which the first has passed."""
    rows = [examples.row("passed" if index == 0 else "pending") for index in range(tests)]
    return examples.execution(None, *rows, suite=suite, number=number)


def test_notes_warnings_and_errors_are_told_apart() -> None:
    """A reader who looks for the first word finds it at the line's start."""
    lines = Lines()
    lines.display.note("Waiting for https://staging.example.")
    lines.display.warn("No key.")
    lines.display.error("Set REFLECT_API_KEY.")
    assert lines.said == ["Waiting for https://staging.example.", "WARNING  No key.", "ERROR    Set REFLECT_API_KEY."]


def test_a_start_shows_id_and_link() -> None:
    """They are all that is needed to pick the execution up elsewhere."""
    lines = Lines()
    lines.display.started(waiting())
    adopted = waiting(number="48")
    adopted.adopted = True
    lines.display.started(adopted)
    assert lines.said[0] == "STARTED  checkout/47  https://app.reflect.run/suites/checkout/executions/47"
    assert lines.said[1].endswith("(found among the running ones, not started twice)")


def test_progress_is_said_when_it_changed() -> None:
    """Polls without news print nothing, news print one line with the time elapsed."""
    lines = Lines()
    execution = waiting(tests=3)
    for second in range(40):
        if second == 20:
            execution.tests[1].status = "failed"
        lines.display.progress([execution], T + second)
    assert lines.said == [
        "RUNNING    5.0s  checkout/47 pending (1 of 3 tests done)",
        "RUNNING     20s  checkout/47 pending (2 of 3 tests done)",
    ]


def test_progress_is_said_at_least_once_a_minute() -> None:
    """Systems end a step that says nothing for ten minutes; polls are at most ten seconds apart."""
    lines = Lines()
    said_at = [0]
    for second in range(0, 1800, 10):
        before = len(lines.said)
        lines.display.progress([waiting()], T + second)
        if len(lines.said) > before:
            said_at.append(second)
    said_at.append(1800)
    assert max(later - earlier for earlier, later in zip(said_at, said_at[1:])) <= 60
    assert len(said_at) < 40


def test_waiting_for_a_start_is_said_too() -> None:
    """A start that is slow, or queued behind others, is no silence either."""
    lines = Lines()
    for second in range(0, 61, 10):
        lines.display.progress([waiting(number="")], T + second)
    assert lines.said[-1].endswith("checkout waits to be started")


def test_many_executions_do_not_flood_a_log() -> None:
    """A thousand executions that change all the time give one line each five seconds, and it names a few."""
    lines = Lines()
    executions = [waiting(f"suite-{number}", tests=3) for number in range(1000)]
    for tick in range(300):
        executions[tick].tests[1].status = "passed"
        lines.display.progress(executions, T + tick / 10)
    assert len(lines.said) <= 6
    assert lines.said[0].endswith(
        "0 of 1000 finished; suite-0/47 pending (2 of 3 tests done), suite-1/47 pending (2 of 3 tests done), suite-2/47 pending (2 of 3 tests done), 997 more"
    )


def test_frequent_calls_cost_little() -> None:
    """The scheduler calls at each tick: what is not due must not count a thousand executions."""
    lines = Lines()
    executions = [waiting(f"suite-{number}", tests=40) for number in range(1000)]
    lines.display.progress(executions, T)
    begun = time.process_time()
    for tick in range(10_000):
        lines.display.progress(executions, T + tick / 1e5)
    assert time.process_time() - begun < 2


def test_an_end_shows_verdict_counts_time_link_and_reason() -> None:
    """One line, and below it why, with each failed test's step and message."""
    lines = Lines()
    lines.display.ended(examples.execution(exits.PASSED, examples.row(), examples.row()))
    lines.display.ended(
        examples.execution(exits.FAILED, examples.row("failed"), examples.row(), reason="1 of 2 tests failed.")
    )
    lines.display.ended(examples.execution(exits.NOT_FOUND, number="", suite="nope", reason="No such suite."))
    url = "https://app.reflect.run/suites/checkout/executions/47"
    assert lines.said == [
        f"PASSED   checkout/47  2 passed  in 1m05s  {url}",
        f"FAILED   checkout/47  1 failed, 1 passed  in 1m05s  {url}",
        "         1 of 2 tests failed.",
        "         - Check out: step 4: Visual Observe Failed - image difference exceeds limit",
        "NOT-FOUND  nope",
        "         No such suite.",
    ]


def test_many_failed_tests_are_cut_short() -> None:
    """The log names twenty, the reports name all."""
    lines = Lines()
    lines.display.ended(examples.execution(exits.FAILED, *[examples.row("failed") for _ in range(50)]))
    assert len(lines.said) == 22
    assert lines.said[-1].strip() == "and 30 more failed tests: see the reports."


def test_the_last_line_is_the_verdict() -> None:
    """With what to do, the time and the exit code; the reports stand above it."""
    lines = Lines()
    outcome = examples.ENDINGS["failed"]()
    lines.display.finished(outcome, [Path("/builds/out/junit.xml"), Path("/builds/out/report.html")])
    assert lines.said == [
        "REPORTS  /builds/out: junit.xml, report.html",
        "FAILED   tests failed  after 1m10s  exit code 1",
    ]


def test_the_same_sentence_is_not_said_twice() -> None:
    """An error above is not repeated in the verdict, and a reason above not as an error."""
    lines = Lines()
    outcome = examples.outcome(
        exits.FAILED, examples.execution(exits.FAILED, reason="No step."), message="checkout/47: No step."
    )
    lines.display.ended(outcome.executions[0])
    lines.display.error(outcome.message)
    lines.display.finished(outcome, [])
    assert len([line for line in lines.said if "No step." in line]) == 1
    assert lines.said[-1] == "FAILED   checkout/47  after 1m10s  exit code 1"
    several = examples.ENDINGS["several"]()
    lines.display.error(several.message)
    lines.display.finished(several, [])
    assert lines.said[-1] == "SERVICE  (1 of 3 executions passed)  after 1m10s  exit code 5"


def test_a_large_call_names_what_did_not_pass_at_its_end() -> None:
    """Their own lines are a thousand lines above."""
    lines = Lines()
    lines.display.finished(examples.many(), [])
    assert len([line for line in lines.said if line.startswith("NOT OK   suite-")]) == 10
    assert "NOT OK   and 90 more: see the reports." in lines.said


def test_started_is_not_called_passed() -> None:
    """The last line of a call that did not wait says so."""
    lines = Lines()
    outcome = examples.ENDINGS["started"]()
    lines.display.started(outcome.executions[0])
    lines.display.ended(outcome.executions[0])
    lines.display.finished(outcome, [])
    assert [line.split()[0] for line in lines.said] == ["STARTED", "STARTED"]
    assert "exit code 0" in lines.said[-1]


@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_every_ending_can_be_said(ending: str) -> None:
    """The verdict's word begins the last line, whatever the end is."""
    from reflect_ci.reports.text import verdict

    lines = Lines()
    outcome = examples.ENDINGS[ending]()
    for execution in outcome.executions:
        lines.display.ended(execution)
    lines.display.finished(outcome, [])
    assert lines.said[-1].startswith(verdict(outcome).upper() + " ")


def _say_everything(lines: Display, outcome: Outcome) -> None:
    execution = outcome.executions[0]
    lines.note(examples.NASTY)
    lines.warn(examples.NASTY)
    lines.error(examples.NASTY)
    lines.started(execution)
    execution.exit = None
    lines.progress([execution], T)
    lines.progress([execution], T + 60)
    execution.exit = exits.FAILED
    lines.ended(execution)
    lines.finished(outcome, [Path("/out") / "junit.xml"])
    lines.close()


def test_hostile_text_forms_no_command_and_no_line_of_its_own() -> None:
    """Nothing of another's text begins a line, and no escape sequence comes through."""
    lines = Lines()
    _say_everything(lines.display, examples.nasty())
    text = lines.stream.getvalue()
    assert not any(character in text for character in "\x1b\r\x00\x07\u202e")
    for line in lines.said:
        assert not line.lstrip().startswith("::")
        assert not any(command in line for command in ("##vso[", "##[", "##teamcity["))
    starts = {line.split(" ")[0] for line in lines.said}
    assert starts <= {
        '<script>alert(1)</script>"><img',
        "WARNING",
        "ERROR",
        "STARTED",
        "RUNNING",
        "FAILED",
        "",
        "REPORTS",
    }


def test_a_stream_that_knows_ascii_only_is_no_crash() -> None:
    """Old Windows consoles and LANG=C: what cannot be shown is written as an escape."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    lines = display.make(stream, {}, defuse)
    lines.ended(examples.execution(exits.FAILED, examples.row("failed", "Zahlung über 日本")))
    assert b"Zahlung \\xfcber \\u65e5" in raw.getvalue()


def test_a_stream_that_is_gone_does_not_take_the_verdict_with_it() -> None:
    """`reflect-ci run | head -1`: what follows goes nowhere, and nothing raises."""

    class Gone(io.StringIO):
        def write(self, text: str, /) -> int:
            raise BrokenPipeError(32, f"Broken pipe after {len(text)} characters")

    _say_everything(display.make(Gone(), {}, defuse), examples.nasty())
    closed = io.StringIO()
    lines = display.make(closed, {}, defuse)
    closed.close()
    _say_everything(lines, examples.nasty())


def test_plain_lines_are_ascii_where_the_names_are() -> None:
    """Many build logs are shown in a wrong encoding."""
    lines = Lines()
    outcome = examples.ENDINGS["several"]()
    outcome.message = "1 of 3 suites passed."
    for execution in outcome.executions:
        lines.display.started(execution)
        lines.display.ended(execution)
    lines.display.finished(outcome, [])
    assert lines.stream.getvalue().isascii()
