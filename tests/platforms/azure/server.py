"""Server tasks (`pool: server`): the HTTP request of InvokeRESTAPI@1 built as its task.json and documentation say, and sent.

The task's own definition, reduced to what decides the request:
inputs with their aliases and defaults, and execution: EndpointUrl `$(endpoint.url)$(urlSuffix)`, Method, Body, Headers,
WaitForCompletion, Expression.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests
from jsonpath_ng.ext.parser import parse as jsonpath

from tests.platforms.azure.expressions import ExpressionError, count, evaluate, truth_of

ALIASES = {
    "connectionType": "connectedServiceNameSelector",
    "serviceConnection": "connectedServiceName",
    "genericService": "connectedServiceName",
}
# Sent when the YAML gives no headers: this build's own access token is among them.
DEFAULT_HEADERS = {
    "Content-Type": "application/json",
    "PlanUrl": "$(system.CollectionUri)",
    "ProjectId": "$(system.TeamProjectId)",
    "HubName": "$(system.HostType)",
    "PlanId": "$(system.PlanId)",
    "JobId": "$(system.JobId)",
    "TimelineId": "$(system.TimelineId)",
    "TaskInstanceId": "$(system.TaskInstanceId)",
    "AuthToken": "$(system.AccessToken)",
}
DEFAULTS = {
    "connectedServiceNameSelector": "connectedServiceName",
    "method": "POST",
    "headers": json.dumps(DEFAULT_HEADERS),
    "body": "",
    "urlSuffix": "",
    "waitForCompletion": "false",
    "successCriteria": "",
}
LONGEST = 2000
MACRO = re.compile(r"\$\(([^()]+)\)")


class ServerTaskError(ValueError):
    """Azure Pipelines would refuse the task."""


@dataclass(frozen=True)
class Request:
    """What the server sends. waits: Callback mode."""

    method: str
    url: str
    headers: dict[str, str]
    body: str
    waits: bool
    criteria: str


def build(inputs: Mapping[str, Any], connections: Mapping[str, str], variables: Mapping[str, str]) -> Request:
    """Build the request of an InvokeRESTAPI@1 (or of a gate with its inputs); variables are replaced where they exist."""
    known = {name.lower(): value for name, value in variables.items()}

    def filled(text: str) -> str:
        return MACRO.sub(lambda match: known.get(match[1].lower(), match[0]), text)

    given = {ALIASES.get(name, name): filled(str(value)) for name, value in inputs.items()}
    unknown = set(given) - {*DEFAULTS, "connectedServiceName"}
    if unknown:
        raise ServerTaskError(f"InvokeRESTAPI@1 has no input {', '.join(sorted(unknown))}")
    values = {
        **DEFAULTS,
        **{name: value for name, value in given.items() if value != "" or name in ("body", "headers")},
    }
    if "headers" not in given:
        values["headers"] = filled(values["headers"])
    connection = values.get("connectedServiceName", "")
    if connection not in connections:
        raise ServerTaskError(f"there is no service connection {connection!r}")
    for name in ("headers", "body"):
        if len(values[name]) > LONGEST:
            raise ServerTaskError(f"{name} has more than {LONGEST} characters")
    method = values["method"]
    return Request(
        method=method,
        url=connections[connection] + values["urlSuffix"],
        headers={str(name): str(value) for name, value in json.loads(values["headers"] or "{}").items()},
        body="" if method in ("GET", "HEAD") else values["body"],
        waits=values["waitForCompletion"] == "true",
        criteria=values["successCriteria"] if values["waitForCompletion"] == "false" else "",
    )


@dataclass(frozen=True)
class Connection:
    """A service connection of a type that an extension defines: its address, its fields, and its type's auth scheme."""

    url: str
    fields: Mapping[str, str]
    scheme: Mapping[str, Any]

    def headers(self) -> dict[str, str]:
        """Return the authentication headers that the scheme's templates make of the fields."""

        def filled(text: str) -> str:
            return re.sub(r"\{\{endpoint\.(\w+)\}\}", lambda match: self.fields[match[1]], text)

        return {header["name"]: filled(header["value"]) for header in self.scheme["headers"]}


def build_own(
    task: Mapping[str, Any], inputs: Mapping[str, str], connection: Connection, variables: Mapping[str, str]
) -> Request:
    """Build the request of an extension's server task by the section HttpRequest of its task.json.

    As documented: inputs, variables and `endpoint.url` are replaced; EndpointId names the connection that the
    authentication header is generated from.
    """
    declared = {row["name"]: row for row in task["inputs"]}
    unknown = set(inputs) - set(declared)
    missing = [
        name for name, row in declared.items() if row["required"] and not inputs.get(name, row.get("defaultValue"))
    ]
    if unknown or missing:
        raise ServerTaskError(f"{task['name']}: unknown inputs {sorted(unknown)}, missing inputs {missing}")
    values = {**variables, **{name: inputs.get(name, row.get("defaultValue", "")) for name, row in declared.items()}}
    known = {**{name.lower(): text for name, text in values.items()}, "endpoint.url": connection.url}

    def filled(text: str) -> str:
        # An input may refer to variables itself.
        for _ in range(2):
            text = MACRO.sub(lambda match: known.get(match[1].lower(), match[0]), text)
        return text

    section = {name: filled(text) for name, text in task["execution"]["HttpRequest"]["Execute"].items()}
    if section["EndpointId"] != inputs["serviceConnection"]:
        raise ServerTaskError(f"{task['name']}: EndpointId is not the service connection")
    return Request(
        method=section["Method"],
        url=section["EndpointUrl"],
        headers={**json.loads(section["Headers"]), **connection.headers()},
        body="" if section["Method"] in ("GET", "HEAD") else section["Body"],
        waits=section["WaitForCompletion"] == "true",
        criteria=section["Expression"],
    )


def send(request: Request) -> tuple[bool, str]:
    """Send it as the server does (the call must answer in 20 seconds) and tell whether the task passed, and why not.

    In Callback mode a good answer only means that the job now waits.
    """
    try:
        answer = requests.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body.encode() or None,
            timeout=20,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        return False, f"{type(error).__name__}"
    if not answer.ok:
        return False, f"Response Code: {answer.status_code}"
    if not request.criteria:
        return True, ""
    return meets(request.criteria, answer.text), f"criteria {request.criteria}: {answer.text[:200]}"


def meets(criteria: str, body: str) -> bool:
    """Evaluate success criteria over a response; one that cannot be evaluated is not met."""
    try:
        root = json.loads(body)

        def select(path: str) -> list[Any]:
            return [match.value for match in jsonpath(path).find(root)]

        return truth_of(evaluate(criteria, {"root": root}, {"jsonpath": select, "count": count}))
    except (ValueError, ExpressionError):
        return False
