"""`reflect-ci suites`: list the account's suites, one a line: id, then name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from reflect_ci import __version__, answers, patience
from reflect_ci.api import Api, refusal
from reflect_ci.commands.common import call, require_key, warn_about_plain_http
from reflect_ci.console import Console
from reflect_ci.errors import Stop
from reflect_ci.exits import SERVICE
from reflect_ci.settings import Settings
from reflect_ci.transport import Transport, Unreachable


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return 0 when the list was printed."""
    return call("suites", args, environ, _list)


def _list(settings: Settings, console: Console) -> int:
    require_key(settings, console)
    warn_about_plain_http(settings, console)
    found = fetch(Api(Transport(settings.key, patience.request_limit(60), __version__), settings.api_url))
    width = max((len(suite.id) for suite in found), default=0)
    for suite in found:
        console.note(f"{suite.id:<{width}}  {suite.name}".rstrip())
    if not found:
        console.note("The account has no suite yet.")
    return 0


def fetch(api: Api) -> list[answers.Suite]:
    """Return the suites, or raise Stop with what is wrong."""
    try:
        answer = api.suites()
    except Unreachable as error:
        raise Stop(
            SERVICE, f"The service could not be asked for its suites: {error.why}. Check api-url, network and proxy."
        ) from None
    found = answers.suites(answer.body) if answer.status == 200 else None
    if found is None:
        raise Stop(*refusal(answer, "the list of suites"))
    return found
