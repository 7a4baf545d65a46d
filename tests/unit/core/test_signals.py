"""SIGINT and SIGTERM in a real process: what runs is canceled, the code is the signal's, the reports are there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import KEY, REPORTS

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
PATIENCE = 60


def start(sim: Simulator, tmp_path: Path, *argv: str) -> subprocess.Popen[str]:
    """Start the runner as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "reflect_ci", *argv],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SCRIPTS),
            "HOME": str(tmp_path),
            "REFLECT_API_KEY": KEY,
            "REFLECT_API_URL": sim.url,
            "REFLECT_REPORT_DIR": str(tmp_path / "report"),
        },
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_while_waiting(number: signal.Signals, code: int, sim: Simulator, tmp_path: Path) -> None:
    """The execution is canceled and every report is written."""
    process = start(sim, tmp_path, "run", "never-ends", "passes")
    assert sim.wait_for(
        lambda service: any(each.method == "GET" and "/executions/" in each.path for each in service.calls), PATIENCE
    )
    process.send_signal(number)
    text = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == code, text
    assert sim.running() == [], text
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == sorted(REPORTS)
    assert "Traceback" not in text


@pytest.mark.parametrize(("suite", "started"), [("start-slow", 1), ("start-hang", 0)])
def test_signal_between_start_and_answer(suite: str, started: int, sim: Simulator, tmp_path: Path) -> None:
    """A signal while the start is on its way still ends what that start makes."""
    process = start(sim, tmp_path, "run", suite)
    assert sim.wait_for(lambda service: any(each.method == "GET" for each in service.calls), PATIENCE)
    sim.wait_for(lambda service: any(each.method == "POST" for each in service.calls), 1)
    process.send_signal(signal.SIGTERM)
    text = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 143, text
    assert len(sim.started) <= started
    assert sim.running() == [], text


def test_second_signal_leaves_at_once(sim: Simulator, tmp_path: Path) -> None:
    """While the first signal's cancel hangs, a second one ends the process."""
    process = start(sim, tmp_path, "run", "cancel-hang")
    assert sim.wait_for(
        lambda service: any(each.method == "GET" and "/executions/" in each.path for each in service.calls), PATIENCE
    )
    process.send_signal(signal.SIGTERM)
    assert sim.wait_for(lambda service: any(each.method == "PATCH" for each in service.calls), PATIENCE)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == 143


def test_ids_are_saved_before_the_first_poll(sim: Simulator, tmp_path: Path) -> None:
    """A runner that is killed outright has left the ids for `cancel`."""
    process = start(sim, tmp_path, "run", "never-ends")
    assert sim.wait_for(
        lambda service: any(each.method == "GET" and "/executions/" in each.path for each in service.calls), PATIENCE
    )
    process.kill()
    process.communicate(timeout=PATIENCE)
    assert len(sim.running()) == 1
    cleanup = start(sim, tmp_path, "cancel", "--from-file", "report/executions.json")
    text = cleanup.communicate(timeout=PATIENCE)[0]
    assert cleanup.returncode == 0, text
    assert sim.running() == []
