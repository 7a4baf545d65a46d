"""Rules on Azure's files: templates and samples (YAML), gates (JSON), and the extension."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes

FOLDER = "tasks/azure-devops"
SERVER_TASK = "InvokeRESTAPI"
# `$(Name)` as Azure replaces it; `$(command with words)` is the shell's own.
MACRO = re.compile(r"\$\([A-Za-z_][\w.]*\)")
TOKEN = re.compile(r"system\.accesstoken|authtoken", re.IGNORECASE)
SECRET_NAME = re.compile(r"(?i)^(api)?key$|secret$|token$|password$")


def pipelines(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the templates and samples with their content."""
    for path in tree.files(FOLDER, suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            if isinstance(document, dict):
                yield path, document


def mappings(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping inside."""
    for _, node in nodes(document):
        if isinstance(node, dict):
            yield node


def server_tasks(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the inputs of every server task in the YAML files and of every gate in JSON."""
    for path, document in pipelines(tree):
        for node in mappings(document):
            if str(node.get("task", "")).startswith(SERVER_TASK):
                yield path, node.get("inputs") or {}
    for path, gate in gates(tree):
        yield path, gate.get("inputs") or {}


def gates(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the gates: JSON files that name the server task."""
    for path in tree.files(FOLDER, suffixes=(".json",)):
        for document in tree.documents(path):
            if isinstance(document, dict) and document.get("name") == SERVER_TASK:
                yield path, document


@rule("azure-headers")
def azure_headers(tree: Tree) -> Iterator[Finding]:
    """A server task always gives its headers, and the build's own token is not in them: the default headers would send it away."""
    for path, inputs in server_tasks(tree):
        if not str(inputs.get("headers", "")).strip():
            yield Finding(
                path, f"{SERVER_TASK} without headers: its default sends the build's access token; write them"
            )
        elif TOKEN.search(str(inputs["headers"])):
            yield Finding(path, "the build's access token is in the headers: leave it out")


@rule("azure-server-job")
def azure_server_job(tree: Tree) -> Iterator[Finding]:
    """A server task stands in a job with `pool: server`, and such a job has nothing else."""
    for path, document in pipelines(tree):
        allowed: set[int] = set()
        for node in mappings(document):
            if "job" in node and node.get("pool") == "server":
                for step in mappings(node.get("steps")):
                    allowed.add(id(step))
                    other = [key for key in ("bash", "script", "pwsh", "powershell", "checkout") if key in step]
                    if other:
                        yield Finding(path, f"{other[0]} in a job with pool: server, which has no agent")
        for node in mappings(document):
            if str(node.get("task", "")).startswith(SERVER_TASK) and id(node) not in allowed:
                yield Finding(path, f"{SERVER_TASK} outside of a job with pool: server is not valid")


@rule("azure-gate-get")
def azure_gate_get(tree: Tree) -> Iterator[Finding]:
    """A gate only reads, and has criteria: it is evaluated again and again, so a POST in it would start a run each time."""
    for path, gate in gates(tree):
        inputs = gate.get("inputs") or {}
        if inputs.get("method") != "GET":
            yield Finding(path, f"the gate's method is {inputs.get('method', 'POST (the default)')}: write GET")
        if not inputs.get("successCriteria"):
            yield Finding(path, "a gate without successCriteria opens on any answer of status 200")


@rule("azure-secret-by-name")
def azure_secret_by_name(tree: Tree) -> Iterator[Finding]:
    """A parameter holds the name of a secret variable, never the secret: parameters show in the expanded YAML."""
    for path, document in pipelines(tree):
        for row in document.get("parameters") or []:
            if isinstance(row, dict) and SECRET_NAME.search(str(row.get("name", ""))):
                yield Finding(
                    path,
                    f"the parameter {row['name']} would hold a secret: take the name of a variable, as {row['name']}Variable",
                )


@rule("azure-typed-parameters")
def azure_typed_parameters(tree: Tree) -> Iterator[Finding]:
    """Every parameter of a template declares its type, so that Azure refuses a mistake when it compiles the pipeline."""
    for path, document in pipelines(tree):
        for row in document.get("parameters") or []:
            if isinstance(row, dict) and "name" in row and "type" not in row:
                yield Finding(path, f"the parameter {row['name']} has no type")


@rule("azure-no-macro")
def azure_no_macro(tree: Tree) -> Iterator[Finding]:
    """No `$(variable)` stands in a script: Azure would put its value into the text before the shell reads it."""
    for path, document in pipelines(tree):
        for node in mappings(document):
            for key in ("bash", "script", "pwsh", "powershell"):
                match = MACRO.search(node[key]) if isinstance(node.get(key), str) else None
                if match:
                    yield Finding(path, f"{match.group()} in a script: map it in env and write it as a shell variable")


@rule("azure-cancel")
def azure_cancel(tree: Tree) -> Iterator[Finding]:
    """A step that starts or awaits suites is not begun in a cancelled build, and a cancelling step follows it."""
    for path, document in pipelines(tree):
        steps = document.get("steps")
        if not isinstance(steps, list):
            continue
        follows = any("reflect-cancel" in str(node.get("template", "")) for node in mappings(steps))
        for step in steps:
            script = step.get("bash") if isinstance(step, dict) else None
            if not isinstance(script, str) or "reflect-bootstrap: begin" not in script or "set -- cancel" in script:
                continue
            if not str(step.get("condition", "")).startswith("and(not(canceled()),"):
                yield Finding(path, "write the condition as and(not(canceled()), …)")
            if not follows:
                yield Finding(path, "no reflect-cancel template after the step that starts or awaits suites")


@rule("azure-time-limits")
def azure_time_limits(tree: Tree) -> Iterator[Finding]:
    """A job of a template has a time limit, and one on an agent also the time that cancelling takes."""
    for path, document in pipelines(tree):
        if "parameters" not in document:
            continue
        for node in mappings(document.get("jobs")):
            if "job" not in node or "steps" not in node:
                continue
            if "timeoutInMinutes" not in node:
                yield Finding(path, f"the job {node['job']} has no timeoutInMinutes")
            cancels = "reflect-cancel" in json.dumps(node["steps"])
            if node.get("pool") != "server" and not cancels and "cancelTimeoutInMinutes" not in node:
                yield Finding(path, f"the job {node['job']} has no cancelTimeoutInMinutes")


@rule("azure-pinned")
def azure_pinned(tree: Tree) -> Iterator[Finding]:
    """A repository of templates is pinned to a tag or a commit."""
    for path, document in pipelines(tree):
        for row in (document.get("resources") or {}).get("repositories", []):
            if not re.fullmatch(r"refs/tags/.+|[0-9a-f]{40}", str(row.get("ref", ""))):
                yield Finding(
                    path, f"the repository {row.get('repository')} has the ref {row.get('ref')}: write refs/tags/vX.Y.Z"
                )


@rule("azure-extension")
def azure_extension(tree: Tree) -> Iterator[Finding]:
    """The extension asks for no scopes, and its connection keeps the key as a confidential field and sends it as x-api-key."""
    for path in tree.files(FOLDER, suffixes=("vss-extension.json",)):
        for document in tree.documents(path):
            if document.get("scopes"):
                yield Finding(path, f"scopes {', '.join(document['scopes'])}: the task needs none")
            for node in mappings(document):
                for field in node.get("inputDescriptors", []):
                    if field.get("id") == "apitoken" and field.get("isConfidential") is not True:
                        yield Finding(path, "the field of the key is not confidential: Azure would show it")
                if "authenticationSchemes" in node and "x-api-key" not in json.dumps(node["authenticationSchemes"]):
                    yield Finding(path, "the connection does not send the header x-api-key")
