"""Long commands that say at least twice a minute that they are still at work."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .places import ClusterError, cache, environment

INTERVAL = 25.0


def say(sentence: str) -> None:
    """Write one line of progress, at once."""
    print(f"cluster: {sentence}", file=sys.stderr, flush=True)


def run(command: Sequence[str | os.PathLike[str]], **options: object) -> str:
    """Run a short command and return what it wrote; a failure tells what it said."""
    done = attempt(command, **options)  # type: ignore[arg-type] # the same options
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise ClusterError(f"{_shown(command)} ended with {done.returncode}: {said or 'it said nothing'}")
    return done.stdout


def attempt(
    command: Sequence[str | os.PathLike[str]],
    input: str | None = None,
    cwd: Path | None = None,
    seconds: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a short command; a time-out counts as the failure that `timeout` reports as 124."""
    try:
        return subprocess.run(
            [os.fspath(part) for part in command],
            input=input or "",  # an empty standard input is at its end at once
            cwd=cwd,
            env=environment(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no end after {seconds:.0f} s")
    except FileNotFoundError:
        return subprocess.CompletedProcess(
            command, 127, "", f"there is no {command[0]}; ./scripts/setup installs what is needed"
        )


def work(
    what: str,
    command: Sequence[str | os.PathLike[str]],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run a long command with progress lines; its output goes to a log file, whose end is shown when it fails."""
    logs = cache() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log = logs / f"{what.replace(' ', '-').replace('/', '-')}.log"
    say(f"{what} …")
    began = time.monotonic()
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            cwd=cwd,
            env={**environment(), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    code = process.wait(INTERVAL)
                    break
                except subprocess.TimeoutExpired:
                    say(f"{what}: still at it after {time.monotonic() - began:.0f} s ({_last_line(log)})")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if code != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise ClusterError(f"{what} failed with {code}; the end of {log}:\n{tail}")
    say(f"{what}: done in {time.monotonic() - began:.0f} s")


def wait_until(what: str, ready: Callable[[], str | None], seconds: float, interval: float = 1.0) -> None:
    """Poll until `ready` returns None; what it returns instead says what is still missing."""
    began = told = time.monotonic()
    while (missing := ready()) is not None:
        now = time.monotonic()
        if now - began > seconds:
            raise ClusterError(f"{what}: not ready after {seconds:.0f} s, {missing}")
        if now - told > INTERVAL:
            told = now
            say(f"{what}: waiting for {now - began:.0f} s, {missing}")
        time.sleep(interval)


def _shown(command: Sequence[str | os.PathLike[str]]) -> str:
    return " ".join([Path(command[0]).name, *(os.fspath(part) for part in command[1:5])])


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1][:100] if lines else "no output yet"
