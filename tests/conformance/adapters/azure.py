"""Azure Pipelines: the step templates as a pipeline of another repository includes them, and the extension's task."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import ClassVar

import yaml

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import PATIENCE, ROOT, Adapter, Case, Seen, path_with_runner
from tests.platforms.azure.agent import Agent
from tests.platforms.azure.expander import ExpansionError, expand_pipeline
from tests.platforms.azure.task import SOURCE, end, library, task

TEMPLATES = {
    "run": "reflect-run.steps.yml",
    "wait": "reflect-wait.steps.yml",
    "cancel": "reflect-cancel.steps.yml",
}
# What every agent sets; values as in a build of a branch in Azure Repos.
PREDEFINED = {
    "Agent.JobName": "Job",
    "Agent.OS": "Linux",
    "Build.BuildId": "4711",
    "Build.SourceBranch": "refs/heads/main",
    "Build.SourceVersion": "0123456789abcdef0123456789abcdef01234567",
    "Build.Repository.Provider": "TfsGit",
    "Build.Repository.Name": "shop",
    "System.CollectionUri": "https://dev.azure.com/example/",
    "System.TeamFoundationCollectionUri": "https://dev.azure.com/example/",
    "System.TeamProject": "Shop",
    "TF_BUILD": "True",
}


def pipeline(case: Case, sim: Simulator) -> str:
    """Write the pipeline of a user: the catalog as a repository resource at a tag, one template with its parameters."""
    parameters: dict[str, object] = {"apiUrl": sim.url, "runner": "installed"}
    for name, value in case.inputs.items():
        parameters[BY_NAME[name].camel] = value
    if case.command == "cancel":
        parameters["condition"] = "succeeded()"
    document = {
        "resources": {
            "repositories": [
                {
                    "repository": "reflect",
                    "type": "github",
                    "name": "reflect-ci/catalog",
                    "ref": "refs/tags/v0.1.0",
                    "endpoint": "github",
                }
            ]
        },
        "pool": {"vmImage": "ubuntu-latest"},
        "steps": [
            {"template": f"tasks/azure-devops/templates/{TEMPLATES[case.command]}@reflect", "parameters": parameters}
        ],
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    return text


class Azure(Adapter):
    """Expands the pipeline and runs its steps; a cancelled job gets the agent's signals and then its `canceled()` steps."""

    platform: ClassVar[str] = "azure-devops"
    engine: ClassVar[str] = "own executor of documented semantics (template expansion and agent), bash of the machine"
    placeholder: ClassVar[str] = "$(ReflectApiKey)"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the pipeline's job."""
        file = tmp / "azure-pipelines.yml"
        file.write_text(pipeline(case, sim))
        try:
            steps = expand_pipeline(file, repositories={"reflect": ROOT})["steps"]
        except ExpansionError as error:
            return Seen(green=False, log=f"/azure-pipelines.yml: {error}")
        agent = Agent(
            home=tmp,
            environ={
                "PATH": path_with_runner(),
                "HOME": str(tmp),
                "TMPDIR": str(tmp),
                "LANG": "C.UTF-8",
                **case.environ,
            },
            variables=PREDEFINED,
            # A secret that nobody defined is no variable: its $(…) stays as it is written.
            secrets={} if case.key is None else {"ReflectApiKey": case.key},
        )
        if case.cancel_when == "started":
            agent.cancel = lambda: sim.wait_for(lambda service: bool(service.started), seconds=PATIENCE)
        job = agent.run(steps)
        codes = [step.exit_code for step in job.steps if step.exit_code is not None]
        return Seen(
            green=job.green,
            log=job.text,
            exit_code=codes[0] if codes else None,
            outputs=job.outputs,
            reports=job.temp / case.inputs.get("report-dir", "reflect-report"),
        )


class Extension(Adapter):
    """Runs the extension's task; a cancelled job is a SIGINT to its process and then the script at the job's end."""

    platform: ClassVar[str] = "azure-devops-extension"
    engine: ClassVar[str] = f"azure-pipelines-task-lib {library()} on Node"
    placeholder: ClassVar[str] = "$(ReflectApiKey)"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the task with its inputs and its service connection."""
        inputs = {"command": case.command, **{BY_NAME[name].camel: value for name, value in case.inputs.items()}}
        with task(tmp, sim, key=case.key, folder=SOURCE, environ=case.environ, **inputs) as process:
            if case.cancel_when == "started":
                assert sim.wait_for(lambda service: bool(service.started), seconds=PATIENCE)
                process.send_signal(signal.SIGINT)
            ended = end(process)
        log = ended.shown
        if case.cancel_when == "started":
            saved = tmp / "_temp" / "reflect-report" / "executions.json"
            after = {**case.environ, "AGENT_JOBSTATUS": "Canceled", "VSTS_TASKVARIABLE_EXECUTIONS": str(saved)}
            with task(tmp, sim, "cancel.js", key=case.key, folder=SOURCE, environ=after, **inputs) as process:
                log += "\n" + end(process).shown
        code = re.search(r"exit code (\d+)", ended.message)
        return Seen(
            green=ended.result == "Succeeded",
            log=log,
            exit_code=int(code[1]) if code else 0 if ended.result == "Succeeded" else None,
            outputs=ended.outputs,
            reports=tmp / "_temp" / case.inputs.get("report-dir", "reflect-report"),
        )


ADAPTERS = [Azure(), Extension()]
