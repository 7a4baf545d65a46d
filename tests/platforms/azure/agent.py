"""Runs the steps of an expanded agent job as the agent documents it: conditions, macros, logging commands, cancellation.

`bash:` steps are really run by bash, the way the agent's Bash task does it: the script in a file, no arguments, stderr
with stdout, and the signals of a cancelled job (SIGINT, then SIGTERM, then SIGKILL) handed on to bash.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.platforms.azure.expressions import evaluate, truth_of

COMMAND = re.compile(r"^##vso\[([\w.]+)\s*([^\]]*)\](.*)$", re.DOTALL)
MACRO = re.compile(r"\$\(([^()]+)\)")
STEP_KEYS = {
    "bash",
    "task",
    "checkout",
    "name",
    "displayName",
    "condition",
    "env",
    "inputs",
    "enabled",
    "continueOnError",
    "timeoutInMinutes",
    "workingDirectory",
    "failOnStderr",
}
# The agent waits 7.5 s after SIGINT and 2.5 s after SIGTERM.
AFTER_SIGINT, AFTER_SIGTERM = 7.5, 2.5
# Tasks whose work happens on the server: recorded, not done.
RECORDED = {"PublishTestResults@2", "PublishPipelineArtifact@1", "PublishBuildArtifacts@1"}
PATIENCE = 180.0


class AgentError(RuntimeError):
    """The agent would refuse the step, or this executor does not know it."""


@dataclass
class StepSeen:
    """How a step ended. result: succeeded, succeededWithIssues, failed, canceled or skipped."""

    name: str
    title: str
    result: str
    exit_code: int | None = None


@dataclass
class JobSeen:
    """What is left of a job. log: every line that the agent shows, with nothing masked. commands: (command, properties, text)."""

    status: str = "Succeeded"
    log: list[str] = field(default_factory=list)
    steps: list[StepSeen] = field(default_factory=list)
    commands: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    named_outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    secrets: set[str] = field(default_factory=set)
    tasks: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    temp: Path = Path()

    @property
    def green(self) -> bool:
        """Whether the job shows green."""
        return self.status == "Succeeded"

    @property
    def text(self) -> str:
        """The log as one text."""
        return "\n".join(self.log)

    def step(self, name: str) -> StepSeen:
        """Return the step of this name or title."""
        return next(step for step in self.steps if name in (step.name, step.title))


Signals = tuple[tuple[int, float], ...]
POLITE: Signals = ((signal.SIGINT, AFTER_SIGINT), (signal.SIGTERM, AFTER_SIGTERM), (signal.SIGKILL, 5.0))
# An agent whose task process dies at once, so that the script gets no chance.
HARSH: Signals = ((signal.SIGKILL, 5.0),)


@dataclass
class Agent:
    """One job on one agent.

    variables: what `$(…)` and the environment see; secrets are not put in the environment. cancel: called in a thread
    while the job runs; when it returns, the job is cancelled. cancel_before: title or name of a step before which the
    job is cancelled.
    """

    home: Path
    environ: Mapping[str, str]
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    cancel: Callable[[], object] | None = None
    cancel_before: str = ""
    signals: Signals = POLITE

    def __post_init__(self) -> None:
        self.temp = self.home / "_temp"
        self.work = self.home / "s"
        self.known = {
            **self.variables,
            **self.secrets,
            "Agent.TempDirectory": str(self.temp),
            "System.DefaultWorkingDirectory": str(self.work),
        }
        self.secret_names = set(self.secrets)
        self.canceled = threading.Event()
        self.running: subprocess.Popen[bytes] | None = None
        self.seen = JobSeen(temp=self.temp)

    def run(self, steps: Sequence[Mapping[str, Any]]) -> JobSeen:
        """Run the steps of a job and return what is left."""
        for folder in (self.temp, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        watcher = threading.Thread(target=self._watch, daemon=True) if self.cancel else None
        if watcher:
            watcher.start()
        names = [step["name"] for step in steps if step.get("name")]
        if len(set(names)) != len(names):
            raise AgentError(f"two steps of a job have the same name: {names}")
        for step in steps:
            self._step(step)
        if watcher:
            watcher.join(PATIENCE)
            assert not watcher.is_alive(), "the moment for the cancellation never came"
        return self.seen

    # --- conditions and variables ---------------------------------------------------------------------------------

    def _watch(self) -> None:
        assert self.cancel is not None
        self.cancel()
        self.canceled.set()

    def _settle(self) -> None:
        if self.canceled.is_set():
            self.seen.status = "Canceled"

    def _due(self, condition: str) -> bool:
        status = self.seen.status
        functions = {
            "always": lambda: True,
            "canceled": lambda: status == "Canceled",
            "succeeded": lambda: status == "Succeeded",
            "failed": lambda: status == "Failed",
            "succeededorfailed": lambda: status in ("Succeeded", "Failed"),
        }
        return truth_of(evaluate(condition, {"variables": self.known}, functions))

    def _macros(self, text: str) -> str:
        """Replace `$(name)` where the variable exists; what is unknown stays as it is written."""
        known = {name.lower(): value for name, value in self.known.items()}
        return MACRO.sub(lambda match: known.get(match[1].lower(), match[0]), text)

    def _environ(self, step: Mapping[str, Any]) -> dict[str, str]:
        result = dict(self.environ)
        for name, value in self.known.items():
            if name not in self.secret_names:
                result[re.sub(r"[. ]", "_", name).upper()] = value
        for name, value in (step.get("env") or {}).items():
            if isinstance(value, (dict, list)):
                raise AgentError(f"env {name} is not text")
            text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
            result[name] = self._macros(text)
        return result

    # --- steps ----------------------------------------------------------------------------------------------------

    def _step(self, step: Mapping[str, Any]) -> None:
        unknown = set(step) - STEP_KEYS
        if unknown:
            raise AgentError(f"this executor does not know {', '.join(sorted(unknown))} of a step")
        title = self._macros(str(step.get("displayName") or step.get("bash", step.get("task", "checkout")))).split(
            "\n"
        )[0]
        name = str(step.get("name", ""))
        if self.cancel_before and self.cancel_before in (name, title):
            self.canceled.set()
        self._settle()
        if step.get("enabled") is False or not self._due(str(step.get("condition") or "succeeded()")):
            self.seen.steps.append(StepSeen(name, title, "skipped"))
            return
        self.seen.log.append(f"##[section]Starting: {title}")
        if "bash" in step:
            code, declared = self._bash(step, name)
            result = declared or ("succeeded" if code == 0 else "failed")
            if code != 0:
                self.seen.log.append(f"##[error]Bash exited with code '{code}'.")
        elif "checkout" in step:
            code, result = None, "succeeded"
        elif step.get("task") in RECORDED:
            self.seen.tasks.append(
                (step["task"], {key: self._macros(str(value)) for key, value in step.get("inputs", {}).items()})
            )
            code, result = None, "succeeded"
        else:
            raise AgentError(f"this executor does not know the task {step.get('task')}")
        was_canceled = self.seen.status == "Canceled"
        self._settle()
        if self.seen.status == "Canceled" and not was_canceled:
            result = "canceled"
        elif result == "failed" and self.seen.status == "Succeeded":
            if step.get("continueOnError"):
                result = "succeededWithIssues"
            else:
                self.seen.status = "Failed"
        self.seen.steps.append(StepSeen(name, title, result, code))
        self.seen.log.append(f"##[section]Finishing: {title}")

    def _bash(self, step: Mapping[str, Any], name: str) -> tuple[int, str]:
        script = self.temp / f"step-{len(self.seen.steps)}.sh"
        script.write_text(self._macros(str(step["bash"])))
        process = subprocess.Popen(
            ["bash", str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environ(step),
            cwd=self.work,
            start_new_session=True,
        )
        # A step that begins after the cancellation (condition canceled() or always()) is not disturbed by it.
        killer = None
        if not self.canceled.is_set():
            killer = threading.Thread(target=self._kill_when_canceled, args=(process,), daemon=True)
            killer.start()
        timer = threading.Timer(PATIENCE, process.kill)
        timer.start()
        declared = ""
        assert process.stdout is not None
        with process.stdout as lines:
            for raw in lines:
                declared = self._line(raw.decode(errors="replace").rstrip("\r\n"), name) or declared
        code = process.wait()
        timer.cancel()
        if killer:
            killer.join(PATIENCE)
        with contextlib.suppress(ProcessLookupError):  # the agent's clean-up of orphans at the end of the job
            os.killpg(process.pid, signal.SIGKILL)
        return code, declared

    def _kill_when_canceled(self, process: subprocess.Popen[bytes]) -> None:
        while process.poll() is None and not self.canceled.wait(0.02):
            pass
        for number, patience in self.signals if self.canceled.is_set() else ():
            if process.poll() is not None:
                return
            process.send_signal(number)
            end = time.monotonic() + patience
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)

    def _line(self, line: str, step: str) -> str:
        """Take one line of output: obey it when it is a logging command, show it when it is not; return a declared result."""
        match = COMMAND.match(line)
        if not match:
            self.seen.log.append(line)
            return ""
        command, text = match[1].lower(), unescape(match[3])
        properties = {
            key.strip().lower(): unescape(value)
            for key, _, value in (part.partition("=") for part in match[2].split(";"))
            if key.strip()
        }
        self.seen.commands.append((command, properties, text))
        if command == "task.setvariable":
            variable = properties["variable"]
            if properties.get("isoutput", "").lower() == "true":
                # The server makes up a name for a step without one; nobody can read such an output.
                if step:
                    self.seen.outputs[variable] = text
                    self.seen.named_outputs.setdefault(step, {})[variable] = text
                variable = f"{step or 'unnamed'}.{variable}"
            self.known[variable] = text
            if properties.get("issecret", "").lower() == "true":
                self.secret_names.add(variable)
                self.seen.secrets.add(text)
        elif command == "task.setsecret":
            self.seen.secrets.add(text)
        elif command == "task.logissue":
            self.seen.log.append(f"##[{properties.get('type', 'error')}]{text}")
        elif command == "task.complete":
            return {"succeeded": "succeeded", "failed": "failed"}.get(properties.get("result", "").lower(), "")
        elif command in (
            "task.uploadsummary",
            "artifact.upload",
            "results.publish",
            "task.addattachment",
            "task.debug",
            "task.setprogress",
            "build.addbuildtag",
        ):
            pass
        else:
            self.seen.log.append(f"##[warning]unknown command {command}")
        return ""


def unescape(text: str) -> str:
    """Undo the escapes of logging commands."""
    for escaped, plain in (("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%")):
        text = text.replace(escaped, plain)
    return text
