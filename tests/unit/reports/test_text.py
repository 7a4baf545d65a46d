"""Words, numbers and links, and text of others made harmless."""

from __future__ import annotations

import pytest

from reflect_ci import exits
from reflect_ci.reports import text
from tests.unit.reports import examples


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, ""),
        (-1, "0.0s"),
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.6, "1m00s"),
        (65, "1m05s"),
        (3599.7, "1h00m"),
        (3725, "1h02m"),
    ],
)
def test_durations(seconds: float | None, shown: str) -> None:
    """Short ones with a tenth, long ones without seconds; never `60s`."""
    assert text.duration(seconds) == shown


@pytest.mark.parametrize(
    ("line", "safe"),
    [
        ("::error::x", ": :error::x"),
        ("  ::set-output name=a::b", "  : :set-output name=a::b"),
        ("see ##[add-path]/tmp", "see # #[add-path]/tmp"),
        ("see ##vso[task.complete result=Succeeded]", "see # #vso[task.complete result=Succeeded]"),
        ("##VSO[task.complete]", "# #VSO[task.complete]"),
        ("##teamcity[buildStatus]", "# #teamcity[buildStatus]"),
        ("\x1b[0Ksection_start:1:a\r\x1b[0K", "section_start :1:a"),
        ("section_end:1:a", "section_end :1:a"),
        ("travis_fold:start:a", "travis_fold :start:a"),
        ("--- group", " --- group"),
        ("+++ group", " +++ group"),
        ("^^^ +++", " ^^^ +++"),
        ("\x1b[31mred\x1b[0m \x9b31mred", "red red"),
        ("\x1b]8;;http://evil.example\x07link\x1b]8;;\x07", "link"),
        ("one\ntwo\r\nthree\u2028four\tfive", "one two threefour five"),
        ("\u202egpj.exe", "gpj.exe"),
        ("#\x00#vso[task.complete]", "# #vso[task.complete]"),
        (":\x1b[0m:error::x", ": :error::x"),
        ("issue ##12, std::vector, a  b, ---", "issue ##12, std::vector, a  b, ---"),
        ("naïve 日本語 🚀", "naïve 日本語 🚀"),
    ],
)
def test_no_text_forms_a_command(line: str, safe: str) -> None:
    """Commands of all systems are broken, also such as come out only when control characters go; other text stays."""
    assert text.defuse(line) == safe
    assert text.defuse(safe) == safe.rstrip()


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        (
            "https://app.reflect.run/suites/a/executions/1?x=1&y=%20#f",
            "https://app.reflect.run/suites/a/executions/1?x=1&y=%20#f",
        ),
        ("HTTP://example.com", "HTTP://example.com"),
        ("javascript:alert(1)", ""),
        ("java\nscript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("//example.com", ""),
        ("https://", ""),
        ("https://user:secret@example.com/", ""),
        ("https://[::1", ""),
        ("https://example.com/$(id)`id`'\"<>|;\\ ", "https://example.com/%24%28id%29%60id%60%27%22%3C%3E%7C%3B%5C"),
        ("https://example.com/a\nb", "https://example.com/a%0Ab"),
        ("", ""),
    ],
)
def test_only_web_addresses_are_links(url: str, safe: str) -> None:
    """Other schemes, credentials and halves are none; what could end an address is escaped."""
    assert text.safe_url(url) == safe


def test_no_tests_is_said_only_of_what_finished() -> None:
    """An execution that was refused, or left at the deadline, may well have tests that nobody has seen."""
    known = {
        ending: text.tally(examples.execution(ending))
        for ending in (exits.EMPTY, exits.PASSED, exits.TIMED_OUT, exits.NOT_FOUND, None)
    }
    assert known == {
        exits.EMPTY: "no tests",
        exits.PASSED: "no tests",
        exits.TIMED_OUT: "",
        exits.NOT_FOUND: "",
        None: "",
    }
    rows = [examples.row("failed"), examples.row(), examples.row("pending"), examples.row("canceled")]
    assert text.tally(examples.execution(exits.FAILED, *rows)) == "1 failed, 1 canceled, 1 unfinished, 1 passed"
