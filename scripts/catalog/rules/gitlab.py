"""Rules on GitLab's components: what GitLab does to their text, and what a job has to leave behind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree
from reflect_ci.inputs import BY_NAME

GLOBAL = {
    "default",
    "variables",
    "stages",
    "workflow",
    "image",
    "services",
    "cache",
    "before_script",
    "after_script",
    "include",
    "pages",
}
ONE_LINE = r"^[^\n\r]*$"


def components(tree: Tree) -> Iterator[tuple[Path, dict[str, Any], dict[str, Any]]]:
    """Yield each component's file, its inputs and the document with its jobs."""
    for path in sorted((tree.root / "tasks" / "gitlab" / "templates").glob("*.yml")):
        documents = tree.documents(path)
        if len(documents) == 2:
            yield path, documents[0]["spec"]["inputs"], documents[1]


@rule("gitlab-header")
def header(tree: Tree) -> Iterator[Finding]:
    """A component is two documents: its inputs, each with a description, and one job whose name is an input."""
    for path in sorted((tree.root / "tasks" / "gitlab" / "templates").glob("*.yml")):
        documents = tree.documents(path)
        if len(documents) != 2 or not isinstance(documents[0], dict) or "spec" not in documents[0]:
            yield Finding(path, "write `spec: inputs:`, a line `---`, and the job")
            continue
        for name, row in documents[0]["spec"]["inputs"].items():
            if not (row or {}).get("description"):
                yield Finding(path, f"the input {name} has no description")
        for key in documents[1]:
            if key in GLOBAL:
                yield Finding(path, f"{key} would change every job of the user's pipeline: write it in the job")
            elif key != "$[[ inputs.job-name ]]":
                yield Finding(path, f"the job {key} collides when the component is included twice: name it by an input")


@rule("gitlab-inputs-bound")
def inputs_bound(tree: Tree) -> Iterator[Finding]:
    """Every input of the runner is bound to its variable, as a block scalar when it is text: GitLab fills in before YAML is read."""
    for path, inputs, _ in components(tree):
        text = tree.text(path) or ""
        for name, row in inputs.items():
            if name not in BY_NAME:
                continue
            place = rf"\$\[\[ inputs\.{re.escape(name)} \]\]$"
            if row.get("type", "string") == "string" and "options" not in row:
                pattern = rf"(?m)^    {BY_NAME[name].env}: \|-\n      {place}"
                form = f"{BY_NAME[name].env}: |- and below it $[[ inputs.{name} ]]"
            else:
                place = place.removesuffix("$")
                pattern = rf"(?m)^    {BY_NAME[name].env}: (?:\"{place}\"|{place})$"
                form = f'{BY_NAME[name].env}: "$[[ inputs.{name} ]]"'
            if not re.search(pattern, text):
                yield Finding(path, f"the input {name} is not bound: write `{form}` in the job's variables")


@rule("gitlab-one-line")
def one_line(tree: Tree) -> Iterator[Finding]:
    """Text that reaches a variable is one line by the input's own pattern: a second one would be read as keys of the job."""
    for path, inputs, _ in components(tree):
        for name, row in inputs.items():
            free = row.get("type", "string") == "string" and "options" not in row
            if name in BY_NAME and free and row.get("regex") != ONE_LINE:
                yield Finding(path, f"the input {name} takes several lines: write `regex: '{ONE_LINE}'`")


@rule("gitlab-leaves-nothing")
def leaves_nothing(tree: Tree) -> Iterator[Finding]:
    """A job that waits keeps its reports whatever happens, and its after_script cancels what a killed runner left."""
    for path, inputs, document in components(tree):
        if "timeout" not in inputs:
            continue  # it waits for nothing
        for job in document.values():
            if not isinstance(job, dict):
                continue
            if "reflect-run.sh cancel" not in " ".join(job.get("after_script", [])):
                yield Finding(path, "its after_script cancels nothing: GitLab runs it also for a cancelled job")
            artifacts = job.get("artifacts", {})
            reports = artifacts.get("reports", {})
            if artifacts.get("when") != "always" or "junit" not in reports or "dotenv" not in reports:
                yield Finding(path, "write `artifacts: when: always` with `reports:` junit and dotenv")


@rule("gitlab-key-is-no-input")
def key_is_no_input(tree: Tree) -> Iterator[Finding]:
    """The key is a CI/CD variable, never an input: inputs are shown in the merged YAML."""
    for path, inputs, document in components(tree):
        if "api-key" in inputs:
            yield Finding(path, "api-key is an input: leave it to the variable REFLECT_API_KEY")
        for job in document.values():
            if isinstance(job, dict) and "REFLECT_API_KEY" in job.get("variables", {}):
                yield Finding(path, "the job sets REFLECT_API_KEY: the project's variable reaches it without")
