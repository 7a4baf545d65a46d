"""`reflect-ci simulate`: the simulated Reflect service, until it is stopped."""

from __future__ import annotations

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

from reflect_ci.errors import Stop, usage
from reflect_ci.exits import PASSED
from reflect_ci.simulate import ScenarioError, Simulator

HELP = "Run a simulated Reflect service, to try a pipeline without an account."
PORT = 8080


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--port", type=_port, default=PORT, metavar="N", help=f"port to listen on; 0 takes a free one (default {PORT})"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 lets other machines in (default 127.0.0.1)",
    )
    parser.add_argument(
        "--scenarios",
        type=Path,
        metavar="FILE",
        help="suites of your own, as JSON or YAML (schemas/scenario.schema.json)",
    )
    parser.add_argument("--log", type=Path, metavar="FILE", help="append a line for each call to this file instead of printing it")  # fmt: skip


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:  # noqa: ARG001 - the signature of every command
    """Answer until SIGINT or SIGTERM; that is the meant end, so the exit code is 0."""
    try:
        return _run(args)
    except Stop as stop:
        print(f"reflect-ci: {stop.message}", file=sys.stderr)
        return stop.exit.code


def _run(args: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(_log(args.log))
        try:
            simulator = Simulator(
                args.scenarios, host=args.host, port=args.port, log=lambda line: print(line, file=log, flush=True)
            )
        except ScenarioError as error:
            raise usage(str(error)) from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise usage(
                f"Cannot listen on {args.host} port {args.port}: {reason}. Give another --host or --port (0 takes a free port)."
            ) from None
        stop = stack.enter_context(_signals())
        stack.enter_context(simulator)
        _greet(simulator)
        # A wait without a limit could not be interrupted on Windows.
        while not stop.wait(0.2):
            pass
        print(
            f"Stopped after {len(simulator.calls)} calls; {len(simulator.started)} executions were started.", flush=True
        )
    return PASSED.code


def _greet(simulator: Simulator) -> None:
    print(
        f"The simulated Reflect service answers at {simulator.url}\n"
        "In another shell, with any text as the key:\n\n"
        f"    export REFLECT_API_URL={simulator.url} REFLECT_API_KEY=any-text\n"
        f"    reflect-ci run {simulator.suites[0] if simulator.suites else 'SUITE'}\n\n"
        f"Suites: {' '.join(simulator.suites)}\n"
        f"What was called and started: {simulator.root}/_simulate/calls and /started. Ctrl-C stops it.",
        flush=True,
    )


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; write a number from 0 to 65535")
    return int(text)


@contextlib.contextmanager
def _log(path: Path | None) -> Iterator[TextIO]:
    if path is None:
        yield sys.stdout
        return
    try:
        file = path.open("a", encoding="utf-8")
    except OSError as error:
        raise usage(f"The log file {path} cannot be written: {error.strerror}. Give another --log.") from None
    with file:
        yield file


@contextlib.contextmanager
def _signals() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set; afterwards they do again what they did before."""
    stop = threading.Event()
    # Signals can only be handled in the main thread; a caller in another one stops the process itself.
    mine = (signal.SIGINT, signal.SIGTERM) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in mine}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
