"""Bitbucket: the script of a step run by bb-run, and the pipe run as its container."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import ClassVar

import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen, execute
from tests.platforms.bitbucket import bbrun, pipe

REPORT_DIR = "test-results/reflect"
STOP = (
    'Bitbucket\'s "Stop" kills a step at once (SIGKILL) and runs no after-script, so no step can do anything; '
    "what cancels then is the next run's REFLECT_CONFLICT=cancel (tests/platforms/test_bitbucket_stop.py)"
)
CANNOT = {"job-cancelled": STOP, "job-cancelled-several": STOP}


def code_of(log: str) -> int | None:
    """Return the exit code that bb-run names in its log."""
    for line in log.splitlines():
        if "exit code " in line:
            return int("".join(filter(str.isdigit, line.split("exit code ", 1)[1].split()[0])))
    return None


class Script(Adapter):
    """A step as the README shows it: an export per input, then the script; the key is a variable of the repository."""

    platform: ClassVar[str] = "bitbucket"
    engine: ClassVar[str] = bbrun.version()
    cannot: ClassVar[dict[str, str]] = CANNOT

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run a pipeline with one step."""
        inputs = {"api-url": sim.url, "runner": "installed", **case.inputs}
        exports = [
            f"export REFLECT_{name.replace('-', '_').upper()}={shlex.quote(text)}" for name, text in inputs.items()
        ]
        step = {"name": "Reflect", "script": [*exports, f"sh ci/reflect-run.sh {case.command}"]}
        text = yaml.safe_dump({"pipelines": {"default": [{"step": step}]}}, allow_unicode=True)
        clone = bbrun.repository(tmp, text)
        variables = dict(case.environ) if case.key is None else {**case.environ, "REFLECT_API_KEY": case.key}
        code, log = execute(
            bbrun.command(clone, "default"),
            case,
            sim,
            env=bbrun.environ(tmp, variables),
            cwd=clone,
            log=tmp.parent / f"{tmp.name}.log",
        )
        reports = clone / case.inputs.get("report-dir", REPORT_DIR)
        return Seen(code == 0, log, 0 if code == 0 else code_of(log), reports=reports)


class Pipe(Adapter):
    """The pipe's image as Bitbucket runs it: the clone mounted at its own path, the variables as they are."""

    platform: ClassVar[str] = "bitbucket-pipe"
    engine: ClassVar[str] = "the pipe's own container on Docker; own executor of a step's `pipe:`"
    needs_engine: ClassVar[bool] = True
    cannot: ClassVar[dict[str, str]] = CANNOT

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the container."""
        clone = tmp / "clone"
        clone.mkdir(parents=True)
        variables = {"COMMAND": case.command, "API_URL": sim.url}
        variables |= {name.replace("-", "_").upper(): text for name, text in case.inputs.items()}
        if case.key is not None:
            variables["REFLECT_API_KEY"] = case.key
        given = {**pipe.step_variables(), **case.environ, **variables}
        log = tmp.parent / f"{tmp.name}.log"
        code, text = execute(
            pipe.command(pipe.image(), clone, given), case, sim, env=pipe.environ(given), cwd=clone, log=log
        )
        return Seen(code == 0, text, code, reports=clone / case.inputs.get("report-dir", REPORT_DIR))


ADAPTERS: list[Adapter] = [Script(), Pipe()]
