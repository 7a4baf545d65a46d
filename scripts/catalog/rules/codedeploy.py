"""Rules on CodeDeploy's files: AppSpec files, the SAM template, the state machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from catalog.rule import Finding, rule
from catalog.tree import ROOT, Tree, nodes

FOLDER = "tasks/codedeploy"
SCHEMA = ROOT / "schemas" / "codedeploy-appspec.schema.json"
# Repeating these tasks' errors could start the suites twice: only Lambda's "not run" is safe.
NOT_RUN = {"Lambda.TooManyRequestsException"}


def resources(tree: Tree) -> Iterator[tuple[Path, dict[str, Any], dict[str, dict[str, Any]]]]:
    """Yield each template with its resources."""
    for path in tree.files(FOLDER, suffixes=("template.yaml",)):
        for document in tree.documents(path):
            yield path, document, document.get("Resources") or {}


@rule("codedeploy-appspec")
def appspec(tree: Tree) -> Iterator[Finding]:
    """An AppSpec file has the hooks of its kind of deployment and nothing that CodeDeploy does not know; a server's script has a timeout and a user."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    for path in tree.files(FOLDER, suffixes=("appspec.yaml", "appspec.yml")):
        for document in tree.documents(path):
            for error in validator.iter_errors(document):
                best = jsonschema.exceptions.best_match([error])
                yield Finding(path, f"{'/'.join(map(str, best.path)) or 'the file'}: {best.message[:200]}")
            hooks = document.get("hooks") if isinstance(document, dict) else None
            for event, scripts in (hooks if isinstance(hooks, dict) else {}).items():
                for script in scripts:
                    for name in ("timeout", "runas"):
                        if name not in script:
                            yield Finding(path, f"{event}: {script.get('location')} has no {name}")


@rule("codedeploy-least-rights")
def least_rights(tree: Tree) -> Iterator[Finding]:
    """No role of the template may do everything of a service, or something to everything, and none has a managed policy."""
    for path, document, _ in resources(tree):
        for _, node in nodes(document):
            if isinstance(node, dict) and "Effect" in node and "Action" in node:
                for name in ("Action", "Resource"):
                    value = node.get(name, [])
                    for each in value if isinstance(value, list) else [value]:
                        if isinstance(each, str) and "*" in each:
                            yield Finding(path, f"{name} {each!r}: name what is needed")
            if isinstance(node, dict) and "ManagedPolicyArns" in node:
                yield Finding(path, "ManagedPolicyArns allow more than is needed: write the statements")


@rule("codedeploy-once")
def once(tree: Tree) -> Iterator[Finding]:
    """Nothing starts the suites twice: Lambda does not repeat the hook, and the state machine repeats its start only when it was not run."""
    for path, _, found in resources(tree):
        for name, resource in found.items():
            properties = resource.get("Properties") or {}
            if properties.get("Handler") != "codedeploy_hook.handler":
                continue
            invoke = properties.get("EventInvokeConfig") or {}
            if invoke.get("MaximumRetryAttempts") != 0:
                yield Finding(path, f"{name}: write EventInvokeConfig with MaximumRetryAttempts: 0")
            if not (invoke.get("DestinationConfig") or {}).get("OnFailure"):
                yield Finding(path, f"{name}: without DestinationConfig OnFailure nobody reports when its process dies")
    for path in tree.files(FOLDER, suffixes=(".asl.json",)):
        for document in tree.documents(path):
            start = document["States"][document["StartAt"]]
            for retry in start.get("Retry", []):
                if not set(retry["ErrorEquals"]) <= NOT_RUN:
                    yield Finding(path, f"{document['StartAt']} is repeated after {', '.join(retry['ErrorEquals'])}")
            for name, state in document["States"].items():
                if state["Type"] == "Task" and not any(
                    "States.ALL" in c["ErrorEquals"] for c in state.get("Catch", [])
                ):
                    yield Finding(path, f"{name} has no Catch for States.ALL: its crash would be reported by nobody")
