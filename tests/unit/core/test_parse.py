"""Text of users becomes values, and bad text a sentence that says what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reflect_ci import parse
from reflect_ci.errors import Stop
from reflect_ci.model import Commit

GOOD: list[tuple[Callable[..., Any], str, Any]] = [
    (parse.duration, "90s", 90.0),
    (parse.duration, "30m", 1800.0),
    (parse.duration, "1h30m", 5400.0),
    (parse.duration, " 45 ", 45.0),
    (parse.flag, "True", True),
    (parse.flag, "off", False),
    (parse.count, "0", 0),
    (parse.suite, "Regression-Tests_2.x", "Regression-Tests_2.x"),
    (parse.suite, "größe", "größe"),
    (parse.execution, "regression-tests/47", ("regression-tests", "47")),
    (parse.pairs, "A=1\nB=x=y\n\n# a comment\n", {"A": "1", "B": "x=y"}),
    (parse.pairs, "A: 1\nB: 'two words'", {"A": "1", "B": "two words"}),
    (parse.pairs, "URL=https://a.example:8080/x", {"URL": "https://a.example:8080/x"}),
    (parse.pairs, '{"A": 1.50, "B": true, "C": "x"}', {"A": "1.50", "B": "true", "C": "x"}),
    (parse.pairs, "A=", {"A": ""}),
    (
        parse.hosts,
        "prod.example.com=staging.example.com",
        [{"original": "prod.example.com", "replacement": "staging.example.com"}],
    ),
    (
        parse.hosts,
        "a.com=https://b.com:8443/login?x=1, c.com:80=d.com",
        [{"original": "a.com", "replacement": "b.com:8443"}, {"original": "c.com:80", "replacement": "d.com"}],
    ),
    (parse.hosts, '{"a.com": "[::1]:3000"}', [{"original": "a.com", "replacement": "[::1]:3000"}]),
    (parse.cookies, "session=abc", [{"name": "session", "value": "abc"}]),
    (parse.cookies, '[{"name": "a", "value": "b", "httpOnly": true}]', [{"name": "a", "value": "b", "httpOnly": True}]),
    (parse.overrides, '{"agent": {"name": "x"}}', {"agent": {"name": "x"}}),
    (parse.commit, "acme/shop.web@0123abc", Commit("acme", "shop.web", "0123abc")),
    (parse.commit, "none", None),
    (parse.api_url, "https://api.reflect.run/v1/", "https://api.reflect.run/v1"),
    (parse.web_url, "http://localhost:3000/ready?x=1", "http://localhost:3000/ready?x=1"),
]

BAD: list[tuple[Callable[..., Any], str, str]] = [
    (parse.duration, "-5m", "Write it as 90s"),
    (parse.duration, "half an hour", "Write it as 90s"),
    (parse.duration, "", "Write it as 90s"),
    (parse.duration, "0", "more than zero"),
    (parse.duration, "25h", "at most 24h"),
    (parse.flag, "maybe", "Write true or false"),
    (parse.count, "-1", "Write 0"),
    (parse.suite, "", "a suite id is empty"),
    (parse.suite, "a/b", "no spaces, slashes"),
    (parse.suite, "my suite", "no spaces, slashes"),
    (parse.suite, "..", "cannot be a suite id"),
    (parse.suite, '";touch pwned;$(id)', "cannot be a suite id"),
    (parse.suite, "a\x1b[2J", "cannot be a suite id"),
    (parse.execution, "regression-tests", "SUITE/ID"),
    (parse.execution, "a/b/c", "SUITE/ID"),
    (parse.pairs, "A", "NAME=value"),
    (parse.pairs, "=x", "NAME=value"),
    (parse.pairs, "A=1\nA=2", "given twice"),
    (parse.pairs, '{"A": 1, "A": 2}', "given twice"),
    (parse.pairs, '{"A": {"B": 1}}', "must be text"),
    (parse.pairs, '{"A": null}', "must be text"),
    (parse.pairs, '{"A": ', "no valid JSON"),
    (parse.pairs, "@/no/such/file", "cannot be read"),
    (parse.hosts, "prod.example.com", "NAME=value"),
    (parse.hosts, "a.com=b c", "NAME=value"),
    (parse.hosts, "a.com=b.com/path", "is no host name"),
    (parse.hosts, "a.com=b.com:99999", "is no host name"),
    (parse.hosts, "a.com=", "is no host name"),
    (parse.cookies, '[{"name": "a"}]', "needs a name and a value"),
    (parse.overrides, "[]", "must be a JSON object"),
    (parse.overrides, "{", "no valid JSON"),
    (parse.overrides, '{"variables": {}}', "does not belong in it"),
    (parse.overrides, "[" * 100_000, "no valid JSON"),
    (parse.commit, "main", "owner/repo@sha"),
    (parse.api_url, "api.reflect.run", "Write it in full"),
    (parse.api_url, "https://user:pass@api.reflect.run/v1", "user name or password"),
    (parse.api_url, "https://api.reflect.run/v1/suites/x/executions", "goes too deep"),
    (parse.api_url, "https://api.reflect.run/v1?x=1", "base URL"),
    (parse.web_url, "ftp://a.example", "Write it in full"),
    (parse.web_url, "https://a.example:port/", "Write it in full"),
]


@pytest.mark.parametrize(("function", "text", "value"), GOOD)
def test_good_text(function: Callable[..., Any], text: str, value: object) -> None:
    """Each accepted spelling becomes its value."""
    assert function(text, "input") == value


@pytest.mark.parametrize(("function", "text", "sentence"), BAD)
def test_bad_text(function: Callable[..., Any], text: str, sentence: str) -> None:
    """Each refused spelling is named by its input, with code 2 and what to write instead."""
    with pytest.raises(Stop) as caught:
        function(text, "input")
    assert caught.value.exit.code == 2
    assert caught.value.message.startswith("input: ")
    assert sentence in caught.value.message


def test_content_of_a_file(tmp_path: Path) -> None:
    """@FILE reads the value from a file, a byte order mark of Windows editors included."""
    path = tmp_path / "variables.txt"
    path.write_bytes(b"\xef\xbb\xbfA=1\r\nB=2\r\n")
    assert parse.pairs(f"@{path}", "variables") == {"A": "1", "B": "2"}
