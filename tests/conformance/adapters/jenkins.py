"""The Jenkins library: the very files of tasks/jenkins, called from Scripted and Declarative Pipelines on a Linux agent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import PATIENCE, Adapter, Case, Seen
from tests.platforms.jenkins.engine import ENGINE_OF_THIS_PROCESS, NAME, Job, agent_environment, groovy

STEPS = {"run": "reflectRun", "wait": "reflectWait", "cancel": "reflectCancel"}
CODE = re.compile(r"\(exit code (-?\d+)\)")
SCRIPTED = "@Library('reflect') _\nnode {\n  return CALL\n}\n"
DECLARATIVE = "@Library('reflect') _\npipeline {\n  agent any\n  stages {\n    stage('Tests') {\n      steps {\n        CALL\n      }\n    }\n  }\n}\n"


class Jenkins(Adapter):
    """A build on the engine of tests/platforms/jenkins; a cancelled job is an aborted build."""

    platform: ClassVar[str] = "jenkins"
    engine: ClassVar[str] = NAME
    placeholder: ClassVar[str] = "${API_KEY}"
    pipeline: ClassVar[str] = SCRIPTED

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Call the library's step with the inputs in its own spelling; the key is a Jenkins credential."""
        given = {BY_NAME[name].camel: value for name, value in case.inputs.items()}
        arguments = groovy({**given, "apiUrl": sim.url, "runner": "installed"})
        workspace = tmp / "workspace"
        job = Job(
            self.pipeline.replace("CALL", f"{STEPS[case.command]}({arguments})"),
            workspace,
            credentials={} if case.key is None else {"reflect-api-key": case.key},
            agent=agent_environment(tmp),
            environment=case.environ,
        )
        number = ENGINE_OF_THIS_PROCESS.start(job)
        if case.cancel_when == "started":
            assert sim.wait_for(lambda service: bool(service.started), seconds=PATIENCE), "nothing was started"
            ENGINE_OF_THIS_PROCESS.abort(number)
        built = ENGINE_OF_THIS_PROCESS.wait(number)
        # The masked log would hide a leak, so the scenarios get to see what came before the masking.
        code = CODE.search(built.raw)
        outputs: dict[str, str] = {}
        exit_code = int(code[1]) if code else None
        # A Declarative stage has no value.
        if built.result == "SUCCESS" and built.returned:
            exit_code = built.returned["exitCode"]
            outputs = {name: str(value) for name, value in built.returned.items()}
        # Without a folder of the user's choice the library makes one for each call.
        reports = workspace / case.inputs.get("report-dir", "reflect-report")
        if "report-dir" not in case.inputs:
            reports = next(iter(sorted(reports.glob("*/"))), reports)
        return Seen(
            green=built.result == "SUCCESS",
            log=built.raw,
            exit_code=exit_code,
            outputs=outputs,
            reports=reports,
        )


class Declarative(Jenkins):
    """The same call as a step of a Declarative Pipeline."""

    platform: ClassVar[str] = "jenkins-declarative"
    pipeline: ClassVar[str] = DECLARATIVE


ADAPTERS = [Jenkins(), Declarative()]
