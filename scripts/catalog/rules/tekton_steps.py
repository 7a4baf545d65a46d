"""Rules on the steps of the Tekton Tasks: the key, the shell that is not there, the security context."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from catalog.manifests import PACKAGES, PARAM, manifests, packages
from catalog.rule import Finding, rule
from catalog.tree import Tree

SHELLS = re.compile(r"(?:^|/)(?:ba|da|z|k|a)?sh$|(?:^|/)(?:busybox|env|pwsh)$")
SECRET_NAME = re.compile(r"(?i)(api-?_?key|token|password|passwd|credential|secret)")
# Names and places of secrets are no secrets.
HARMLESS_NAME = re.compile(r"(?i)(-file|-name|-secret|^secret-key)$")


@rule("tekton-key")
def tekton_key(tree: Tree) -> Iterator[Finding]:
    """The key comes from a Secret, never by a param, and stands behind everything that could quote it.

    Kubernetes expands $(NAME) in an environment variable's value from the entries above it, and in arguments from all.
    """
    for each in manifests(tree, *PACKAGES):
        for param in each.spec.get("params") or []:
            name = str(param.get("name"))
            if SECRET_NAME.search(name) and not HARMLESS_NAME.search(name):
                yield each.finding(
                    f"the param {name} would hold a secret: everybody who may read TaskRuns reads params"
                )
        for step in each.steps:
            env = step.get("env") or []
            first = next(
                (index for index, item in enumerate(env) if "secretKeyRef" in (item.get("valueFrom") or {})), len(env)
            )
            for item in env[first:]:
                if "value" in item:
                    yield each.finding(
                        f"{item.get('name')} stands behind a secret, so its value could quote it: secrets come last"
                    )
            for item in env:
                if item.get("name") in ("REFLECT_API_KEY", "AZURE_TOKEN") and "secretKeyRef" not in (
                    item.get("valueFrom") or {}
                ):
                    yield each.finding(f"{item['name']} does not come from a Secret")


@rule("tekton-no-shell")
def tekton_no_shell(tree: Tree) -> Iterator[Finding]:
    """A step has neither a script nor a shell: params reach the runner by the environment, or as whole arguments."""
    for each in manifests(tree, "Task", "StepAction"):
        for step in each.steps:
            if "ref" in step:  # a StepAction, which is checked itself
                continue
            if "script" in step:
                yield each.finding("a step has a script; call reflect-ci and pass params by env")
            command = [str(word) for word in step.get("command") or []]
            if not command:
                yield each.finding(
                    "a step has no command: the entry point of an image is not looked up without a registry"
                )
            if any(SHELLS.search(word) for word in [*command, *map(str, (step.get("args") or [])[:1])]):
                yield each.finding("a step starts a shell; call reflect-ci itself")
            if any(PARAM.search(word) for word in command):
                yield each.finding("a param in `command` chooses the program that runs")


@rule("tekton-security")
def tekton_security(tree: Tree) -> Iterator[Finding]:
    """Every step runs in a namespace of the level `restricted`, with a read-only root and known resources, from a full image name."""
    wanted = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for each in manifests(tree, "Task", "StepAction"):
        for step in each.steps:
            if "ref" in step:
                continue
            context = step.get("securityContext") or {}
            for field, value in wanted.items():
                if context.get(field) != value:
                    yield each.finding(f"securityContext.{field} is {context.get(field)!r}; write {value!r}")
            resources = step.get("computeResources") or {}
            if each.kind == "Task" and not (resources.get("requests") and resources.get("limits", {}).get("memory")):
                yield each.finding("computeResources has no requests or no memory limit")
            registry, slash, _ = str(step.get("image", "")).partition("/")
            if not slash or "." not in registry:
                yield each.finding("the image has no registry in its name, so each cluster takes it from elsewhere")


@rule("tekton-step-equal")
def tekton_step_equal(tree: Tree) -> Iterator[Finding]:
    """The StepAction reflect-run is the step of the Task reflect-run, in all but the place of its results."""
    found = {each.kind: each for each in packages(tree) if each.name == "reflect-run"}
    if "StepAction" not in found:
        return
    action, task = found["StepAction"], found.get("Task")
    if task is None:
        yield action.finding("there is no Task reflect-run")
        return
    step = task.steps[0]
    for part in ("params", "results"):
        if action.spec.get(part) != task.spec.get(part):
            yield action.finding(f"its {part} are not those of the Task")
    for part in ("image", "command", "args", "workingDir", "securityContext"):
        if action.spec.get(part) != step.get(part):
            yield action.finding(f"its {part} is not that of the Task")
    if _environment(action.spec) != _environment(step):
        yield action.finding("its env is not that of the Task")


def _environment(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [item for item in step.get("env") or [] if item.get("name") != "TEKTON_RESULTS_DIR"]
