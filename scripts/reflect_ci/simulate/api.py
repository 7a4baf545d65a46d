"""The endpoints: from a call to a reply, right or wrong as the scenario wants. Nothing here knows about sockets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from reflect_ci.simulate import body, shapes
from reflect_ci.simulate.scenarios import Answer, Suite
from reflect_ci.simulate.world import KEY_HEADER, Call, World

_MESSAGES = {
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict",
    429: "Too Many Requests", 500: "Internal server error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip


@dataclass
class Reply:
    """What goes onto the wire. kind is one of scenarios.KINDS, or '' for a plain answer. note is for the log."""

    status: int
    body: Any = None
    kind: str = ""
    text: str | None = None
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    note: str = ""


def refuse(status: int, message: str = "") -> Reply:
    """Return an error of the service."""
    return Reply(status, {"message": message or _MESSAGES.get(status, "Error"), "errorId": f"simulated-{status}"})


def reply(world: World, call: Call, body_is_json: bool) -> Reply:
    """Answer one call."""
    key = call.headers.get(KEY_HEADER, "")
    if not key or key in world.scenarios.refused_keys:
        return refuse(403)
    if not body_is_json:
        return refuse(400, "The request body is not JSON.")
    parts = [unquote(part) for part in call.path.strip("/").split("/")]
    with world.lock:
        return _route(world, call, parts, key)


def _route(world: World, call: Call, parts: Sequence[str], key: str) -> Reply:
    scenarios, shape = world.scenarios, world.scenarios.shape
    if call.method == "GET" and parts in (["suites"], ["tests"]):
        right = Reply(200, shapes.suites(scenarios) if parts == ["suites"] else shapes.tests(scenarios))
        answer = world.fault(scenarios.faults.get(parts[0], ()), parts[0])
        return _wrong(answer, right, key) if answer else right
    if len(parts) < 3 or parts[0] != "suites" or parts[2] != "executions":
        return refuse(404)
    suite, rest = scenarios.suites.get(parts[1]), parts[3:]
    if call.method == "POST" and not rest:
        return _start(world, suite, call, key)
    if call.method == "GET" and not rest:
        right = Reply(200, shapes.executions(parts[1], world.recent(parts[1]), shape))
        return _faulty(world, suite, ("list", parts[1]), right, key)[0]
    if call.method == "GET" and len(rest) == 1:
        found = world.find(parts[1], rest[0])
        right = (
            Reply(200, shapes.status(found, suite, shape)) if suite and found else refuse(404, "Execution not found.")
        )
        return _faulty(world, suite, ("poll", parts[1], rest[0]), right, key)[0]
    if call.method == "PATCH" and len(rest) == 2 and rest[1] == "cancel":
        return _cancel(world, suite, parts[1], rest[0], key)
    return refuse(404)


def _start(world: World, suite: Suite | None, call: Call, key: str) -> Reply:
    if suite is None:
        return refuse(404, "Suite not found.")
    answer = world.fault(suite.faults.get("start", ()), "start", suite.id)
    delayed_only = answer is not None and not answer.kind and answer.status is None
    if answer and not answer.created and not delayed_only:
        # A right answer still has to be made, for kinds that send a part of it.
        return _wrong(answer, Reply(200, {"suiteId": suite.id, "executionId": 0, "status": "pending"}), key)
    try:
        body.check(call.body)
    except body.Refused as error:
        return refuse(400, str(error))
    execution = world.start(suite, call.body)
    right = Reply(200, shapes.started(execution, world.scenarios.shape), note=f"started {suite.id}/{execution.id}")
    return _wrong(answer, right, key) if answer else right


def _cancel(world: World, suite: Suite | None, suite_id: str, execution_id: str, key: str) -> Reply:
    found = world.find(suite_id, execution_id)
    right, answer = _faulty(world, suite, ("cancel", suite_id, execution_id), Reply(200), key)
    if answer and answer.then and found and not found.finished:
        found.end(answer.then)
    if answer and (answer.kind or answer.status is not None):
        if answer.created and found and not found.finished:
            found.cancel()
        return right
    if found is None:
        return refuse(404, "Execution not found.")
    if found.finished:
        return refuse(409, "The execution has already finished.")
    found.cancel()
    right.body, right.note = shapes.canceled(found, world.scenarios.shape), f"canceled {suite_id}/{execution_id}"
    return right


def _faulty(
    world: World, suite: Suite | None, place: tuple[str, ...], right: Reply, key: str
) -> tuple[Reply, Answer | None]:
    answer = world.fault(suite.faults.get(place[0], ()), *place) if suite else None
    if answer and answer.then and place[0] == "poll":
        found = world.find(place[1], place[2])
        if found and not found.finished:
            found.end(answer.then)
    return (_wrong(answer, right, key), answer) if answer else (right, None)


def _wrong(answer: Answer, right: Reply, key: str) -> Reply:
    """Return the reply that the scenario wants instead of the right one."""
    headers = {"Retry-After": answer.retry_after} if answer.retry_after else {}
    wrong = Reply(right.status, right.body, answer.kind, delay=answer.delay, headers=headers, note=right.note)
    if answer.status is not None:
        wrong.status = answer.status
        if not answer.kind:
            wrong.body = refuse(answer.status, answer.message.replace("{key}", key)).body
    if answer.body is not None:
        wrong.text = answer.body.replace("{key}", key)
    return wrong
