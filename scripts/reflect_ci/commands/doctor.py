"""`reflect-ci doctor`: each thing that a run needs is looked at and told in one line, with its cure."""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from reflect_ci import __version__, answers, exits, patience
from reflect_ci.api import Api, refusal
from reflect_ci.commands.common import call, require_key, warn_about_plain_http
from reflect_ci.console import Console
from reflect_ci.errors import Stop
from reflect_ci.exits import Exit
from reflect_ci.settings import Settings
from reflect_ci.transport import Answer, Transport, Unreachable

SKEW = 300.0  # seconds that the clock may be off before certificates and reports suffer


@dataclass
class Finding:
    """One line: exit is PASSED for what is well, else what a run would end with. A warning is well, with a cure."""

    name: str
    text: str
    exit: Exit = exits.PASSED
    warning: bool = False

    @property
    def line(self) -> str:
        """The line as people see it."""
        word = "TROUBLE" if self.exit.code else "look" if self.warning else "ok"
        return f"{word:<8}{self.name:<9}{self.text}"


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return 0 when a run would work, else the exit code that it would end with."""
    return call("doctor", args, environ, _doctor)


def _doctor(settings: Settings, console: Console) -> int:
    bad = []
    for finding in _findings(settings, console):
        console.note(finding.line)
        if finding.exit.code:
            bad.append(finding.exit)
    console.note("A run would work." if not bad else "A run would not work: see TROUBLE above.")
    return bad[0].code if bad else 0


def _findings(settings: Settings, console: Console) -> Iterator[Finding]:
    yield Finding("runner", f"reflect-ci {__version__}, Python {platform.python_version()} on {platform.system()}")
    yield _system(settings, console)
    try:
        require_key(settings, console)
    except Stop as stop:
        yield Finding("key", stop.message, stop.exit)
        return
    yield Finding("key", f"given, {len(settings.key)} characters")
    warn_about_plain_http(settings, console)
    yield _proxy(settings.api_url)
    api = Api(Transport(settings.key, patience.request_limit(60), __version__), settings.api_url)
    begun = time.monotonic()
    try:
        answer = api.suites()
    except Unreachable as error:
        yield Finding(
            "network",
            f"{settings.api_url} gave no answer: {error.why}. Check api-url, the network and the proxy.",
            exits.SERVICE,
        )
        return
    yield Finding("network", f"{settings.api_url} answered in {(time.monotonic() - begun) * 1000:.0f} ms")
    yield from _clock(answer)
    yield from _account(settings, answer)


def _system(settings: Settings, console: Console) -> Finding:
    system = console.system
    where = system.title or system.name or "no CI system detected"
    commit = system.commit if settings.auto_commit else settings.commit
    if commit:
        return Finding("ci", f"{where}; results go to commit {commit.owner}/{commit.repo}@{commit.sha}")
    return Finding("ci", f"{where}; no commit on GitHub to report to")


def _proxy(api_url: str) -> Finding:
    parts = urlsplit(api_url)
    proxy = getproxies().get(parts.scheme) or getproxies().get("all")
    if not proxy:
        return Finding("proxy", "none is set")
    if proxy_bypass(parts.hostname or ""):
        return Finding("proxy", f"not used for {parts.hostname} (NO_PROXY)")
    shown = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return Finding("proxy", f"used: {shown.hostname}:{shown.port}" if shown.port else f"used: {shown.hostname}")


def _clock(answer: Answer) -> Iterator[Finding]:
    from email.utils import parsedate_to_datetime

    try:
        off = time.time() - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (TypeError, ValueError):
        return
    if abs(off) > SKEW:
        yield Finding(
            "clock",
            f"it is {abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the service's: set it, or certificates fail",
            warning=True,
        )
    else:
        yield Finding("clock", "agrees with the service's")


def _account(settings: Settings, answer: Answer) -> Iterator[Finding]:
    found = answers.suites(answer.body) if answer.status == 200 else None
    if found is None:
        exit_, sentence = refusal(answer, "the list of suites")
        yield Finding("account", sentence, exit_)
        return
    yield Finding("account", f"the key is accepted; the account has {len(found)} suite{'' if len(found) == 1 else 's'}")
    known = {suite.id for suite in found}
    for suite in settings.suites:
        if suite in known:
            yield Finding("suite", f"{suite} exists")
        else:
            yield Finding(
                "suite",
                f"{suite} does not exist.{_near(suite, known)} `reflect-ci suites` lists them.",
                exits.NOT_FOUND,
            )


def _near(suite: str, known: set[str]) -> str:
    import difflib

    for other in known:
        if other.lower() == suite.lower():
            return f" Did you mean {other}? Case matters."
    close = difflib.get_close_matches(suite, sorted(known), 1, 0.6)
    return f" Did you mean {close[0]}?" if close else ""
