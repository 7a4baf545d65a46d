"""`reflect-ci cancel`: cancel executions; one that had finished already is no error."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from reflect_ci import exits
from reflect_ci.cancelling import Cancellation
from reflect_ci.commands.common import call, none_listed, picked_up, require_key, warn_about_plain_http
from reflect_ci.console import Console
from reflect_ci.session import Session, summary
from reflect_ci.settings import Settings


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return the exit code of the whole call."""
    return call("cancel", args, environ, _cancel)


def _cancel(settings: Settings, console: Console) -> int:
    executions = picked_up(settings)
    if none_listed(settings, executions):
        console.note(f"{settings.from_file} lists no execution: there is nothing to cancel.")
        return 0
    require_key(settings, console)
    warn_about_plain_http(settings, console)
    session = Session(settings, console, executions)
    stopped = session.drive([Cancellation(execution, session.api) for execution in executions])
    exit_ = stopped or exits.worst(each.exit for each in executions if each.exit)
    if exit_.code:
        console.error(summary(exit_, executions))
    return exit_.code
