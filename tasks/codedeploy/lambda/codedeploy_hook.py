"""Lambda functions that test a CodeDeploy deployment with Reflect suites.

    codedeploy_hook.handler    the hook of an AppSpec file; ends by Succeeded or Failed, whatever happens
    codedeploy_hook.step       start or follow executions, for the state machine (suites of more than a quarter of an hour)
    codedeploy_hook.notified   a deployment group's notification by SNS; starts the state machine once a deployment
    codedeploy_hook.failed     Lambda's failure destination of the hook: reports Failed when the hook's process died

The runner is in the same package. Its inputs are the function's environment variables, REFLECT_SUITES and so on.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from reflect_aws import FAILED, SUCCEEDED, Report, Trouble, Watchdog, begin_machine, key_of, say

HOUR = 3600.0 - 120.0  # CodeDeploy waits an hour for a hook's status; two minutes are for saying it
TIMED_OUT = 6
# Variables that are for these functions and not for the runner.
OURS = ("REFLECT_SECRET_ARN", "REFLECT_SECRET_FIELD", "REFLECT_STATE_MACHINE")
REPORTS = "/tmp/reflect"  # Lambda lets a function write below /tmp only


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Run the suites for a hook and report their verdict; with REFLECT_STATE_MACHINE that is left to the state machine."""
    left = _left(context)
    report = Report(event, time.monotonic() + left - 1.0)
    with Watchdog(report, left - min(10.0, 0.2 * left)):
        end: dict[str, Any] = {"status": FAILED, "verdict": "crashed"}
        try:
            if not report.deployment or not report.execution:
                raise Trouble(
                    "This is no event of a CodeDeploy hook: it has no DeploymentId and LifecycleEventHookExecutionId."
                )
            machine = os.environ.get("REFLECT_STATE_MACHINE", "")
            if machine:
                begun = begin_machine(machine, report.deployment, report.execution)
                say("the state machine takes over" if begun else "this event came before; the state machine has it")
                return {"status": "", "verdict": "handed-over" if begun else "duplicate"}
            end = _once(report, left)
        except Trouble as trouble:
            say(f"error: {trouble}")
        except BaseException as error:  # SystemExit, MemoryError and the like would cost an hour
            say(f"error: something unforeseen happened ({type(error).__name__})")
        if report.execution:
            report.put(end["status"])
    return {**end, "status": report.status}


