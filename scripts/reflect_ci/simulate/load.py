"""From a scenario file, or an object of the same format, to Scenarios. Every refusal says what to write.

The runner has no schema library, so this is the check that users meet; a test holds it against the JSON Schema.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from reflect_ci.simulate import builtin, checks, files
from reflect_ci.simulate.scenarios import (
    ALWAYS,
    FINAL,
    KINDS,
    OPERATIONS,
    SERVICE_OPERATIONS,
    SHAPES,
    STATUSES,
    WORDS,
    Answer,
    Faults,
    ScenarioError,
    Scenarios,
    Shape,
    Suite,
    TestRow,
)

Source = Union[None, Mapping[str, Any], str, "os.PathLike[str]"]

_NAMES = ("Sign in", "Search", "Add to cart", "Check out", "Pay by card", "Change the password", "Sign out")
_STEP = {"4": "Element Selection Failed"}


def load(source: Source = None) -> Scenarios:
    """Return the built-in scenarios, with those of the file or object added."""
    if source is None:
        return _scenarios({})
    return _scenarios(source if isinstance(source, Mapping) else files.read(Path(source)))


def _times(where: str, value: Any) -> int | None:
    if value == ALWAYS:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ScenarioError(f"{where} must be a number from 1, or `{ALWAYS}`, not {checks.shown(value)}.")
    return value


def _retry_after(where: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{checks.seconds(where, value):g}"


def _answer(where: str, value: Any) -> Answer:
    if isinstance(value, str):
        return Answer(kind=checks.one_of(tuple(KINDS))(where, value))
    allowed: dict[str, checks.Check] = {
        "answer": checks.one_of(tuple(KINDS)), "status": checks.count(200, 599), "times": _times, "retry-after": _retry_after,
        "message": checks.text, "body": checks.text, "delay": checks.seconds, "created": checks.flag, "then": checks.one_of(FINAL),
    }  # fmt: skip
    found = checks.fields(where, value, allowed)
    if not {"answer", "status", "delay"} & set(found):
        raise ScenarioError(f"{where} needs one of status, answer or delay, as in {{status: 503, times: 2}}.")
    kind = found.pop("answer", "")
    return Answer(kind=kind, **{name.replace("-", "_"): item for name, item in found.items()})


def _faults(operations: Sequence[str]) -> checks.Check:
    def faults(where: str, value: Any) -> Faults:
        return checks.fields(where, value, {operation: checks.each(_answer) for operation in operations})

    return faults


def _steps(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        str(index).isdigit() and isinstance(text, str) for index, text in value.items()
    ):
        raise ScenarioError(f'{where} must be step numbers with messages, as in {{"4": "Element Selection Failed"}}.')
    return {str(index): text for index, text in value.items()}


def _row(where: str, value: Any) -> dict[str, Any]:
    allowed: dict[str, checks.Check] = {
        "name": checks.text, "status": checks.one_of(FINAL), "runs": checks.each(checks.one_of(FINAL)), "action": checks.text, "url": checks.text,
        "failed-steps": _steps,
    }  # fmt: skip
    return checks.fields(where, value, allowed)


def _rows(where: str, value: Any) -> int | tuple[dict[str, Any], ...]:
    if isinstance(value, (int, float)):
        return int(checks.count(0, 10_000)(where, value))
    rows: tuple[dict[str, Any], ...] = checks.each(_row)(where, value)
    return rows


def _tests(first: int, rows: int | tuple[dict[str, Any], ...], status: str) -> tuple[TestRow, ...]:
    """Make the rows. With a number alone the suite's status decides: the last test fails, or those after the first are canceled."""
    if isinstance(rows, int):
        count = rows
        rows = tuple({} for _ in range(count))
        if count and status == "failed":
            rows[-1]["status"] = "failed"
        if status == "canceled":
            for row in rows[1:]:
                row["status"] = "canceled"
    return tuple(_test(first + index, index, row) for index, row in enumerate(rows))


def _test(test_id: int, index: int, row: Mapping[str, Any]) -> TestRow:
    status = row.get("status", "passed")
    name = _NAMES[index % len(_NAMES)] + (f" ({index // len(_NAMES) + 1})" if index >= len(_NAMES) else "")
    steps = row.get("failed-steps", _STEP if status == "failed" else {})
    # A canceled test never ran, so it has no attempts.
    runs = row.get("runs", () if status == "canceled" else (status,))
    return TestRow(test_id, row.get("name", name), status, runs, row.get("action", ""), row.get("url", ""), steps)


def _suite(where: str, value: Any) -> dict[str, Any]:
    allowed: dict[str, checks.Check] = {
        "name": checks.text, "takes": checks.seconds, "status": checks.one_of(STATUSES), "tests": _rows, "faults": _faults(OPERATIONS),
        "history": checks.each(checks.one_of((*FINAL, "pending"))), "others": checks.count(0, 100), "bookmark": checks.text,
    }  # fmt: skip
    return checks.fields(where, value, allowed)


def _suites(where: str, value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where} must be an object of suite ids, as in {{checkout: {{status: passed}}}}.")
    for suite in value:
        if not isinstance(suite, str) or not suite or any(sign.isspace() or sign == "/" for sign in suite):
            raise ScenarioError(f"{where}: {suite!r} is no suite id; write text without spaces and slashes.")
    return {suite: _suite(f"{where}.{suite}", item) for suite, item in value.items()}


def _scenarios(value: Any) -> Scenarios:
    allowed: dict[str, checks.Check] = {
        "suites": _suites,
        "keys": lambda where, item: checks.fields(where, item, {"refuse": checks.each(checks.text)}),
        "faults": _faults(SERVICE_OPERATIONS),
        "shape": lambda where, item: checks.fields(
            where, item, {**{name: checks.one_of(words) for name, words in SHAPES.items()}, "words": _spelling}
        ),
        "built-in": checks.flag,
    }
    found = checks.fields("scenarios", value, allowed)
    own = found.get("suites", {})
    parts = own if not found.get("built-in", True) else {**_suites("built-in", builtin.SUITES), **own}
    suites = {name: _made(number, name, part) for number, (name, part) in enumerate(parts.items(), 1)}
    refused = frozenset((builtin.REFUSED_KEY, *found.get("keys", {}).get("refuse", ())))
    return Scenarios(suites, refused, found.get("faults", {}), Shape(**found.get("shape", {})))


def _spelling(where: str, value: Any) -> dict[str, str]:
    return checks.fields(where, value, dict.fromkeys(WORDS, checks.text))


def _made(number: int, suite: str, part: Mapping[str, Any]) -> Suite:
    status = part.get("status", "passed")
    return Suite(
        id=suite,
        name=part.get("name", suite.replace("-", " ").capitalize()),
        takes=part.get("takes", 0.3),
        status=status,
        # Ids are unique over all suites, as the service's are.
        tests=_tests(number * 10_000, part.get("tests", 3), status),
        faults=part.get("faults", {}),
        history=part.get("history", ()),
        others=part.get("others", 0),
        bookmark=part.get("bookmark", ""),
    )
