"""Runs a whole expanded pipeline: stages and jobs in the order of their dependencies, on agents or on the server.

As documented: a job or stage with a condition of its own also runs when the build was cancelled; one that begins after
the cancellation does not see itself as cancelled; output variables reach other jobs by `dependencies.JOB.outputs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.platforms.azure.agent import Agent, JobSeen
from tests.platforms.azure.expressions import evaluate, text_of, truth_of
from tests.platforms.azure.server import build, send

RUNTIME = re.compile(r"\$\[(.*)\]", re.DOTALL)


class PipelineError(ValueError):
    """Azure Pipelines would refuse the pipeline."""


@dataclass
class Seen:
    """What is left of a build: jobs by name (STAGE.JOB where there are stages), their results, and all logs as one."""

    jobs: dict[str, JobSeen] = field(default_factory=dict)
    results: dict[str, str] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        """Whether the build shows green."""
        return bool(self.jobs) and all(result in ("Succeeded", "Skipped") for result in self.results.values())

    @property
    def text(self) -> str:
        """Every log."""
        return "\n".join(job.text for job in self.jobs.values())


def as_list(value: Any) -> list[Any]:
    """Return a list of what may be one value, a list or nothing."""
    return [] if value in (None, "") else value if isinstance(value, list) else [value]


@dataclass
class Build:
    """One build of an expanded pipeline.

    agent: makes an agent for a job in a folder of its own. connections: service connections by name. complete: called
    for an agentless job in Callback mode with the request that was sent; returns succeeded or failed, as the events
    endpoint would be told. after: called after each job with its name; returns True to cancel the build there.
    """

    home: Path
    agent: Callable[[Path], Agent]
    connections: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    complete: Callable[[Any], str] | None = None
    after: Callable[[str], bool] = lambda _: False
    canceled: bool = False
    seen: Seen = field(default_factory=Seen)

    def run(self, document: Mapping[str, Any]) -> Seen:
        """Run the build."""
        if "stages" in document:
            results: dict[str, str] = {}
            previous: list[str] = []
            for stage in document["stages"]:
                name = stage["stage"]
                needs = as_list(stage["dependsOn"]) if "dependsOn" in stage else previous
                previous = [name]
                if self._due(stage.get("condition"), needs, results, {}):
                    results[name] = self._jobs(stage["jobs"], f"{name}.")
                else:
                    results[name] = "Skipped"
                    self.seen.results[name] = "Skipped"
            return self.seen
        jobs = document.get("jobs") or [{"job": "Job", "steps": document["steps"]}]
        self._jobs(jobs, "")
        return self.seen

    def _due(self, condition: Any, needs: list[str], results: Mapping[str, str], outputs: Mapping[str, Any]) -> bool:
        unknown = [name for name in needs if name not in results]
        if unknown:
            raise PipelineError(f"depends on {', '.join(unknown)}, which comes later or does not exist")

        def succeeded(*names: str) -> bool:
            return not self.canceled and all(results[name] == "Succeeded" for name in names or needs)

        functions = {
            "succeeded": succeeded,
            "failed": lambda: any(results[name] == "Failed" for name in needs),
            "succeededorfailed": lambda: (
                not self.canceled and all(results[name] in ("Succeeded", "Failed") for name in needs)
            ),
            "canceled": lambda: self.canceled,
            "always": lambda: True,
        }
        names = {"dependencies": outputs, "variables": self.variables}
        return truth_of(evaluate(str(condition or "succeeded()"), names, functions))

    def _jobs(self, jobs: list[Mapping[str, Any]], prefix: str) -> str:
        results: dict[str, str] = {}
        outputs: dict[str, Any] = {}
        for job in jobs:
            name = job["job"]
            needs = as_list(job.get("dependsOn"))
            visible = {need: outputs[need] for need in needs if need in outputs}
            if not self._due(job.get("condition"), needs, results, visible):
                results[name] = self.seen.results[prefix + name] = "Skipped"
                outputs[name] = {"result": "Skipped", "outputs": {}}
                continue
            values = {key: self._runtime(value, visible) for key, value in (job.get("variables") or {}).items()}
            seen = self._server(job, values) if job.get("pool") == "server" else self._agent(job, prefix + name, values)
            self.seen.jobs[prefix + name] = seen
            results[name] = self.seen.results[prefix + name] = seen.status
            named = {
                f"{step}.{variable}": text
                for step, variables in seen.named_outputs.items()
                for variable, text in variables.items()
            }
            outputs[name] = {"result": seen.status, "outputs": named}
            self.canceled = self.canceled or seen.status == "Canceled" or self.after(prefix + name)
        for worst in ("Canceled", "Failed"):
            if worst in results.values():
                return worst
        return "Succeeded"

    def _runtime(self, value: Any, visible: Mapping[str, Any]) -> str:
        match = RUNTIME.fullmatch(str(value).strip())
        return (
            text_of(evaluate(match[1], {"dependencies": visible, "variables": self.variables}))
            if match
            else text_of(value)
        )

    def _agent(self, job: Mapping[str, Any], name: str, values: Mapping[str, str]) -> JobSeen:
        agent = self.agent(self.home / name)
        agent.known.update(values)
        return agent.run(job["steps"])

    def _server(self, job: Mapping[str, Any], values: Mapping[str, str]) -> JobSeen:
        seen = JobSeen()
        for step in job["steps"]:
            if step.get("task") != "InvokeRESTAPI@1":
                raise PipelineError(f"{step} is not valid in a job with pool: server")
            request = build(step["inputs"], self.connections, {**self.variables, **values})
            passed, why = send(request)
            if passed and request.waits:
                # Without a callback the job waits until its time limit.
                passed = bool(self.complete) and self.complete is not None and self.complete(request) == "succeeded"
                why = "TaskCompleted: failed"
            seen.log.append(
                f"{request.method} {request.url}" if passed else f"##[error]{request.method} {request.url}: {why}"
            )
            if not passed:
                seen.status = "Failed"
                break
        return seen