def step(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Start the suites, or follow the executions that were started, for as long as this call may take.

    event: deployment, hook ('' for none), started (epoch seconds), executions ('' before the start). The answer is the
    same with executions, done, status and verdict.
    """
    executions = str(event.get("executions") or "").split()
    folder = _folder(f"{event.get('deployment')} {event.get('hook')} {event.get('started')}")
    wanted = _wanted()
    if not executions:
        code = _runner("run", folder, wait="false")
        started = _started(folder)
        if code == 0 and started and _waits():
            return {**event, "executions": " ".join(started), "done": False, "status": "", "verdict": "started"}
        if code and started and not _leaves():
            _runner("cancel", None, *started)
        return {**event, "executions": " ".join(started), **_end(code, folder)}
    left = _left(context)
    total = min(wanted or 0.0, HOUR) if event.get("hook") else wanted or 0.0
    rest = float(event.get("started") or 0) + total - time.time()
    slice_ = left - _reserve(left)
    if rest <= slice_:
        return {**event, **_end(_runner("wait", folder, *executions, timeout=rest), folder)}
    code = _runner("wait", folder, *executions, timeout=slice_, on_timeout="leave")
    if code == TIMED_OUT:
        say("not finished yet; the next step goes on")
        return {**event, "done": False, "status": "", "verdict": "started"}
    if code and not _leaves():
        _runner("cancel", None, *executions)
    return {**event, **_end(code, folder)}


def notified(event: Mapping[str, Any], _context: Any) -> dict[str, Any]:
    """Start the state machine for each deployment that a notification says succeeded; raises, so that it is sent again."""
    begun = []
    for record in event.get("Records", []):
        try:
            message = json.loads(record["Sns"]["Message"])
            deployment, status = str(message["deploymentId"]), str(message.get("status", ""))
        except (KeyError, TypeError, ValueError):
            say("passed over a message that is no notification of CodeDeploy")
            continue
        if status != "SUCCEEDED" or "instanceId" in message:
            say(f"passed over a notification of {deployment}: {message.get('eventTriggerName') or status or 'unknown'}")
            continue
        if begin_machine(os.environ["REFLECT_STATE_MACHINE"], deployment, ""):
            begun.append(deployment)
        else:
            say(f"the notification of {deployment} came before; nothing is started")
    return {"started": begun}


def failed(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Report Failed for a hook whose process died; the event is Lambda's record of the failed call."""
    why = event.get("requestContext", {}).get("condition", "unknown")
    report = Report(event.get("requestPayload") or {}, time.monotonic() + _left(context) - 1.0)
    say(f"the hook of the deployment {report.deployment} did not end by itself ({why})")
    report.put(FAILED)
    return {"status": report.status}


def _once(report: Report, left: float) -> dict[str, Any]:
    """Run, or go on where an earlier call with this event ended: Lambda may send an event more than once."""
    folder = _folder(f"{report.deployment} {report.execution}")
    before = folder / "end.json"
    if before.is_file():
        say("this event came before; its verdict is reported again")
        end: dict[str, Any] = json.loads(before.read_text(encoding="utf-8"))
        return end
    room = left - _reserve(left)
    wanted = _wanted()
    if wanted and wanted > room:
        say(
            f"the timeout is shortened to {room:.0f}s: the function itself ends in {left:.0f}s. A state machine allows for longer suites."
        )
    started = _started(folder)
    if started:
        say("an earlier call with this event started the suites; they are taken up")
    timeout = min(wanted, room) if wanted else None
    code = _runner("wait" if started else "run", folder, *started, timeout=timeout)
    end = _end(code, folder)
    folder.mkdir(parents=True, exist_ok=True)
    before.write_text(json.dumps(end), encoding="utf-8")
    return end


def _runner(
    command: str,
    folder: Optional[Path],
    *executions: str,
    timeout: Optional[float] = None,
    on_timeout: str = "",
    wait: str = "",
) -> int:
    """Run the runner in this process; return its exit code."""
    from reflect_ci.cli import main
    from reflect_ci.redact import Redactor

    environ = {name: value for name, value in os.environ.items() if name not in OURS}
    environ["REFLECT_API_KEY"] = key_of(os.environ)
    argv = [command, *executions]
    if folder:
        argv += ["--report-dir", str(folder)]
    if timeout is not None:
        argv += ["--timeout", f"{max(1, int(timeout))}s"]
    if on_timeout:
        argv += ["--on-timeout", on_timeout]
    if wait:
        argv += ["--wait", wait]
    try:
        return main(argv, environ)
    except BaseException as error:
        hide = Redactor()
        hide.add(environ["REFLECT_API_KEY"])
        raise Trouble(hide(f"The runner broke off ({type(error).__name__}: {error}).")) from None


def _end(code: int, folder: Path) -> dict[str, Any]:
    """Return how it ended, by the runner's code and its report: green needs both."""
    try:
        word = str(json.loads((folder / "result.json").read_text(encoding="utf-8"))["verdict"])
    except (OSError, ValueError, KeyError, TypeError):
        word = "unknown"
    good = code == 0 and word in ("passed", "started", "skipped")
    return {"done": True, "status": SUCCEEDED if good else FAILED, "verdict": word, "exitCode": code}


def _started(folder: Path) -> list[str]:
    """Return the executions that the runner noted in the folder."""
    from reflect_ci.reports import executions

    try:
        return [f"{suite}/{number}" for suite, number, _url in executions.read(folder / executions.NAME)]
    except ValueError:
        return []


def _folder(name: str) -> Path:
    """Return the folder of this event's reports: a warm sandbox sees several events, and one event may come twice."""
    return Path(os.environ.get("REFLECT_REPORT_DIR") or REPORTS, hashlib.sha256(name.encode()).hexdigest()[:16])


def _wanted() -> Optional[float]:
    """Return the timeout in seconds, None when it is none (the runner says so)."""
    from reflect_ci.errors import Stop
    from reflect_ci.inputs import BY_NAME
    from reflect_ci.parse import duration

    row = BY_NAME["timeout"]
    try:
        return duration(os.environ.get(row.env) or row.default, row.name)
    except Stop:
        return None


def _waits() -> bool:
    return os.environ.get("REFLECT_WAIT", "").strip().lower() not in ("false", "no", "off", "0")


def _leaves() -> bool:
    return os.environ.get("REFLECT_ON_TIMEOUT", "").strip().lower() == "leave"


def _left(context: Any) -> float:
    return float(context.get_remaining_time_in_millis()) / 1000


def _reserve(left: float) -> float:
    """Return the seconds that are kept for canceling and reporting."""
    return min(45.0, 0.4 * left)
