"""Builds for the tests: a Jenkinsfile with the library, against a simulated service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reflect_ci.simulate import Simulator
from tests.platforms.jenkins.engine import ENGINE_OF_THIS_PROCESS, Built, Job, agent_environment

KEY = "K3yThatMustNotLeakAnywhere0123456789abcd"
PATIENCE = 120.0


def job_of(body: str, sim: Simulator, tmp: Path, **more: Any) -> Job:
    """Return a job: the body inside a node, unless it is a whole Pipeline. The agent knows the service's address."""
    text = body if "pipeline {" in body or "node" in body else f"node {{\n{body}\n}}\n"
    more.setdefault("credentials", {"reflect-api-key": KEY})
    more.setdefault("agent", agent_environment(tmp) | {"REFLECT_API_URL": sim.url})
    return Job(text, tmp / "workspace", **more)


def build(body: str, sim: Simulator, tmp: Path, **more: Any) -> Built:
    """Run the build to its end."""
    return ENGINE_OF_THIS_PROCESS.build(job_of(body, sim, tmp, **more))


def abort_when_started(body: str, sim: Simulator, tmp: Path, count: int = 1, **more: Any) -> Built:
    """Run the build and abort it once the service saw that many starts."""
    number = ENGINE_OF_THIS_PROCESS.start(job_of(body, sim, tmp, **more))
    assert sim.wait_for(lambda service: len(service.started) >= count, seconds=PATIENCE)
    ENGINE_OF_THIS_PROCESS.abort(number)
    return ENGINE_OF_THIS_PROCESS.wait(number)
