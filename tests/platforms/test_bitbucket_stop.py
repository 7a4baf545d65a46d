"""What happens when a Bitbucket step is stopped: killed by Bitbucket, or ended with a warning by something else."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.bitbucket import bbrun, pipe

NEVER = {"suites": {"regression-tests": {"status": "never"}}}
SAMPLE = bbrun.FOLDER / "samples" / "stopped.yml"


def runners(clone: Path) -> list[int]:
    """Return the processes that work in the clone: the step's shell and the runner, not bb-run."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            inside = (path / "cwd").readlink() == clone and b"bbrun" not in (path / "cmdline").read_bytes()
        except OSError:  # it ended meanwhile, or is somebody else's
            continue
        if inside:
            found.append(int(path.name))
    return found


def stop(clone: Path, number: int) -> None:
    """Send a signal to every process of the step."""
    for pid in runners(clone):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def job(sim: Simulator, tmp: Path, number: int | None) -> tuple[int, str]:
    """Run the sample's pipeline; with a number, stop its step by this signal once the suite runs."""
    tmp.mkdir()
    clone = bbrun.repository(tmp, SAMPLE.read_text())
    known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", "REFLECT_API_KEY": KEY}
    # Far above what the test takes, so that it is not the deadline that cancels.
    known["REFLECT_TIMEOUT"] = "5m" if number else "3s"
    return execute(
        bbrun.command(clone, "branches.main"),
        Case(cancel_when="started" if number else None),
        sim,
        env=bbrun.environ(tmp, known),
        cwd=tmp,
        log=tmp / "log",
        cancel=lambda _: stop(clone, number or 0),
    )


def test_next_run_cancels_what_a_killed_step_left(tmp_path: Path) -> None:
    """Bitbucket's "Stop" kills the step, so its execution goes on; the sample's next run cancels it before it starts."""
    with Simulator(NEVER) as sim:
        code, log = job(sim, tmp_path / "stopped", signal.SIGKILL)
        assert code != 0, log
        assert len(sim.running()) == 1, log
        code, log = job(sim, tmp_path / "next", None)
        assert code != 0
        assert [started.suite for started in sim.started] == ["regression-tests"] * 2
        cancelled = [call.path for call in sim.calls if call.method == "PATCH"]
        assert cancelled[0] == f"/suites/regression-tests/executions/{sim.started[0].id}/cancel", log
        assert sim.running() == []


def test_terminated_step_cancels(tmp_path: Path) -> None:
    """Whatever ends the step's processes by SIGTERM first (a self-hosted machine's shutdown) leaves nothing running."""
    with Simulator(NEVER) as sim:
        code, log = job(sim, tmp_path / "stopped", signal.SIGTERM)
        assert code != 0
        assert sim.wait_for(lambda service: not service.running(), seconds=60), log


@pytest.mark.engine
def test_stopped_pipe_cancels(tmp_path: Path) -> None:
    """A pipe's container that is stopped with a warning, as `docker stop` does it, leaves nothing running."""
    name = f"reflect-pipe-{uuid.uuid4().hex[:12]}"

    def docker_stop(_: subprocess.Popen[bytes]) -> None:
        pipe.docker("stop", "--time", "60", name)

    with Simulator(NEVER) as sim:
        given = {"REFLECT_API_KEY": KEY, "SUITES": "regression-tests", "API_URL": sim.url, **pipe.step_variables()}
        code, log = execute(
            pipe.command(pipe.image(), tmp_path, given, "--name", name),
            Case(cancel_when="started"), sim,
            env=pipe.environ(given), cwd=tmp_path, log=tmp_path.parent / f"{tmp_path.name}.log", cancel=docker_stop,
        )  # fmt: skip
        assert code == 143, log
        assert sim.running() == []


@pytest.mark.engine
def test_pipe_refuses_an_unknown_command(tmp_path: Path) -> None:
    """A COMMAND that does not exist is refused with those that do."""
    given = {"REFLECT_API_KEY": KEY, "COMMAND": "stop", **pipe.step_variables()}
    with Simulator() as sim:
        code, log = execute(
            pipe.command(pipe.image(), tmp_path, given),
            Case(), sim, env=pipe.environ(given), cwd=tmp_path, log=tmp_path.parent / f"{tmp_path.name}.log",
        )  # fmt: skip
        assert sim.calls == []
    assert code == 2
    assert "run, wait, cancel" in log
