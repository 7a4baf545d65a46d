"""The samples of the shell step really run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from reflect_ci.exits import EXITS
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, path_with_runner

SAMPLES = ROOT / "tasks" / "shell" / "samples"
IDS = ("regression-tests", "checkout-suite", "search-suite")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated service that has the samples' suites."""
    suites = {name: {"takes": 0.3, "tests": 2} for name in IDS}
    with Simulator({"suites": suites}) as service:
        yield service


@pytest.fixture
def slow() -> Iterator[Simulator]:
    """The same, but its executions do not end."""
    with Simulator({"suites": {name: {"status": "never"} for name in IDS}}) as service:
        yield service


def repository(tmp: Path, checks: str = "exit 0") -> Path:
    """Make a user's repository: the script in ci/, the sample's other checks, and the samples."""
    (tmp / "ci").mkdir()
    shutil.copy(ROOT / "tasks" / "shell" / "reflect-run.sh", tmp / "ci")
    for path in SAMPLES.glob("*.sh"):
        shutil.copy(path, tmp)
    (tmp / "other-checks.sh").write_text(f"#!/bin/sh\n{checks}\n")
    (tmp / "other-checks.sh").chmod(0o755)
    return tmp


def start(command: list[str], tmp: Path, sim: Simulator, **more: str) -> subprocess.Popen[str]:
    """Start a command as a CI job does."""
    environ = {
        "PATH": path_with_runner(), "HOME": str(tmp), "TMPDIR": str(tmp), "REFLECT_RUNNER": "installed",
        "REFLECT_API_URL": sim.url, "REFLECT_API_KEY": KEY, **more,
    }  # fmt: skip
    return subprocess.Popen(
        command,
        cwd=tmp,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def call(command: list[str], tmp: Path, sim: Simulator, **more: str) -> tuple[int, str]:
    """Run a command to its end; return its exit code and output."""
    process = start(command, tmp, sim, **more)
    log, _ = process.communicate(timeout=180)
    assert KEY not in log
    return process.returncode, log


def test_every_sample_is_tested() -> None:
    """There is no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source, path.name


def test_readme_has_every_exit_code() -> None:
    """The table of exit codes names each code with its word."""
    text = (ROOT / "tasks" / "shell" / "README.md").read_text()
    for row in EXITS:
        assert re.search(rf"(?m)^\|[ \d,]*\b{row.code}\b[ \d,]*\| {row.word}:", text), row


def test_push(tmp_path: Path, sim: Simulator) -> None:
    """One suite, and its reports."""
    code, log = call(["sh", "push.sh"], repository(tmp_path), sim)
    assert code == 0, log
    assert [started.suite for started in sim.started] == ["regression-tests"]
    assert (tmp_path / "reflect-report" / "junit.xml").is_file()


def test_preview(tmp_path: Path, sim: Simulator) -> None:
    """The suite runs against the preview's host, once that answers."""
    preview = sim.url.removesuffix("/v1") + "/_simulate/calls"
    code, log = call(["sh", "preview.sh"], repository(tmp_path), sim, PREVIEW_URL=preview)
    assert code == 0, log
    host = sim.url.removeprefix("http://").removesuffix("/v1")
    assert sim.started[0].body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": host}]


def test_preview_of_a_fork(tmp_path: Path, sim: Simulator) -> None:
    """Without a key the preview's job is skipped, with a notice."""
    process = start(["sh", "preview.sh"], repository(tmp_path), sim, PREVIEW_URL=sim.url, REFLECT_API_KEY="")
    log, _ = process.communicate(timeout=180)
    assert process.returncode == 0, log
    assert "skip" in log.lower()
    assert sim.calls == []


def test_nightly(tmp_path: Path, sim: Simulator) -> None:
    """Three suites with the variables; the reports are in a folder of the day."""
    code, log = call(["sh", "nightly.sh"], repository(tmp_path), sim)
    assert code == 0, log
    assert sorted(started.suite for started in sim.started) == sorted(IDS)
    assert all(
        started.body["variables"] == {"RUN": "nightly", "MAIL": "nightly@example.com"} for started in sim.started
    )
    assert len(list((tmp_path / "reports").glob("20*/result.json"))) == 1


def test_start_then_collect(tmp_path: Path, sim: Simulator) -> None:
    """What was started is collected at the end, and was started once."""
    code, log = call(["sh", "start-then-collect.sh"], repository(tmp_path), sim)
    assert code == 0, log
    assert sorted(started.suite for started in sim.started) == ["checkout-suite", "regression-tests"]
    assert (tmp_path / "reflect-report" / "result.json").is_file()


def test_start_then_collect_when_something_else_fails(tmp_path: Path, slow: Simulator) -> None:
    """The failure's code is kept, and what was started is canceled."""
    code, log = call(["sh", "start-then-collect.sh"], repository(tmp_path, "exit 7"), slow)
    assert code == 7, log
    assert len(slow.started) == 2
    assert slow.running() == []


@pytest.mark.parametrize("when", ["between", "collecting"])
def test_start_then_collect_cancelled(tmp_path: Path, slow: Simulator, when: str) -> None:
    """A job that is cancelled, wherever it is, leaves nothing running."""
    checks = "touch between\nsleep 1" if when == "between" else "touch between"
    process = start(["sh", "start-then-collect.sh"], repository(tmp_path, checks), slow)
    try:
        if when == "between":
            assert slow.wait_for(lambda _: (tmp_path / "between").exists(), seconds=120)
        else:
            polls = "/suites/regression-tests/executions/1"
            assert slow.wait_for(lambda sim: any(call.path == polls for call in sim.calls), seconds=120)
        os.kill(process.pid, signal.SIGTERM)
        log, _ = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 143, log
    assert slow.running() == [], log


def test_buildkite(tmp_path: Path, sim: Simulator) -> None:
    """The step's command runs with the step's environment; the secret has the name that the runner reads."""
    (step,) = yaml.safe_load((SAMPLES / "buildkite.yml").read_text())["steps"]
    assert step["secrets"] == ["REFLECT_API_KEY"]
    code, log = call(["sh", "-e", "-c", step["command"]], repository(tmp_path), sim, BUILDKITE="true", **step["env"])
    assert code == 0, log
    assert step["artifact_paths"].startswith("reflect-report/")
    assert list((tmp_path / "reflect-report").iterdir())
