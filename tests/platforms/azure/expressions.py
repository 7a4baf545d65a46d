"""The expression language of Azure Pipelines: `${{ … }}`, conditions, and the success criteria of server tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^']|'')*')
    | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
    | (?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    | (?P<mark>[()\[\],.])
    )""",
    re.VERBOSE,
)


class ExpressionError(ValueError):
    """The expression is not one that Azure Pipelines documents."""


class Token(NamedTuple):
    """A piece of an expression."""

    kind: str
    text: str


def tokens_of(text: str) -> list[Token]:
    """Cut an expression into tokens."""
    found, at = [], 0
    while text[at:].strip():
        match = TOKEN.match(text, at)
        if not match or not match.lastgroup:
            raise ExpressionError(f"cannot read {text[at:]!r} in {text!r}")
        found.append(Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


def text_of(value: Any) -> str:
    """Convert to text as the language does: booleans as True and False, null as nothing, objects as nothing."""
    if value is None or isinstance(value, (dict, list)):
        return ""
    if isinstance(value, bool):
        return str(value)
    return str(value)


def truth_of(value: Any) -> bool:
    """Convert to a boolean: empty text, zero and null are false; objects are true."""
    return True if isinstance(value, (dict, list)) else bool(value)


def number_of(value: Any) -> float | None:
    """Convert to a number, None when that is not possible."""
    if isinstance(value, (dict, list)):
        return None
    if value is None or value == "":
        return 0.0
    try:
        return float(value)
    except ValueError:
        return None


def same(left: Any, right: Any) -> bool:
    """Compare as `eq` does: the right side is converted to the left side's type; text without regard to case."""
    if isinstance(left, (dict, list)) or isinstance(right, (dict, list)):
        return left is right
    if isinstance(left, bool):
        return left == truth_of(right)
    if isinstance(left, (int, float)):
        return left == number_of(right)
    if left is None:
        return right is None or right == ""
    return str(left).lower() == text_of(right).lower()


def order(left: Any, right: Any) -> int:
    """Compare as `lt` and the like do."""
    if isinstance(left, (bool, int, float)):
        a, b = float(left), number_of(right)
        if b is None:
            raise ExpressionError(f"{right!r} is not a number")
        return (a > b) - (a < b)
    x, y = text_of(left).lower(), text_of(right).lower()
    return (x > y) - (x < y)


def joined(separator: Any, values: Any) -> str:
    """Join the elements; what is no array becomes text by itself."""
    if isinstance(values, list):
        return text_of(separator).join(text_of(value) for value in values)
    return text_of(values)


def formatted(pattern: Any, *values: Any) -> str:
    """Fill {0}, {1} … ; doubled braces stay single ones."""

    def one(match: re.Match[str]) -> str:
        return match[0][0] if match[0] in ("{{", "}}") else text_of(values[int(match[1])])

    return re.sub(r"\{\{|\}\}|\{(\d+)\}", one, text_of(pattern))


def contains(left: Any, right: Any) -> bool:
    """Tell whether text contains text, without regard to case."""
    return text_of(right).lower() in text_of(left).lower()


def length(value: Any) -> int:
    """Return the length of text or of an array."""
    return len(value) if isinstance(value, (list, dict)) else len(text_of(value))


def count(value: Any) -> int:
    """Return the number of elements (success criteria only)."""
    if not isinstance(value, list):
        raise ExpressionError(f"count of something that is no array: {value!r}")
    return len(value)


Function = Callable[..., Any]
FUNCTIONS: Mapping[str, Function] = {
    "and": lambda *values: all(map(truth_of, values)),
    "or": lambda *values: any(map(truth_of, values)),
    "not": lambda value: not truth_of(value),
    "xor": lambda left, right: truth_of(left) != truth_of(right),
    "eq": same,
    "ne": lambda left, right: not same(left, right),
    "lt": lambda left, right: order(left, right) < 0,
    "le": lambda left, right: order(left, right) <= 0,
    "gt": lambda left, right: order(left, right) > 0,
    "ge": lambda left, right: order(left, right) >= 0,
    "in": lambda left, *rest: any(same(left, one) for one in rest),
    "notin": lambda left, *rest: not any(same(left, one) for one in rest),
    "contains": contains,
    "containsvalue": lambda values, one: any(
        same(one, value) for value in (values.values() if isinstance(values, dict) else values)
    ),
    "startswith": lambda left, right: text_of(left).lower().startswith(text_of(right).lower()),
    "endswith": lambda left, right: text_of(left).lower().endswith(text_of(right).lower()),
    "join": joined,
    "format": formatted,
    "length": length,
    "lower": lambda value: text_of(value).lower(),
    "upper": lambda value: text_of(value).upper(),
    "trim": lambda value: text_of(value).strip(),
    "replace": lambda value, old, new: text_of(value).replace(text_of(old), text_of(new)),
    "split": lambda value, by: text_of(value).split(text_of(by)),
    "coalesce": lambda *values: next((value for value in values if value is not None and value != ""), ""),
    "converttojson": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
}


class Evaluator:
    """Evaluates one expression. names: what `parameters`, `variables` … are; functions come on top of the common ones."""

    def __init__(self, text: str, names: Mapping[str, Any], functions: Mapping[str, Function] | None = None) -> None:
        self.text = text
        self.tokens = tokens_of(text)
        self.at = 0
        self.names = {name.lower(): value for name, value in names.items()}
        self.functions = {**FUNCTIONS, **{name.lower(): function for name, function in (functions or {}).items()}}

    def value(self) -> Any:
        """Return the value of the whole expression."""
        if not self.tokens:
            raise ExpressionError("an empty expression")
        result = self.one()
        if self.at != len(self.tokens):
            raise ExpressionError(f"unexpected {self.tokens[self.at].text!r} in {self.text!r}")
        return result

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < len(self.tokens) else ""

    def take(self, expected: str = "") -> Token:
        if self.at >= len(self.tokens) or (expected and self.peek() != expected):
            raise ExpressionError(f"expected {expected or 'more'} after token {self.at} of {self.text!r}")
        self.at += 1
        return self.tokens[self.at - 1]

    def one(self) -> Any:
        token = self.take()
        if token.kind == "string":
            return token.text[1:-1].replace("''", "'")
        if token.kind == "number":
            return float(token.text) if "." in token.text else int(token.text)
        if token.kind != "name":
            raise ExpressionError(f"unexpected {token.text!r} in {self.text!r}")
        name = token.text.lower()
        if self.peek() == "(":
            return self.tail(self.call(name))
        if name in ("true", "false"):
            return name == "true"
        if name == "null":
            return None
        if name not in self.names:
            raise ExpressionError(f"unknown name {token.text!r} in {self.text!r}")
        return self.tail(self.names[name])

    def call(self, name: str) -> Any:
        self.take("(")
        values = []
        while self.peek() != ")":
            values.append(self.one())
            if self.peek() != ")":
                self.take(",")
        self.take(")")
        if name not in self.functions:
            raise ExpressionError(f"unknown function {name!r} in {self.text!r}")
        try:
            return self.functions[name](*values)
        except TypeError as error:
            raise ExpressionError(f"{name}: {error} in {self.text!r}") from error

    def tail(self, value: Any) -> Any:
        while self.peek() in (".", "["):
            if self.take().text == ".":
                key: Any = self.take().text
            else:
                key = self.one()
                self.take("]")
            value = member(value, key)
        return value


def member(value: Any, key: Any) -> Any:
    """Return a member of an object (names without regard to case) or an element of an array; null when it has none."""
    if isinstance(value, Mapping):
        return next((item for name, item in value.items() if str(name).lower() == str(key).lower()), None)
    if isinstance(value, list):
        index = number_of(key)
        return value[int(index)] if index is not None and 0 <= index < len(value) else None
    return None


def evaluate(text: str, names: Mapping[str, Any], functions: Mapping[str, Function] | None = None) -> Any:
    """Return the value of an expression."""
    return Evaluator(text, names, functions).value()
