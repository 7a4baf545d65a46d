"""The command `reflect-ci simulate`, as a process of its own."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

SCRIPTS = Path(__file__).parents[3] / "scripts"
KEY = "a-key-of-the-tests"


def command(*argv: str) -> list[str]:
    """Return the command line of the command under test."""
    return [sys.executable, "-m", "reflect_ci", "simulate", *argv]


def environ(tmp: Path) -> dict[str, str]:
    """Return all that the process may see."""
    return {"PATH": "/usr/bin:/bin", "HOME": str(tmp), "PYTHONPATH": str(SCRIPTS)}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], str, list[str]]]]:
    """Start the command on a free port; return the process, the URL that it printed, and its lines up to there."""
    with ExitStack() as stack:

        def start(*argv: str) -> tuple[subprocess.Popen[str], str, list[str]]:
            process = stack.enter_context(
                subprocess.Popen(
                    command("--port", "0", *argv),
                    env=environ(tmp_path), cwd=tmp_path, text=True,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                )
            )  # fmt: skip
            stack.callback(process.kill)
            assert process.stdout
            lines: list[str] = []
            while not lines or "Ctrl-C" not in lines[-1]:
                line = process.stdout.readline()
                assert line, lines
                lines.append(line)
            url = re.search(r"http://\S+/v1", lines[0])
            assert url, lines
            return process, url.group(), lines

        yield start


def post(url: str, suite: str) -> int:
    """Start a suite and return the status."""
    session = requests.Session()
    session.trust_env = False
    return session.post(f"{url}/suites/{suite}/executions", headers={"X-API-KEY": KEY}, json={}, timeout=60).status_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_runs_until_it_is_stopped(
    running: Callable[..., tuple[subprocess.Popen[str], str, list[str]]], number: signal.Signals
) -> None:
    """It says what to export, names the suites, prints a line a call without the key, and ends with 0 on a signal."""
    process, url, lines = running()
    text = "".join(lines)
    assert f"export REFLECT_API_URL={url} REFLECT_API_KEY=any-text" in text
    assert " never-ends " in text
    assert post(url, "passes") == 200
    process.send_signal(number)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "POST /v1/suites/passes/executions -> 200 (started passes/1)" in rest
    assert "Stopped after 1 calls; 1 executions were started." in rest
    assert KEY not in text + rest


def test_own_scenarios_and_log(
    running: Callable[..., tuple[subprocess.Popen[str], str, list[str]]], tmp_path: Path
) -> None:
    """Suites of a file are served, and the log goes to the file that was named, added to what it holds."""
    (tmp_path / "own.yaml").write_text("suites: {mine: {status: failed}}\nbuilt-in: false\n", encoding="utf-8")
    (tmp_path / "calls.log").write_text("before\n", encoding="utf-8")
    process, url, lines = running("--scenarios", "own.yaml", "--log", "calls.log")
    assert "Suites: mine\n" in lines
    assert (post(url, "mine"), post(url, "passes")) == (200, 404)
    process.terminate()
    rest, _ = process.communicate(timeout=60)
    assert "POST" not in rest
    log = (tmp_path / "calls.log").read_text(encoding="utf-8").splitlines()
    assert (log[0], len(log)) == ("before", 3)
    assert log[2].endswith("POST /v1/suites/passes/executions -> 404")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["--scenarios", "missing.json"], "The scenario file missing.json cannot be read"),
        (["--scenarios", "bad.json"], "scenarios.suites.a has no `stauts`. Did you mean status?"),
        (["--port", "70000"], "write a number from 0 to 65535"),
        (["--port", "eighty"], "write a number from 0 to 65535"),
        (["--port", "0", "--host", "192.0.2.1"], "Give another --host or --port"),
        (["--port", "0", "--log", "folder"], "The log file folder cannot be written"),
    ],
)
def test_bad_input(tmp_path: Path, argv: list[str], sentence: str) -> None:
    """Bad input ends with 2 and one sentence that says what to write."""
    (tmp_path / "bad.json").write_text('{"suites": {"a": {"stauts": "failed"}}}', encoding="utf-8")
    (tmp_path / "folder").mkdir()
    done = subprocess.run(
        command(*argv), env=environ(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken is named, with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(command("--port", port), env=environ(tmp_path), cwd=tmp_path, capture_output=True, text=True, timeout=120)  # fmt: skip
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1 port {port}: Address already in use" in done.stderr
