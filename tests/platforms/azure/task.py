"""The extension's task as the agent runs it: a Node process with INPUT_ and ENDPOINT_ variables, by azure-pipelines-task-lib."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, path_with_runner
from tests.platforms.azure.agent import COMMAND, unescape

SOURCE = ROOT / "tasks" / "azure-devops" / "extension" / "ReflectRun"
MODULES = ROOT / "scripts" / "tools" / "node_modules"
PATIENCE = 180.0


@dataclass
class Ended:
    """How the task's process ended, by what the agent reads from it. log: everything, the hidden lines too."""

    result: str
    message: str
    log: str

    @property
    def shown(self) -> str:
        """What may be seen: all but the command that names a secret."""
        return "\n".join(line for line in self.log.splitlines() if not line.startswith("##vso[task.setsecret]"))

    @property
    def outputs(self) -> dict[str, str]:
        """The output variables."""
        found = {}
        for match in filter(None, map(COMMAND.match, self.log.splitlines())):
            if match[1] == "task.setvariable" and "isoutput=true" in match[2].lower():
                found[match[2].split("variable=")[1].split(";")[0]] = unescape(match[3])
        return found


def node() -> str:
    """Return the path of node."""
    found = shutil.which("node")
    assert found, "node is missing: ./scripts/setup says what to install"
    return found


def library() -> str:
    """Return the version of the task library; where nothing is set up yet, every test of the task fails, and says so."""
    package = MODULES / "azure-pipelines-task-lib" / "package.json"
    return str(json.loads(package.read_text())["version"]) if package.is_file() else "(not installed: ./scripts/setup)"


@contextlib.contextmanager
def task(
    tmp: Path,
    sim: Simulator,
    script: str = "run.js",
    *,
    key: str | None,
    folder: Path = SOURCE,
    environ: Mapping[str, str] | None = None,
    **inputs: str,
) -> Iterator[subprocess.Popen[str]]:
    """Start the task's script with the variables that the agent gives it."""
    temp = tmp / "_temp"
    temp.mkdir(exist_ok=True)
    given = {
        "serviceConnection": "connection",
        "command": "run",
        "runner": "installed",
        "reportDir": "reflect-report",
        **inputs,
    }
    environment = {
        "PATH": path_with_runner(Path(node()).parent),
        "HOME": str(tmp),
        "LANG": "C.UTF-8",
        "TF_BUILD": "True",
        "AGENT_VERSION": "4.260.0",
        "AGENT_TEMPDIRECTORY": str(temp),
        "AGENT_WORKFOLDER": str(tmp),
        "AGENT_JOBSTATUS": "Succeeded",
        # What is installed has its libraries beside it.
        "NODE_PATH": str(MODULES) if folder == SOURCE else "",
        "ENDPOINT_URL_connection": sim.url,
        "ENDPOINT_AUTH_SCHEME_connection": "Token",
        **{f"INPUT_{name.upper()}": value for name, value in given.items()},
        **(environ or {}),
    }
    if key is not None:
        environment["ENDPOINT_AUTH_connection"] = json.dumps({"scheme": "Token", "parameters": {"apitoken": key}})
        environment["ENDPOINT_AUTH_PARAMETER_connection_APITOKEN"] = key
    process = subprocess.Popen(
        [node(), str(folder / script)],
        env=environment,
        cwd=tmp,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def end(process: subprocess.Popen[str]) -> Ended:
    """Wait for the task and read what it told the agent."""
    log, _ = process.communicate(timeout=PATIENCE)
    marks = [line for line in log.splitlines() if line.startswith("##vso[task.complete")]
    result = marks[-1].split("result=")[1].split(";")[0].rstrip("]") if marks else ""
    return Ended(result, unescape(marks[-1].partition("]")[2]) if marks else "", log)
