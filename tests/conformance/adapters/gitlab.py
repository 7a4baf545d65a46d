"""GitLab: the components reflect-run, reflect-wait and reflect-cancel in a pipeline, run by gitlab-ci-local."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import yaml

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen, execute
from tests.platforms.gitlab import local


class GitLab(Adapter):
    """A pipeline that includes the component as the README shows it; a cancelled job is SIGTERM to its processes."""

    platform: ClassVar[str] = "gitlab"
    engine: ClassVar[str] = local.version()
    cannot: ClassVar[dict[str, str]] = {
        "input-unknown-word": "GitLab itself refuses the whole pipeline, by the `options` of the component's input",
    }

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run a pipeline with one job."""
        variables = {} if case.key is None else {"REFLECT_API_KEY": case.key}
        shop = local.project(tmp, yaml.safe_dump(self.pipeline(case, sim), allow_unicode=True), variables)
        # The job of reflect-cancel is a manual one: it runs when it is named.
        options = ["reflect-cancel"] if case.command == "cancel" else []
        code, log = execute(
            local.command(options),
            case,
            sim,
            env=local.environ(tmp),
            cwd=shop,
            log=tmp.parent / f"{tmp.name}.log",
            cancel=local.signal_job,
        )
        reports = shop / case.inputs.get("report-dir", "reflect-report")
        outputs = dotenv(reports / "reflect.env")
        exit_code = outputs.get("REFLECT_EXIT_CODE")
        return Seen(code == 0, log, int(exit_code) if exit_code else None, outputs, reports)

    def pipeline(self, case: Case, sim: Simulator) -> dict[str, Any]:
        """Return the pipeline: the component with the case's inputs."""
        given = {"api-url": sim.url, "runner": "installed", **case.inputs}
        inputs = {name: typed(name, text) for name, text in given.items()}
        include = {"component": local.COMPONENT.format(case.command), "inputs": inputs}
        return {"include": [include], f"reflect-{case.command}": {"variables": dict(case.environ)}}


def typed(name: str, text: str) -> str | bool | int:
    """Return the value as a user of the component writes it: typed, and several pairs as a JSON object on one line."""
    kind = BY_NAME[name].kind
    if kind == "flag":
        return text == "true"
    if kind == "count":
        return int(text)
    if kind == "pairs" and "\n" in text:
        return json.dumps(dict(line.split("=", 1) for line in text.splitlines()), ensure_ascii=False)
    return text.replace("\n", " ") if kind == "list" else text


def dotenv(path: Path) -> dict[str, str]:
    """Return the variables that later jobs get from the dotenv report."""
    if not path.is_file():
        return {}
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


ADAPTER = GitLab()
