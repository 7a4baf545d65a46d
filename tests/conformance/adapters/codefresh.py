"""Codefresh: the freestyle step, and the step type in a pipeline that uses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import yaml

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Adapter, Case, Seen, execute
from tests.platforms.previews import machine

FOLDER = ROOT / "tasks" / "codefresh"


class StepType(Adapter):
    """A pipeline with one step of our type; a terminated build is SIGTERM to that step's first process."""

    platform: ClassVar[str] = "codefresh"
    engine: ClassVar[str] = "own executor of documented semantics (step types and freestyle steps, on this machine)"
    placeholder: ClassVar[str] = "${{MY_REFLECT_KEY}}"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run a pipeline with one step."""
        volume = tmp / "volume"
        volume.mkdir()
        pipeline = tmp / "codefresh.yml"
        pipeline.write_text(yaml.safe_dump(self.pipeline(case, sim), allow_unicode=True))
        variables = {"CF_BUILD_ID": "0a1b2c", "CF_BUILD_URL": "https://g.codefresh.io/build/0a1b2c", **case.environ}
        if case.key is not None:
            variables["REFLECT_API_KEY"] = case.key
        (tmp / "build.json").write_text(json.dumps({"volume": str(volume), "variables": variables}))
        code, log = execute(
            machine.module("codefresh.executor", pipeline, tmp / "build.json"),
            case,
            sim,
            env=machine.environ(tmp, {}),
            cwd=tmp,
            log=tmp.parent / f"{tmp.name}.log",
        )
        seen = Seen(code == 0, log, reports=volume / case.inputs.get("report-dir", "reflect-report"))
        exported = volume / "variables.json"
        if exported.is_file():
            seen.outputs = {
                name: value for name, value in json.loads(exported.read_text()).items() if name not in variables
            }
            if "REFLECT_EXIT_CODE" in seen.outputs:
                seen.exit_code = int(seen.outputs["REFLECT_EXIT_CODE"])
        return seen

    def pipeline(self, case: Case, sim: Simulator) -> dict[str, Any]:
        """Return a pipeline with the case's inputs as arguments; several pairs are JSON, as an argument is one line."""
        given = {"api-url": sim.url, "runner": "installed", **case.inputs}
        arguments = {BY_NAME[name].snake: one_line(name, text) for name, text in given.items()}
        step = {"type": "reflect-ci/reflect-run:0.1.0", "arguments": {"command": case.command, **arguments}}
        return {"version": "1.0", "steps": {"reflect": step}}


def one_line(name: str, text: str) -> str:
    """Return a value as a user of the step type writes it."""
    if BY_NAME[name].kind == "pairs" and "\n" in text:
        return json.dumps(dict(line.split("=", 1) for line in text.splitlines()), ensure_ascii=False)
    return text


class Freestyle(StepType):
    """The pipeline of freestyle.yml, its `environment` being the case's inputs."""

    platform: ClassVar[str] = "codefresh-freestyle"

    def pipeline(self, case: Case, sim: Simulator) -> dict[str, Any]:
        """Return the very file with the case's inputs; `wait` and `cancel` stand where its script says `run`."""
        document: dict[str, Any] = yaml.safe_load((FOLDER / "freestyle.yml").read_text())
        (step,) = document["steps"].values()
        given = {"api-url": sim.url, "runner": "installed", **case.inputs}
        step["environment"] = [f"{BY_NAME[name].env}={text}" for name, text in given.items()]
        (script,) = step["commands"]
        assert script.count("set -- run\n") == 2, "the step's own line, and the bootstrap's"
        step["commands"] = [script.replace("set -- run\n", f"set -- {case.command}\n", 1)]
        return document


ADAPTERS: list[Adapter] = [StepType(), Freestyle()]
