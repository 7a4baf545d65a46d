"""Executor of the part of the Amazon States Language that reflect-verdict.asl.json uses; anything else is an error.

Task (Lambda's invoke, and CodeDeploy's operation by real boto3), Choice, Pass, Succeed and Fail; Parameters, OutputPath,
ResultPath, Retry and Catch. Waits between retries are not slept.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

FIELDS = {
    "Task": {"Resource", "Parameters", "OutputPath", "ResultPath", "TimeoutSeconds", "Retry", "Catch", "Next"},
    "Choice": {"Choices", "Default"},
    "Pass": {"Parameters", "Next"},
    "Succeed": set(),
    "Fail": {"Error", "Cause"},
}


class TaskFailed(Exception):
    """A task's error, by its name in the States Language."""

    def __init__(self, name: str):
        super().__init__(name)
        self.name = name


@dataclass
class Run:
    """One execution: the states in their order, how it ended, and what stood in it then."""

    states: list[str] = field(default_factory=list)
    succeeded: bool = False
    value: Any = None


def at(path: str, value: Any) -> Any:
    """Return what a reference path ($ or $.a.b) leads to."""
    for name in path.removeprefix("$").strip(".").split("."):
        value = value[name] if name else value
    return value


def filled(template: Any, value: Any) -> Any:
    """Fill a Parameters template."""
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): at(inner, value) if name.endswith(".$") else filled(inner, value)
        for name, inner in template.items()
    }


def placed(state: Mapping[str, Any], value: Any, result: Any) -> Any:
    """Put a result where ResultPath says, then take what OutputPath says."""
    path = state.get("ResultPath", "$")
    if path is None:
        output = value
    elif path == "$":
        output = result
    else:
        output = copy.deepcopy(value)
        output[path.removeprefix("$.")] = result
    return at(state.get("OutputPath", "$"), output)


def named(rules: list[dict[str, Any]], error: str) -> dict[str, Any] | None:
    """Return the first rule that names the error."""
    return next((rule for rule in rules if {error, "States.ALL"} & set(rule["ErrorEquals"])), None)


def task(state: Mapping[str, Any], value: Any, resources: Mapping[str, Callable[[Any], Any]]) -> tuple[Any, str]:
    """Do a task with its repetitions; return what comes after it and the next state."""
    tries: dict[int, int] = {}
    while True:
        try:
            result = resources[state["Resource"]](filled(state["Parameters"], value))
            return placed(state, value, result), state["Next"]
        except TaskFailed as failure:
            rule = named(state.get("Retry", []), failure.name)
            tries[id(rule)] = tries.get(id(rule), 0) + 1
            if rule and tries[id(rule)] <= rule.get("MaxAttempts", 3):
                continue
            catch = named(state.get("Catch", []), failure.name)
            if not catch:
                raise
            return placed({"ResultPath": catch["ResultPath"]}, value, {"Error": failure.name}), catch["Next"]


def choose(state: Mapping[str, Any], value: Any) -> str:
    """Return the state that a Choice leads to."""
    for choice in state["Choices"]:
        assert set(choice) - {"Variable", "Next"} <= {"BooleanEquals", "StringEquals"}, choice
        wanted = choice.get("BooleanEquals", choice.get("StringEquals"))
        found = at(choice["Variable"], value)
        if type(found) is type(wanted) and found == wanted:
            return str(choice["Next"])
    return str(state["Default"])


def execute(text: str, value: Any, resources: Mapping[str, Callable[[Any], Any]], limit: int = 50) -> Run:
    """Run a definition with its input to the end."""
    definition = json.loads(text)
    run, name = Run(), definition["StartAt"]
    while True:
        state = definition["States"][name]
        unknown = set(state) - FIELDS[state["Type"]] - {"Type", "Comment"}
        assert not unknown, f"{name}: the executor does not know {unknown}"
        run.states.append(name)
        run.value = value
        assert len(run.states) <= limit, run.states
        if state["Type"] in ("Succeed", "Fail"):
            run.succeeded = state["Type"] == "Succeed"
            return run
        if state["Type"] == "Task":
            value, name = task(state, value, resources)
        elif state["Type"] == "Choice":
            name = choose(state, value)
        else:
            value, name = filled(state["Parameters"], value), state["Next"]
