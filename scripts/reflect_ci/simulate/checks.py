"""Checks of single values in a scenario file; each refusal is a sentence with the place and what to write there."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable

from reflect_ci.simulate.scenarios import ScenarioError

Check = Callable[[str, Any], Any]


def fields(where: str, value: Any, checks: Mapping[str, Check]) -> dict[str, Any]:
    """Check an object: only these members, each by its own check. Return what the checks made of them."""
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where} must be an object with {words(checks, 'and')}, not {shown(value)}.")
    for name in value:
        if name not in checks:
            near = difflib.get_close_matches(str(name), list(checks), 1)
            hint = f"Did you mean {near[0]}?" if near else f"It takes {words(checks, 'and')}."
            raise ScenarioError(f"{where} has no `{name}`. {hint}")
    return {name: checks[name](f"{where}.{name}", item) for name, item in value.items()}


def each(check: Check) -> Check:
    """Return the check of a list, each item by this one."""

    def many(where: str, value: Any) -> tuple[Any, ...]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ScenarioError(f"{where} must be a list, not {shown(value)}.")
        return tuple(check(f"{where}[{index}]", item) for index, item in enumerate(value))

    return many


def one_of(known: Sequence[str]) -> Check:
    """Return the check of a word out of these."""

    def word(where: str, value: Any) -> str:
        if value not in known:
            raise ScenarioError(f"{where} must be {words(known, 'or')}, not {shown(value)}.")
        return str(value)

    return word


def text(where: str, value: Any) -> str:
    """Check a text."""
    if not isinstance(value, str):
        raise ScenarioError(f"{where} must be text, not {shown(value)}; put it in quotes.")
    return value


def flag(where: str, value: Any) -> bool:
    """Check true or false."""
    if not isinstance(value, bool):
        raise ScenarioError(f"{where} must be true or false, not {shown(value)}.")
    return value


def seconds(where: str, value: Any) -> float:
    """Check a number of seconds."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
        raise ScenarioError(f"{where} must be a number of seconds, 0 or more, not {shown(value)}.")
    return float(value)


def count(least: int, most: int) -> Check:
    """Return the check of a whole number in these bounds."""

    def whole(where: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ScenarioError(f"{where} must be a whole number from {least} to {most}, not {shown(value)}.")
        return value

    return whole


def words(items: Iterable[str], joint: str) -> str:
    """Return the words as people list them: a, b and c."""
    *most, last = list(items)
    return f"{', '.join(most)} {joint} {last}" if most else str(last)


def shown(value: Any) -> str:
    """Return a value as it may stand in a sentence."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."
