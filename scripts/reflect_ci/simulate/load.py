"""From a scenario file, or an object of the same format, to Scenarios. Every refusal says what to write.

The runner has no schema library, so this is the check that users meet; a test holds it against the JSON Schema.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Callable, Union

from reflect_ci.simulate import builtin
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
Check = Callable[[str, Any], Any]

_NAMES = ("Sign in", "Search", "Add to cart", "Check out", "Pay by card", "Change the password", "Sign out")
_STEP = {"4": "Element Selection Failed"}


def load(source: Source = None) -> Scenarios:
    """Return the built-in scenarios, with those of the file or object added."""
    if source is None:
        return _scenarios({})
    return _scenarios(source if isinstance(source, Mapping) else _read(Path(source)))


def _read(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ScenarioError(f"The scenario file {path} cannot be read: {reason}.") from None
    if path.suffix.lower() in (".yaml", ".yml"):
        return _yaml(path, text)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScenarioError(
            f"The scenario file {path} is not JSON: {error}. A YAML file must be named *.yaml."
        ) from None


def _yaml(path: Path, text: str) -> Any:
    try:
        import yaml
    except ImportError:
        raise ScenarioError(
            f"Reading {path} needs pyyaml: run `pip install pyyaml`, or write the file as JSON and name it *.json."
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ScenarioError(f"The scenario file {path} is not YAML: {' '.join(str(error).split())}.") from None


def _fields(where: str, value: Any, checks: Mapping[str, Check]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where} must be an object with {_words(checks, 'and')}, not {_shown(value)}.")
    for name in value:
        if name not in checks:
            near = difflib.get_close_matches(str(name), list(checks), 1)
            hint = f"Did you mean {near[0]}?" if near else f"It takes {_words(checks, 'and')}."
            raise ScenarioError(f"{where} has no `{name}`. {hint}")
    return {name: checks[name](f"{where}.{name}", item) for name, item in value.items()}


def _each(check: Check) -> Check:
    def many(where: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ScenarioError(f"{where} must be a list, not {_shown(value)}.")
        return tuple(check(f"{where}[{index}]", item) for index, item in enumerate(value))

    return many


def _one_of(words: Sequence[str]) -> Check:
    def word(where: str, value: Any) -> str:
        if value not in words:
            raise ScenarioError(f"{where} must be {_words(words, 'or')}, not {_shown(value)}.")
        return str(value)

    return word


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ScenarioError(f"{where} must be text, not {_shown(value)}; put it in quotes.")
    return value


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ScenarioError(f"{where} must be true or false, not {_shown(value)}.")
    return value


def _seconds(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ScenarioError(f"{where} must be a number of seconds, 0 or more, not {_shown(value)}.")
    return float(value)


def _count(least: int, most: int) -> Check:
    def count(where: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ScenarioError(f"{where} must be a whole number from {least} to {most}, not {_shown(value)}.")
        return value

    return count


def _times(where: str, value: Any) -> int | None:
    if value == ALWAYS:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ScenarioError(f"{where} must be a number from 1, or `{ALWAYS}`, not {_shown(value)}.")
    return value


def _retry_after(where: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{_seconds(where, value):g}"


def _answer(where: str, value: Any) -> Answer:
    if isinstance(value, str):
        return Answer(kind=_one_of(tuple(KINDS))(where, value))
    checks: dict[str, Check] = {
        "answer": _one_of(tuple(KINDS)), "status": _count(200, 599), "times": _times, "retry-after": _retry_after,
        "message": _text, "body": _text, "delay": _seconds, "created": _flag, "then": _one_of(FINAL),
    }  # fmt: skip
    found = _fields(where, value, checks)
    if not {"answer", "status", "delay"} & set(found):
        raise ScenarioError(f"{where} needs one of status, answer or delay, as in {{status: 503, times: 2}}.")
    kind = found.pop("answer", "")
    return Answer(kind=kind, **{name.replace("-", "_"): item for name, item in found.items()})


def _faults(operations: Sequence[str]) -> Check:
    def faults(where: str, value: Any) -> Faults:
        return _fields(where, value, {operation: _each(_answer) for operation in operations})

    return faults


def _steps(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(
        str(index).isdigit() and isinstance(text, str) for index, text in value.items()
    ):
        raise ScenarioError(f'{where} must be step numbers with messages, as in {{"4": "Element Selection Failed"}}.')
    return {str(index): text for index, text in value.items()}


def _row(where: str, value: Any) -> dict[str, Any]:
    checks: dict[str, Check] = {
        "name": _text, "status": _one_of(FINAL), "runs": _each(_one_of(FINAL)), "action": _text, "url": _text,
        "failed-steps": _steps,
    }  # fmt: skip
    return _fields(where, value, checks)


def _rows(where: str, value: Any) -> int | tuple[dict[str, Any], ...]:
    if isinstance(value, (int, float)):
        return int(_count(0, 10_000)(where, value))
    rows: tuple[dict[str, Any], ...] = _each(_row)(where, value)
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
    checks: dict[str, Check] = {
        "name": _text, "takes": _seconds, "status": _one_of(STATUSES), "tests": _rows, "faults": _faults(OPERATIONS),
        "history": _each(_one_of((*FINAL, "pending"))), "others": _count(0, 100), "bookmark": _text,
    }  # fmt: skip
    return _fields(where, value, checks)


def _suites(where: str, value: Any) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where} must be an object of suite ids, as in {{checkout: {{status: passed}}}}.")
    for suite in value:
        if not isinstance(suite, str) or not suite or any(sign.isspace() or sign == "/" for sign in suite):
            raise ScenarioError(f"{where}: {suite!r} is no suite id; write text without spaces and slashes.")
    return {suite: _suite(f"{where}.{suite}", item) for suite, item in value.items()}


def _scenarios(value: Any) -> Scenarios:
    checks: dict[str, Check] = {
        "suites": _suites,
        "keys": lambda where, item: _fields(where, item, {"refuse": _each(_text)}),
        "faults": _faults(SERVICE_OPERATIONS),
        "shape": lambda where, item: _fields(
            where, item, {**{name: _one_of(words) for name, words in SHAPES.items()}, "words": _spelling}
        ),
        "built-in": _flag,
    }
    found = _fields("scenarios", value, checks)
    own = found.get("suites", {})
    parts = own if not found.get("built-in", True) else {**_suites("built-in", builtin.SUITES), **own}
    suites = {name: _made(number, name, part) for number, (name, part) in enumerate(parts.items(), 1)}
    refused = frozenset((builtin.REFUSED_KEY, *found.get("keys", {}).get("refuse", ())))
    return Scenarios(suites, refused, found.get("faults", {}), Shape(**found.get("shape", {})))


def _spelling(where: str, value: Any) -> dict[str, str]:
    return _fields(where, value, dict.fromkeys(WORDS, _text))


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


def _words(words: Any, joint: str) -> str:
    *most, last = list(words)
    return f"{', '.join(most)} {joint} {last}" if most else str(last)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
