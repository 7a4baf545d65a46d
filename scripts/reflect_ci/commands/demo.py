"""`reflect-ci demo`: the main job against an embedded simulated service, with the very commands that a pipeline calls."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reflect_ci import exits
from reflect_ci.simulate import Simulator

HELP = "Show the main job on a simulated service: one suite passes, one fails, one is started and waited for."
KEY = "demo-key"

SCENARIOS = {
    "built-in": False,
    "suites": {
        "checkout": {"takes": 1, "tests": [{"name": "Sign in"}, {"name": "Add to cart"}, {"name": "Pay by card"}]},
        "search": {
            "takes": 1.5,
            "status": "failed",
            "tests": [
                {"name": "Find a product"},
                {"name": "Filter by price", "status": "failed", "failed-steps": {"4": "Element Selection Failed"}},
            ],
        },
        "nightly": {"takes": 2, "tests": 4},
    },
}

# What the commands may see of the real environment: not the CI system around, whose outputs a demonstration must not touch.
PASSED_ON = ("PATH", "HOME", "TERM", "COLUMNS", "NO_COLOR", "FORCE_COLOR", "LANG", "LC_ALL", "TMPDIR", "TEMP", "SYSTEMROOT")  # fmt: skip


@dataclass(frozen=True)
class Act:
    """One command of the demonstration, what it shows, and how it is meant to end."""

    says: str
    argv: tuple[str, ...]
    meant: exits.Exit


def acts(folder: Path) -> tuple[Act, ...]:
    """Return the three commands; their reports go below the folder."""
    started = str(folder / "started")
    return (
        Act(
            "Two suites at once. `search` has a failed test, so this build is meant to be red.",
            ("run", "checkout", "search", "--report-dir", str(folder / "two-suites")),
            exits.FAILED,
        ),
        Act(
            "A third suite on another host, only started: the pipeline goes on meanwhile.",
            ("run", "nightly", "--hosts", "www.shop.example=preview-7.shop.example", "--wait", "false", "--report-dir", started),
            exits.STARTED,
        ),
        Act(
            "A later step picks it up and waits for its verdict.",
            ("wait", "--from-file", str(Path(started) / "executions.json"), "--report-dir", str(folder / "picked-up")),
            exits.PASSED,
        ),
    )  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--report-dir", type=Path, default=Path("reflect-report") / "demo", metavar="DIR", help="folder for the reports (default reflect-report/demo)")  # fmt: skip


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Play every act. The exit code is 0 when each ended as it was meant to, else 1."""
    from reflect_ci.cli import main  # the command line itself imports this module

    wrong = []
    with Simulator(SCENARIOS) as sim, _no_proxy():
        seen = {name: environ[name] for name in PASSED_ON if name in environ}
        seen.update(REFLECT_API_URL=sim.url, REFLECT_API_KEY=KEY)
        print(f"A simulated Reflect service runs at {sim.url}. Nothing leaves this machine.", flush=True)
        for number, act in enumerate(acts(args.report_dir), 1):
            print(f"\n{number}. {act.says}\n   $ reflect-ci {shlex.join(act.argv)}\n", flush=True)
            code = main(list(act.argv), seen)
            word = act.meant.word if code == act.meant.code else _word(code)
            print(f"\n   exit code {code} ({word})", end="", flush=True)
            print(", as it was meant." if code == act.meant.code else f", but {act.meant.code} was meant!", flush=True)
            if code != act.meant.code:
                wrong.append(number)
        body = next((one.body for one in sim.started if one.suite == "nightly"), None)
    print(f"\nThe third suite's start told the service: {json.dumps(body)}")
    _reports(args.report_dir)
    if wrong:
        print(f"\nThe demonstration did NOT go as it was meant: see {' and '.join(map(str, wrong))} above.", flush=True)
        return exits.FAILED.code
    print("\nThe demonstration went as it was meant: `search` failed on purpose, the others passed.", flush=True)
    return exits.PASSED.code


def _reports(folder: Path) -> None:
    print("\nReports (open report.html in a browser):")
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            print(f"   {path}")


def _word(code: int) -> str:
    return next((one.word for one in exits.EXITS if one.code == code), "unknown")


@contextlib.contextmanager
def _no_proxy() -> Iterator[None]:
    """Keep the calls to this machine away from a proxy: `requests` reads the process's own environment."""
    before = {name: os.environ.get(name) for name in ("NO_PROXY", "no_proxy")}
    os.environ.update(dict.fromkeys(before, "127.0.0.1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
