"""The shell step: tasks/shell/reflect-run.sh as a CI job's step calls it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Adapter, Case, Seen, environ_of, execute


class Shell(Adapter):
    """Runs the script by /bin/sh; a cancelled job is a SIGTERM to that process."""

    platform: ClassVar[str] = "shell"
    engine: ClassVar[str] = "/bin/sh of the machine"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the script in an empty folder."""
        environ = environ_of(case, sim, tmp)
        script = ROOT / "tasks" / "shell" / "reflect-run.sh"
        code, log = execute(
            ["/bin/sh", script, case.command], case, sim, env=environ, cwd=tmp, log=tmp.parent / f"{tmp.name}.log"
        )
        reports = tmp / case.inputs.get("report-dir", "reflect-report")
        return Seen(green=code == 0, log=log, exit_code=code, reports=reports)


ADAPTER = Shell()
