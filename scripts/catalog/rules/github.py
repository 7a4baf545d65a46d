"""Rules on GitHub's actions and workflows, beyond what its linters know."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree
from reflect_ci.inputs import BY_NAME, RUN, RUNNER, for_command

INPUT = re.compile(r"\$\{\{.*?\binputs\.([\w-]+)", re.DOTALL)
STARTS = re.compile(r"reflect-ci/catalog/tasks/github/reflect-(?:run|wait)@")
CANCELS = re.compile(r"reflect-ci/catalog/tasks/github/reflect-cancel@")
# What a reusable workflow takes beside the runner's inputs, and what it cannot take: a file of the caller's machine.
REUSABLE_ADDS = {"runs-on", "job-timeout", "artifact"}
REUSABLE_OMITS = {"api-key-file"}

OUTPUTS = ("verdict", "executions", "execution-id", "execution-url", "exit-code", "report-dir")


def actions(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the actions that run the runner."""
    for path in sorted((tree.root / "tasks" / "github").glob("reflect-*/action.yml")):
        for document in tree.documents(path)[:1]:
            if path.parent.name != "reflect-comment":
                yield path, document


def workflows(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the workflows that users copy or call."""
    for folder in (".github/workflows", "tasks/github/samples"):
        for path in sorted((tree.root / folder).glob("*.yml")):
            for document in tree.documents(path)[:1]:
                yield path, document


def trigger(workflow: dict[Any, Any], name: str) -> dict[str, Any] | None:
    """Return a workflow's trigger, None when it has none of that name. YAML 1.1 reads the key `on` as true."""
    on = workflow.get("on", workflow.get(True))
    return (on.get(name) or {}) if isinstance(on, dict) and name in on else None


@rule("github-inputs-bound")
def inputs_bound(tree: Tree) -> Iterator[Finding]:
    """An action hands every input to the runner by the input's own variable, in the step that runs it."""
    for path, action in actions(tree):
        steps = action["runs"]["steps"]
        bound = steps[-1].get("env", {})
        for name in action["inputs"]:
            variable = BY_NAME[name].env if name in BY_NAME else ""
            found = INPUT.search(str(bound.get(variable, "")))
            if not found or found[1] != name:
                yield Finding(
                    path,
                    f"the input {name} is not bound: write `{variable}: ${{{{ inputs.{name} }}}}` in the last step's env",
                )


@rule("github-outputs")
def outputs(tree: Tree) -> Iterator[Finding]:
    """An action that waits hands on every output of the runner, each from the step's output of the same name."""
    for path, action in actions(tree):
        if "timeout" not in action["inputs"]:
            continue  # it has no verdict
        found = action.get("outputs", {})
        for name in OUTPUTS:
            value = f"${{{{ steps.run.outputs.{name} }}}}"
            if found.get(name, {}).get("value") != value:
                yield Finding(path, f"the output {name}: write `value: {value}`")
        if action["runs"]["steps"][-1].get("id") != "run":
            yield Finding(path, "the step that runs the runner has not the id run")


@rule("github-exec")
def exec_(tree: Tree) -> Iterator[Finding]:
    """The step that runs the runner ends with `exec`: GitHub signals a cancelled step's first process and no other."""
    for path, action in actions(tree):
        last = action["runs"]["steps"][-1]["run"].strip().splitlines()[-1]
        if not last.startswith("exec "):
            yield Finding(path, f"its script ends with `{last}`: begin the line with exec")


@rule("github-cleans-up")
def cleans_up(tree: Tree) -> Iterator[Finding]:
    """A job that starts executions cancels what is left in a step of its own `if: cancelled()`, or a later job does."""
    for path, workflow in workflows(tree):
        jobs = workflow.get("jobs", {})
        later = any(
            "cancelled()" in str(job.get("if", "")).replace("!cancelled()", "")
            and any(CANCELS.match(step.get("uses", "")) for step in job.get("steps", []))
            for job in jobs.values()
        )
        for name, job in jobs.items():
            steps = job.get("steps", [])
            starts = any(STARTS.match(step.get("uses", "")) for step in steps)
            own = any(CANCELS.match(step.get("uses", "")) and step.get("if") == "cancelled()" for step in steps)
            if starts and not own and not later:
                yield Finding(
                    path,
                    f"the job {name} leaves its executions running when it is cancelled: add reflect-cancel `if: cancelled()`",
                )


@rule("github-least-rights")
def least_rights(tree: Tree) -> Iterator[Finding]:
    """A workflow has `permissions: {}`, each of its jobs says what it needs, and a job that waits has a time limit."""
    for path, workflow in workflows(tree):
        if workflow.get("permissions") != {}:
            yield Finding(path, "write `permissions: {}` at the top")
        for name, job in workflow.get("jobs", {}).items():
            if "permissions" not in job:
                yield Finding(
                    path, f"the job {name} does not say which permissions it needs: write `permissions: {{}}` for none"
                )
            waits = any(STARTS.match(step.get("uses", "")) for step in job.get("steps", []))
            if waits and "timeout-minutes" not in job:
                yield Finding(path, f"the job {name} has GitHub's limit of six hours: write timeout-minutes")


@rule("github-reusable-inputs")
def reusable_inputs(tree: Tree) -> Iterator[Finding]:
    """A reusable workflow takes the inputs of `run` with their defaults, and hands each on."""
    wanted = {row.name: row for row in (*for_command(RUN), RUNNER) if not row.secret and row.name not in REUSABLE_OMITS}
    for path, workflow in workflows(tree):
        call = trigger(workflow, "workflow_call")
        if call is None:
            continue
        found = call.get("inputs", {})
        handed = [
            step.get("with", {})
            for job in workflow["jobs"].values()
            for step in job["steps"]
            if STARTS.match(step.get("uses", ""))
        ]
        for name, row in wanted.items():
            if name not in found:
                yield Finding(path, f"the input {name} is missing")
                continue
            default = found[name].get("default", "")
            text = str(default).lower() if isinstance(default, bool) else str(default)
            if text not in ("", row.default):
                yield Finding(path, f"{name} has the default {text!r}; the input table has {row.default!r}")
            if any(values.get(name) != f"${{{{ inputs.{name} }}}}" for values in handed):
                yield Finding(path, f"{name} is not handed on: write `{name}: ${{{{ inputs.{name} }}}}`")
        for name in found:
            if name not in wanted and name not in REUSABLE_ADDS:
                yield Finding(path, f"{name} is no input of `run`")
