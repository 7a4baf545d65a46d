"""Heroku: the release command of the sample Procfile, run by honcho; config vars are the dyno's environment."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen, environ_of, execute
from tests.platforms.heroku import dyno


class Heroku(Adapter):
    """A release phase on an app whose DEPLOY_ENV is tested; a stopped one is SIGTERM to the dyno's processes."""

    platform: ClassVar[str] = "heroku"
    engine: ClassVar[str] = dyno.version()

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the release phase; `wait` and `cancel` are the same line with that word behind it."""
        line = (dyno.SAMPLES / "Procfile").read_text()
        if case.command != "run":
            line = line.replace("release.sh", f"release.sh {case.command}")
        app = dyno.slug(tmp, line)
        code, log = execute(
            dyno.release(app),
            case,
            sim,
            env=dyno.environ(tmp, {**environ_of(case, sim, tmp), "DEPLOY_ENV": "staging"}),
            cwd=app,
            log=tmp.parent / f"{tmp.name}.log",
        )
        return Seen(
            code == 0,
            log,
            None if case.cancel_when else code,
            reports=app / case.inputs.get("report-dir", "reflect-report"),
        )


ADAPTER = Heroku()
