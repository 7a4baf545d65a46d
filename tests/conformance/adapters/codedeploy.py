"""CodeDeploy: the Lambda package in Lambda's own runtime, and the script of EC2 and on-premises deployments."""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path
from typing import ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Adapter, Case, Seen, execute, path_with_runner
from tests.platforms.codedeploy import appspec, emulator
from tests.platforms.codedeploy.aws import SECRET, Aws

HOOK = {"DeploymentId": "d-EXAMPLE11", "LifecycleEventHookExecutionId": "eyJlbmNyeXB0ZWREYXRhIjoi/x+Y="}
STOPPED = "CodeDeploy does not tell a hook that its deployment was stopped; the function ends by its own deadline."


class Functions(Adapter):
    """One call of the hook by CodeDeploy (or, to collect, of the state machine's step), the key in Secrets Manager."""

    platform: ClassVar[str] = "codedeploy"
    engine: ClassVar[str] = f"{emulator.version()}, boto3 against stand-ins of AWS"
    cannot: ClassVar[dict[str, str]] = {
        "job-cancelled": STOPPED,
        "job-cancelled-several": STOPPED,
        "cancel-step": "A hook has no step that cancels: at the deadline the hook itself does.",
    }

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Call the function in a new sandbox."""
        environ = {"REFLECT_" + name.replace("-", "_").upper(): value for name, value in case.inputs.items()}
        executions = environ.pop("REFLECT_EXECUTIONS", "")
        reports = tmp / "reports" / case.inputs.get("report-dir", "")
        # Lambda lets a function write below /tmp only, so a relative folder is no use there.
        environ |= {"REFLECT_API_URL": sim.url, "REFLECT_REPORT_DIR": str(reports), **case.environ}
        with Aws() as aws:
            if case.key is not None:
                aws.secrets[SECRET] = case.key
                environ["REFLECT_SECRET_ARN"] = SECRET
            name, event = "codedeploy_hook.handler", dict(HOOK)
            if case.command == "wait":
                name, event = (
                    "codedeploy_hook.step",
                    {"deployment": "d-EXAMPLE11", "hook": "", "executions": executions},
                )
                event["started"] = str(time.time())
            with emulator.function(name, {**environ, **aws.environ}, tmp) as function:
                answer = function.call(event)
                log = function.log
            told = [each["status"] for each in aws.statuses] or [answer.get("status")]
            assert len(told) == 1, f"told CodeDeploy {told}"
        folders = list(reports.glob("*")) if reports.is_dir() else []
        return Seen(
            green=told == ["Succeeded"],
            log=log,
            exit_code=answer.get("exitCode"),
            outputs={name: str(value) for name, value in answer.items()},
            reports=folders[0] if folders else None,
        )


class Server(Adapter):
    """The hook ValidateService of a revision whose script sets the inputs and calls ours; to stop it is a SIGTERM."""

    platform: ClassVar[str] = "codedeploy-ec2"
    engine: ClassVar[str] = "own executor of documented semantics (AppSpec hooks)"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the hook's script as CodeDeploy's agent does."""
        revision, cwd = tmp / "revision", tmp / "agent"
        shutil.copytree(ROOT / "tasks" / "codedeploy" / "samples" / "ec2", revision)
        shutil.copy(ROOT / "tasks" / "codedeploy" / "ec2" / "reflect-run.sh", revision / "scripts")
        cwd.mkdir()
        inputs = {"runner": "installed", "api-url": sim.url, "report-dir": str(tmp / "reflect-report"), **case.inputs}
        if "report-dir" in case.inputs:
            inputs["report-dir"] = str(tmp / case.inputs["report-dir"])
        if case.key is not None:
            inputs["api-key-file"] = str(tmp.parent / f"{tmp.name}.key")
            Path(inputs["api-key-file"]).write_text(case.key)
        exports = [f"export REFLECT_{n.replace('-', '_').upper()}={shlex.quote(v)}" for n, v in inputs.items()]
        (revision / "scripts" / "validate.sh").write_text(
            "\n".join(
                ["#!/bin/sh", "set -eu", *exports, f'exec sh "$(dirname "$0")/reflect-run.sh" {case.command}', ""]
            )
        )
        (script,) = appspec.scripts(revision, "ValidateService")
        base = {"PATH": path_with_runner(), "HOME": str(tmp), "LANG": "C.UTF-8", **case.environ}
        code, log = execute(
            [script.path], case, sim,
            env=appspec.environment("ValidateService", "staging", base), cwd=cwd, log=tmp.parent / f"{tmp.name}.log",
        )  # fmt: skip
        return Seen(green=code == 0, log=log, exit_code=code, reports=Path(inputs["report-dir"]))


ADAPTERS = [Functions(), Server()]
