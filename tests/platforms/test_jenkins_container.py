"""The library's `image`, with the real image of the runner on a real Docker engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from deliver import image as runner_image
from reflect_ci.simulate import Simulator
from tests.platforms.jenkins.engine import ROOT, agent_environment
from tests.platforms.jenkins.jobs import KEY, abort_when_started, build

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image, give it to the engine and name it."""
    subprocess.run([ROOT / "scripts" / "engine"], stdin=subprocess.DEVNULL, check=True)
    built = runner_image.build()
    done = subprocess.run(
        ["docker", "load", "--quiet", "--input", built.archive],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(built.names[1])


def agent(tmp: Path, sim: Simulator) -> dict[str, str]:
    """Return an agent whose docker puts containers into this machine's network, where the simulated service is."""
    tools = tmp / "tools"
    tools.mkdir()
    docker = shutil.which("docker")
    (tools / "docker").write_text(f'#!/bin/sh\n[ "$1" = run ] && shift\nexec {docker} run --network host "$@"\n')
    (tools / "docker").chmod(0o755)
    return agent_environment(tmp, tools) | {"REFLECT_API_URL": sim.url}


def test_runs_in_the_container(image: str, tmp_path: Path) -> None:
    """A suite runs in the container, and its reports are in the workspace; a failed one fails the build."""
    with Simulator() as sim:
        environment = agent(tmp_path, sim)
        call = f"return reflectRun(suites: 'passes', variables: [TWO: 'a\\nREFLECT_SUITES=b'], image: '{image}')"
        built = build(call, sim, tmp_path, agent=environment)
        assert built.result == "SUCCESS", built.log
        assert built.returned["verdict"] == "passed"
        assert sim.started[0].body is not None
        assert sim.started[0].body["variables"] == {"TWO": "a\nREFLECT_SUITES=b"}
        assert (tmp_path / "workspace" / built.returned["reportDir"] / "junit.xml").is_file()
        assert KEY not in built.raw
        built = build(f"reflectRun suites: 'fails', image: '{image}'", sim, tmp_path, agent=environment)
        assert built.result == "FAILURE", built.log
        assert "failed (exit code 1)" in built.log


def test_abort_reaches_the_container(image: str, tmp_path: Path) -> None:
    """An abort stops the runner in its container, which cancels the execution."""
    with Simulator() as sim:
        built = abort_when_started(
            f"reflectRun suites: 'never-ends', image: '{image}'", sim, tmp_path, agent=agent(tmp_path, sim)
        )
        assert built.result == "ABORTED", built.log
        assert sim.wait_for(lambda service: not service.running())
        # The runner itself did, so the library had nothing left to cancel.
        assert "canceling what was started" not in built.log
