"""Travis CI: the job of a stage after the deployment, executed by Travis' documented rules."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen
from tests.platforms.travis import build

TAKEN_AWAY = (
    "Travis takes a cancelled job's machine away and promises no signal, so no job can do anything; what cancels then "
    "is the next build's REFLECT_CONFLICT=cancel (tests/platforms/test_travis.py)"
)


class Travis(Adapter):
    """A build with the stage e2e as the README shows it: an export per input, then the script."""

    platform: ClassVar[str] = "travis"
    engine: ClassVar[str] = build.ENGINE
    cannot: ClassVar[dict[str, str]] = {"job-cancelled": TAKEN_AWAY, "job-cancelled-several": TAKEN_AWAY}

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the build."""
        inputs = {"api-url": sim.url, "runner": "installed", **case.inputs}
        exports = [
            f"export REFLECT_{name.replace('-', '_').upper()}={shlex.quote(text)}" for name, text in inputs.items()
        ]
        script = [*exports, f"sh ci/reflect-run.sh {case.command}"]
        variables = dict(case.environ) if case.key is None else {**case.environ, "REFLECT_API_KEY": case.key}
        config = {"jobs": {"include": [{"stage": "deploy", "script": "true"}, {"stage": "e2e", "script": script}]}}
        deploy, job = build.Build(tmp, sim, variables, case=case).run(config)
        assert deploy.status == "passed", deploy.log
        (code,) = re.findall(rf'The command "{re.escape(script[-1])}" exited with (\d+)', job.log)
        return Seen(
            build.green([deploy, job]),
            job.log,
            int(code),
            reports=job.clone / case.inputs.get("report-dir", "reflect-report"),
        )


ADAPTER = Travis()
