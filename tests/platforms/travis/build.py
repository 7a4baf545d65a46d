"""Runs a .travis.yml by Travis CI's documented rules, on this machine and without images.

Stages run one after the other, each only when every job of those before passed. A job is one bash: a failing command
of before_install, install or before_script ends it as errored; every command of script runs, and one that fails makes
the job fail; what after_success, after_failure, after_deploy and after_script end with changes nothing; a failing
deployment makes it errored; travis_terminate ends the job at once with its code (0 passed, 1 failed, else errored).
What is not implemented is refused, never passed over.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Case, execute, path_with_runner

ENGINE = "own executor of documented semantics (stages, phases, exit codes, travis_terminate), /bin/bash"
FOLDER = ROOT / "tasks" / "travis"
PHASES = ("before_install", "install", "before_script", "script", "after_success", "after_failure",
          "before_deploy", "deploy", "after_deploy", "after_script")  # fmt: skip
KNOWN = {*PHASES, "language", "python", "cache", "stages", "jobs", "if", "stage", "name", "workspaces"}
HEAD = """\
travis_terminate() { exit "$1"; }
travis_result() { printf 'The command "%s" exited with %s.\\n' "$2" "$1"; }
export TRAVIS_TEST_RESULT=0
"""


@dataclass
class Job:
    """One job: passed, failed, errored, or not run; its log and its clone."""

    name: str
    stage: str
    status: str = "not run"
    log: str = ""
    clone: Path = Path()


@dataclass
class Build:
    """A build. event: push, pull_request or cron; variables: those of the repository's settings, none of them in a fork's."""

    scratch: Path
    sim: Simulator
    variables: Mapping[str, str]
    event: str = "push"
    branch: str = "main"
    files: Mapping[str, str] = field(default_factory=dict)
    case: Case = field(default_factory=Case)
    cancel: Callable[[subprocess.Popen[bytes]], object] | None = None

    def run(self, config: Mapping[str, Any]) -> list[Job]:
        """Run the build; return its jobs in the order of the file."""
        if unknown := set(config) - KNOWN:
            raise ValueError(f"not implemented: {', '.join(sorted(unknown))}")
        if not self.holds(config.get("if", "")):
            return []
        shared = {key: value for key, value in config.items() if key not in ("stages", "jobs", "if")}
        stages = [{"name": row} if isinstance(row, str) else row for row in config.get("stages", [])]
        jobs: list[tuple[Job, dict[str, Any]]] = []
        stage = "test"
        for row in config.get("jobs", {}).get("include") or [{}]:
            if unknown := set(row) - KNOWN:
                raise ValueError(f"not implemented: {', '.join(sorted(unknown))}")
            stage = row.get("stage", stage)
            of_stage = next((each.get("if", "") for each in stages if each["name"] == stage), "")
            if self.holds(row.get("if", "")) and self.holds(of_stage):
                jobs.append((Job(row.get("name", f"{stage} {len(jobs) + 1}"), stage), {**shared, **row}))
        order = [row["name"] for row in stages]
        order += [job.stage for job, _ in jobs if job.stage not in order]
        for name in dict.fromkeys(order):
            if all(job.status == "passed" for job, _ in jobs if job.status != "not run"):
                for job, row in jobs:
                    if job.stage == name:
                        self.job(job, row)
        return [job for job, _ in jobs]

    def holds(self, condition: str) -> bool:
        """Return whether an `if` holds: NAME = value and NAME != value, joined by AND."""
        facts = {"type": self.event, "branch": self.branch}
        for part in filter(None, re.split(r"\s+AND\s+", condition.strip())):
            match = re.fullmatch(r"(\w+)\s*(!?=)\s*([\w./-]+)", part)
            if not match or match[1] not in facts:
                raise ValueError(f"not implemented: if: {part}")
            if (facts[match[1]] == match[3]) != (match[2] == "="):
                return False
        return True

    def job(self, job: Job, row: Mapping[str, Any]) -> None:
        """Run one job in a clone of its own."""
        place = self.scratch / re.sub(r"\W+", "-", f"{job.stage}-{job.name}")
        job.clone = place / "clone"
        (job.clone / "ci").mkdir(parents=True)
        shutil.copy(FOLDER / "reflect-run.sh", job.clone / "ci")
        for name, text in self.files.items():
            (job.clone / name).write_text(text)
        workspace = row.get("workspaces", {})
        if "use" in workspace:
            shutil.copytree(self.scratch / "workspaces" / workspace["use"], job.clone, dirs_exist_ok=True)
        environ = {
            "PATH": path_with_runner(), "HOME": str(place), "TMPDIR": str(place), "LANG": "C.UTF-8", "CI": "true",
            "TRAVIS": "true", "TRAVIS_EVENT_TYPE": self.event, "TRAVIS_BRANCH": self.branch,
            "TRAVIS_COMMIT": "0123456789abcdef0123456789abcdef01234567",
            "TRAVIS_PULL_REQUEST": "7" if self.event == "pull_request" else "false",
            "TRAVIS_JOB_WEB_URL": "https://app.travis-ci.com/bitbucket/acme/shop/jobs/42", **self.variables,
        }  # fmt: skip
        directories = [Path(name.replace("$HOME", str(place))) for name in row.get("cache", {}).get("directories", [])]
        kept = self.scratch.parent / "travis-cache"
        for path in directories:
            if (kept / path.name).is_dir():
                shutil.copytree(kept / path.name, path)
        script = place / "build.sh"
        script.write_text(self.script(row))
        code, job.log = execute(
            ["/bin/bash", script], self.case, self.sim,
            env=environ, cwd=job.clone, log=place / "log", cancel=self.cancel,
        )  # fmt: skip
        for path in directories:
            if path.is_dir():
                shutil.copytree(path, kept / path.name, dirs_exist_ok=True)
        job.status = {0: "passed", 1: "failed"}.get(code, "errored")
        if "create" in workspace and job.status == "passed":
            for name in workspace["create"]["paths"]:
                target = self.scratch / "workspaces" / workspace["create"]["name"] / name
                shutil.copytree(job.clone / name, target)

    def script(self, row: Mapping[str, Any]) -> str:
        """Return the job as one bash script, as Travis makes it."""
        deploy = row.get("deploy")
        lines = [HEAD]
        for phase in ("before_install", "install", "before_script"):
            for command in commands(row.get(phase, [])):
                lines.append(f"{command}\nrc=$?; travis_result $rc {shlex.quote(command)}; [ $rc = 0 ] || exit 2")
        for command in commands(row["script"]):
            lines.append(
                f"{command}\nrc=$?; travis_result $rc {shlex.quote(command)}; [ $rc = 0 ] || TRAVIS_TEST_RESULT=1"
            )
        lines += ["if [ $TRAVIS_TEST_RESULT = 0 ]; then :", *commands(row.get("after_success", []))]
        lines += ["else :", *commands(row.get("after_failure", [])), "fi"]
        if deploy and deploy.get("on", {}).get("branch", self.branch) == self.branch and self.event == "push":
            if deploy["provider"] != "script" or set(deploy) - {"provider", "script", "on"}:
                raise ValueError(f"not implemented: deploy: {deploy}")
            lines += ["if [ $TRAVIS_TEST_RESULT = 0 ]; then :"]
            lines += [f"{command} || exit 2" for command in commands(row.get("before_deploy", []))]
            lines += [
                f"bash -c {shlex.quote(deploy['script'])} || exit 2",
                *commands(row.get("after_deploy", [])),
                "fi",
            ]
        lines += [*commands(row.get("after_script", [])), "exit $TRAVIS_TEST_RESULT"]
        return "\n".join(lines) + "\n"


def load(path: Path) -> dict[str, Any]:
    """Read a .travis.yml; its key `on` is text for Travis, and a truth for YAML 1.1."""
    config: dict[str, Any] = yaml.safe_load(path.read_text())
    deploy = config.get("deploy", {})
    if True in deploy:
        deploy["on"] = deploy.pop(True)
    return config


def commands(value: Any) -> list[str]:
    """Return a phase's commands; `skip` is none."""
    if value == "skip":
        return []
    listed = [value] if isinstance(value, str) else list(value)
    for command in listed:
        if not isinstance(command, str):
            raise ValueError(f"no command: {command!r}")
    return listed


def green(jobs: list[Job]) -> bool:
    """Return whether Travis shows the build as passed."""
    return bool(jobs) and all(job.status == "passed" for job in jobs)
