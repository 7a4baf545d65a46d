"""`reflect-ci run`: start suites, wait, verdict."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from reflect_ci.commands.common import call, require_key, warn_about_plain_http
from reflect_ci.console import Console
from reflect_ci.errors import usage
from reflect_ci.exits import SKIPPED
from reflect_ci.job import Job, Plan
from reflect_ci.model import Execution
from reflect_ci.names import Names
from reflect_ci.ready import Ready
from reflect_ci.session import Session
from reflect_ci.settings import Settings


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return the exit code of the whole call."""
    return call("run", args, environ, _run)


def _run(settings: Settings, console: Console) -> int:
    if not settings.suites:
        raise usage(
            "Say which suite to run: `reflect-ci run SUITE`, or set REFLECT_SUITES. The ID stands on the suite's page."
        )
    if not settings.key and settings.skip_without_key:
        session = Session(settings, console, [])
        console.warn("There is no API key, so nothing was run (missing-key=skip).")
        return session.finish(SKIPPED, "Skipped: there is no API key, and missing-key is skip. No suite was run.")
    require_key(settings, console)
    warn_about_plain_http(settings, console)
    session = Session(settings, console, [Execution(suite) for suite in settings.suites])
    session.commit = console.system.commit if settings.auto_commit else settings.commit
    session.save()
    if settings.wait_for_url:
        code = _wait_for_url(session)
        if code is not None:
            return code
    return session.conclude(session.drive(_jobs(session), settings.concurrency))


def _wait_for_url(session: Session) -> int | None:
    gate = Ready(session.settings.wait_for_url, session.transport, session.console.note, session.settings.timeout)
    executions, session.executions = session.executions, []
    session.drive([gate])
    session.executions = executions
    if not gate.exit:
        return None
    for execution in executions:
        execution.exit, execution.reason = gate.exit, gate.reason
    return session.finish(gate.exit, gate.reason)


def _jobs(session: Session) -> list[Job]:
    settings = session.settings
    body = dict(settings.body)
    if session.commit:
        body["gitHub"] = {"owner": session.commit.owner, "repo": session.commit.repo, "sha": session.commit.sha}
    plan = Plan(
        body=body,
        timeout=settings.timeout,
        leave=settings.leave,
        wait=settings.wait,
        allow_empty=settings.allow_empty,
        cancel_older=settings.cancel_older,
        started=session.started,
        note=session.console.note,
        active=session.active,
    )
    names = Names(session.api)
    return [Job(execution, session.api, plan, names) for execution in session.executions]
