"""CircleCI: the jobs of the orb in a workflow, packed, expanded and executed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen
from tests.platforms.circleci import orb, run


class CircleCI(Adapter):
    """A workflow with one job of the orb.

    Cancelling a job kills it, so a single job could do nothing about it. The cancelled cases run the workflow for that
    (README: "On failure"): a job that starts, one that waits and is cancelled, and one that cancels what is left.
    """

    platform: ClassVar[str] = "circleci"
    engine: ClassVar[str] = run.ENGINE
    cannot: ClassVar[dict[str, str]] = {
        "input-unknown-word": "CircleCI itself refuses the whole configuration, by the parameter's `enum`",
    }

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the workflow."""
        variables = dict(case.environ) if case.key is None else {**case.environ, "REFLECT_API_KEY": case.key}
        common = {"api_url": sim.url, "runner": "installed"}
        given = {**common, **{BY_NAME[name].snake: typed(name, text) for name, text in case.inputs.items()}}
        jobs: list[dict[str, Any]] = [{f"reflect/{case.command}": given}]
        cancel: tuple[str, Callable[[], bool]] | None = None
        if case.cancel_when:
            jobs = cancellable(given, common)
            cancel = ("verdict", lambda: self.polled(sim))
        config = {"version": 2.1, "orbs": {"reflect": "reflect-ci/reflect@0.1.0"}, "workflows": {"e2e": {"jobs": jobs}}}
        machine = run.Machine(tmp, variables, cancel=cancel)
        done = list(machine.workflow(orb.workflows(config)["e2e"]).values())
        log = "".join(job.log for job in done)
        if case.cancel_when:
            assert [job.status for job in done] == ["success", "canceled", "success"], log
        job = done[0]
        code = job.failed[1] if job.failed else 0 if job.status == "success" else None
        return Seen(
            all(job.status == "success" for job in done),
            log,
            None if case.cancel_when else code,
            exported(job.folder.parent / "bash_env"),
            job.folder / case.inputs.get("report-dir", "reflect-report"),
        )

    @staticmethod
    def polled(sim: Simulator) -> bool:
        """Return whether the waiting job has asked for a verdict."""
        return any(call.method == "GET" and call.path.count("/") > 3 and call.status == 200 for call in sim.calls)


def cancellable(given: dict[str, Any], common: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the three jobs of samples/cancel-on-abort.yml with these inputs."""
    file = "reflect-report/executions.json"
    attach = [{"attach_workspace": {"at": "."}}]
    persist = [{"persist_to_workspace": {"root": ".", "paths": [file]}}]
    return [
        {"reflect/run": {**given, "name": "start", "wait": False, "post-steps": persist}},
        {"reflect/wait": {**common, "name": "verdict", "from_file": file, "requires": ["start"], "pre-steps": attach}},
        {
            "reflect/cancel": {
                **common,
                "name": "clean-up",
                "from_file": file,
                "requires": [{"verdict": "canceled"}],
                "pre-steps": attach,
            }
        },
    ]


def typed(name: str, text: str) -> str | bool | int:
    """Return the value as a user of the orb writes it."""
    kind = BY_NAME[name].kind
    return text == "true" if kind == "flag" else int(text) if kind == "count" else text


def exported(path: Path) -> dict[str, str]:
    """Return what later steps read from BASH_ENV (as text; a shell reads it in test_circleci_orb.py)."""
    lines = path.read_text().splitlines()
    return dict(line.removeprefix("export ").split("=", 1) for line in lines if line.startswith("export "))


ADAPTER = CircleCI()
