"""What a rule is, and how rules are found.

A rule is a generator function with an id and a sentence (its docstring), registered by `@rule("id")`. It is given a
Tree and yields a Finding for each place that breaks it. Examples of it are small trees in tests/catalog/<id>/:
`accepted*/` must give no finding, every `refused*/` at least one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from catalog.tree import Tree


@dataclass(frozen=True)
class Finding:
    """One place that breaks a rule. The message says what is wrong and what to write."""

    path: Path
    message: str
    line: int = 0


Check = Callable[[Tree], Iterator[Finding]]


@dataclass(frozen=True)
class Rule:
    """A rule: its id, the sentence that it enforces, and the check."""

    id: str
    sentence: str
    check: Check


RULES: dict[str, Rule] = {}


def rule(id_: str) -> Callable[[Check], Check]:
    """Register a check under an id; its docstring's first paragraph is the sentence."""

    def register(check: Check) -> Check:
        if not check.__doc__:
            raise ValueError(f"rule {id_} has no docstring, so no sentence")
        if id_ in RULES:
            raise ValueError(f"two rules have the id {id_}")
        sentence = " ".join(check.__doc__.split("\n\n")[0].split())
        RULES[id_] = Rule(id_, sentence, check)
        return check

    return register


def all_rules() -> list[Rule]:
    """Load every module of catalog.rules and return the rules in the order of their ids."""
    package = importlib.import_module("catalog.rules")
    for info in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{info.name}")
    return [RULES[id_] for id_ in sorted(RULES)]


def findings(tree: Tree, rules: Iterable[Rule]) -> Iterator[tuple[Rule, Finding]]:
    """Yield what breaks the rules in the tree."""
    for each in rules:
        for finding in each.check(tree):
            yield each, finding
