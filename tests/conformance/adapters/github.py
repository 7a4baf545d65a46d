"""GitHub: the actions reflect-run, reflect-wait and reflect-cancel in a workflow, run by act."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen, execute
from tests.platforms.github import act


class GitHub(Adapter):
    """One job as the README shows it: the action, and a step that cancels what is left when the job is cancelled.

    A cancelled job is SIGINT to the step's process, as on GitHub. That the clean-up step does its part when that process
    was killed instead is tests/platforms/test_github_cancel.py.
    """

    platform: ClassVar[str] = "github"
    engine: ClassVar[str] = act.version()
    placeholder: ClassVar[str] = "${{ secrets.REFLECT_API_KEY }}"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run a workflow with one job."""
        outputs, reports = tmp / "outputs.json", tmp / "reports"
        repo = act.repository(tmp / "shop", {"e2e.yml": act.dump(self.workflow(case, sim, outputs, reports))})
        options = [
            "--secret-file",
            str(act.dotenv(tmp / "secrets", {} if case.key is None else {"REFLECT_API_KEY": case.key})),
        ]
        code, log = execute(
            act.command(repo, tmp, options=options),
            case,
            sim,
            env=act.environ(tmp),
            cwd=repo,
            log=tmp.parent / f"{tmp.name}.log",
            cancel=act.interrupt,
        )
        seen = Seen(green=code == 0, log=log, reports=reports)
        if outputs.is_file():
            seen.outputs = json.loads(outputs.read_text() or "{}")
            if seen.outputs.get("exit-code"):
                seen.exit_code = int(seen.outputs["exit-code"])
        return seen

    def workflow(self, case: Case, sim: Simulator, outputs: Path, reports: Path) -> dict[str, Any]:
        """Return the workflow: the action with the case's inputs, the clean-up step, and one that looks for the test."""
        common = {"api-key": "${{ secrets.REFLECT_API_KEY }}", "api-url": sim.url, "runner": "installed"}
        folder = case.inputs.get("report-dir", "reflect-report")
        uses = f"{act.CATALOG}/tasks/github/reflect-{{}}@{act.pin()}"
        steps = [
            {"id": "reflect", "uses": uses.format(case.command), "with": {**common, **case.inputs}},
            {
                "if": "cancelled()",
                "uses": uses.format("cancel"),
                "with": {**common, "from-file": f"{folder}/executions.json"},
            },
            {
                "if": "always()",
                "env": {
                    "OUTPUTS": "${{ toJSON(steps.reflect.outputs) }}",
                    "OUTPUTS_FILE": str(outputs),
                    "REPORTS": folder,
                    "REPORTS_COPY": str(reports),
                },
                # act removes the workspace at the job's end.
                "run": 'printf "%s" "${OUTPUTS}" > "${OUTPUTS_FILE}"; [ ! -d "${REPORTS}" ] || cp -R "${REPORTS}" "${REPORTS_COPY}"',
            },
        ]
        job = {"runs-on": "ubuntu-24.04", "env": dict(case.environ), "steps": steps}
        return {"on": "push", "permissions": {}, "jobs": {"e2e": job}}


ADAPTER = GitHub()
