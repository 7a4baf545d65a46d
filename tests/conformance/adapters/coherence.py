"""Coherence: the integration test of coherence.yml, with the inputs as environment variables of the application."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Adapter, Case, Seen, environ_of, execute
from tests.platforms.previews import machine

ONE_JOB = "An integration test is one container that nothing follows: there is no later step to hand an execution to"


class Coherence(Adapter):
    """The very file, run after a deployment whose environment answers; a stopped test is SIGTERM to its command."""

    platform: ClassVar[str] = "coherence"
    engine: ClassVar[str] = "own executor of documented semantics (integration_test: image, command; on this machine)"
    cannot: ClassVar[dict[str, str]] = {"collected-later": ONE_JOB, "cancel-step": ONE_JOB}

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the integration test in an empty folder."""
        workdir = tmp / "container"
        workdir.mkdir()
        variables = {
            "COHERENCE_ENVIRONMENT_NAME": "preview-7",
            "COHERENCE_BASE_URL": "https://preview-7.example.com",
            "COHERENCE_TEST": "true",
            # The environment of this test has no website: what is waited for is the service's own page.
            "REFLECT_WAIT_FOR_URL": sim.url.removesuffix("/v1") + "/_simulate/started",
        }
        code, log = execute(
            machine.module("previews.coherence", ROOT / "tasks" / "coherence" / "coherence.yml", workdir),
            case,
            sim,
            env={**variables, **environ_of(case, sim, tmp)},
            cwd=workdir,
            log=tmp.parent / f"{tmp.name}.log",
        )
        return Seen(code == 0, log, code, reports=workdir / case.inputs.get("report-dir", "reflect-report"))


ADAPTER = Coherence()
