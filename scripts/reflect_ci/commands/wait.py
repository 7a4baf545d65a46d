"""`reflect-ci wait`: pick up executions that another step started, and give their verdict."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from reflect_ci.commands.common import call, none_listed, picked_up, require_key, warn_about_plain_http
from reflect_ci.console import Console
from reflect_ci.exits import EMPTY
from reflect_ci.job import Job, Plan
from reflect_ci.names import Names
from reflect_ci.session import Session
from reflect_ci.settings import Settings


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return the exit code of the whole call."""
    return call("wait", args, environ, _wait)


def _wait(settings: Settings, console: Console) -> int:
    executions = picked_up(settings)
    require_key(settings, console)
    warn_about_plain_http(settings, console)
    session = Session(settings, console, executions)
    if none_listed(settings, executions):
        return session.finish(
            EMPTY, f"{settings.from_file} lists no execution: the step before started none. Look at its log."
        )
    plan = Plan(
        timeout=settings.timeout,
        leave=settings.leave,
        allow_empty=settings.allow_empty,
        note=console.note,
        active=session.active,
    )
    names = Names(session.api)
    return session.conclude(session.drive([Job(execution, session.api, plan, names) for execution in executions]))
