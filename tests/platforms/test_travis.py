"""Travis' two forms and every sample, executed by Travis' documented rules; what a cancelled build leaves; validators."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case
from tests.platforms.tools import tool
from tests.platforms.travis import build

FILES = sorted([*build.FOLDER.glob("*.yml"), *(build.FOLDER / "samples").glob("*.yml")])
PASSES: dict[str, Any] = {"tests": 2}
SUITES = {"regression-tests": PASSES, "checkout-suite": PASSES, "nightly-api-regression": PASSES}
NEVER = {"regression-tests": {"status": "never"}, "checkout-suite": {"status": "never"}}
SCRIPTS = {"unit-tests.sh": "echo unit tests\n", "deploy.sh": 'echo "deployed to $1"\n'}
VENDOR = """\
after_deploy:
  - "curl -X POST --data \\"{}\\" -H \\"x-api-key: $REFLECT_API_KEY\\" $REFLECT_API_URL/suites/%s/executions"
"""


def config(name: str) -> dict[str, Any]:
    """Return one of the folder's files."""
    return build.load(build.FOLDER / name)


def play(
    name: str,
    sim: Simulator,
    tmp: Path,
    *,
    key: str | None = KEY,
    event: str = "push",
    branch: str = "main",
    scripts: dict[str, str] | None = None,
    stop: int = 0,
    **variables: str,
) -> list[build.Job]:
    """Run one of the files; what is set is what a user sets, variables of the repository. stop: the signal that ends the job."""
    known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", **variables}
    if key is not None:
        known["REFLECT_API_KEY"] = key
    jobs = build.Build(
        tmp, sim, known, event, branch, {**SCRIPTS, **(scripts or {})},
        case=Case(cancel_when="started" if stop else None),
        cancel=lambda process: end(process.pid, stop),
    ).run(config(name))  # fmt: skip
    assert KEY not in logs(jobs)
    return jobs


def end(leader: int, number: int) -> None:
    """Signal every process of a job; SIGTERM not to its own shell, which would not wait for the others to end."""
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        try:
            if os.getpgid(pid) == leader and (number != signal.SIGTERM or pid != leader):
                os.kill(pid, number)
        except (ProcessLookupError, PermissionError):  # it ended meanwhile, or is somebody else's
            continue


def logs(jobs: list[build.Job]) -> str:
    """Return the jobs' logs."""
    return "".join(f"==== {job.stage}, {job.name}: {job.status}\n{job.log}" for job in jobs)


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started."""
    return sorted(started.suite for started in sim.started)


def test_every_file_is_tested() -> None:
    """There is no form and no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in FILES:
        assert f'"{path.relative_to(build.FOLDER)}"' in source, path.name


# --- the two forms ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_stage(status: str, tmp_path: Path) -> None:
    """The stage e2e runs after the deployment, and a failed suite fails the build."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        jobs = play("e2e-stage.travis.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
    assert [job.status for job in jobs] == ["passed", "passed", status], logs(jobs)
    assert "deployed to staging" in jobs[1].log


def test_stage_after_a_failed_deployment(tmp_path: Path) -> None:
    """When the deployment failed, no suite is started."""
    with Simulator({"suites": SUITES}) as sim:
        jobs = play("e2e-stage.travis.yml", sim, tmp_path, scripts={"deploy.sh": "exit 1\n"})
        assert [job.status for job in jobs] == ["passed", "failed", "not run"]
        assert sim.calls == []


@pytest.mark.parametrize(("event", "branch"), [("pull_request", "main"), ("push", "topic")])
def test_stage_elsewhere(event: str, branch: str, tmp_path: Path) -> None:
    """A pull request and another branch have the unit tests only."""
    with Simulator({"suites": SUITES}) as sim:
        jobs = play("e2e-stage.travis.yml", sim, tmp_path, event=event, branch=branch)
        assert [job.stage for job in jobs] == ["test"]
        assert sim.calls == []


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_after_deploy(status: str, tmp_path: Path) -> None:
    """With travis_terminate a failed suite fails the build from after_deploy, too."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        (job,) = play("after-deploy.travis.yml", sim, tmp_path)
        assert suites(sim) == ["regression-tests"]
    assert job.status == status, job.log
    assert "deployed to staging" in job.log


def test_after_deploy_without_terminate_cannot_fail(tmp_path: Path) -> None:
    """Why the form has travis_terminate: without it the same file is green on failed tests."""
    without = config("after-deploy.travis.yml")
    without["after_deploy"][-1] = without["after_deploy"][-1].removesuffix(" || travis_terminate 1")
    known = {"REFLECT_API_KEY": KEY, "REFLECT_RUNNER": "installed"}
    with Simulator({"suites": {"regression-tests": {"status": "failed"}}}) as sim:
        (job,) = build.Build(tmp_path, sim, {**known, "REFLECT_API_URL": sim.url}, files=SCRIPTS).run(without)
        assert suites(sim) == ["regression-tests"]
    assert job.status == "passed", job.log
    assert "exit code 1" in job.log


@pytest.mark.parametrize("suite", ["regression-tests", "no-such-suite"])
def test_the_vendors_line_is_always_green(suite: str, tmp_path: Path) -> None:
    """The vendor's line in after_deploy is green on failed tests, and on a suite that does not exist."""
    vendor = {**config("after-deploy.travis.yml"), **yaml.safe_load(VENDOR % suite)}
    with Simulator({"suites": {"regression-tests": {"status": "failed"}}}) as sim:
        known = {"REFLECT_API_KEY": KEY, "REFLECT_API_URL": sim.url}
        (job,) = build.Build(tmp_path, sim, known, files=SCRIPTS).run(vendor)
        assert [call.method for call in sim.calls] == ["POST"], job.log
    assert job.status == "passed"


def test_after_deploy_elsewhere(tmp_path: Path) -> None:
    """Another branch is not deployed, so nothing is tested."""
    with Simulator({"suites": SUITES}) as sim:
        (job,) = play("after-deploy.travis.yml", sim, tmp_path, branch="topic")
        assert job.status == "passed"
        assert sim.calls == []


# --- samples ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_push(status: str, tmp_path: Path) -> None:
    """A push to main is as green as its suite."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        jobs = play("samples/push.travis.yml", sim, tmp_path)
        assert suites(sim) == ["regression-tests"]
    assert [job.status for job in jobs] == [status], logs(jobs)


def test_push_to_another_branch(tmp_path: Path) -> None:
    """A push to another branch makes no build."""
    with Simulator({"suites": SUITES}) as sim:
        assert play("samples/push.travis.yml", sim, tmp_path, branch="topic") == []


def test_pull_request_preview(tmp_path: Path) -> None:
    """A pull request is tested on its preview, once that answers."""
    with Simulator({"suites": SUITES}) as sim:
        root = sim.url.removesuffix("/v1")
        jobs = play(
            "samples/pull-request-preview.travis.yml", sim, tmp_path,
            event="pull_request", PREVIEW_URL=f"{root}/_simulate/started",
        )  # fmt: skip
        assert build.green(jobs), logs(jobs)
        (started,) = sim.started
        host = root.removeprefix("http://")
        assert started.body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": host}]


def test_pull_request_preview_that_was_not_deployed(tmp_path: Path) -> None:
    """When the preview could not be deployed the job is red, and no suite is started."""
    with Simulator({"suites": SUITES}) as sim:
        jobs = play(
            "samples/pull-request-preview.travis.yml", sim, tmp_path,
            event="pull_request", scripts={"deploy.sh": "exit 1\n"},
        )  # fmt: skip
        assert [job.status for job in jobs] == ["failed"]
        assert sim.calls == []


def test_pull_request_preview_of_a_fork(tmp_path: Path) -> None:
    """A fork's pull request, which gets no key, ends green with a notice, and nothing is called."""
    with Simulator({"suites": SUITES}) as sim:
        jobs = play("samples/pull-request-preview.travis.yml", sim, tmp_path, event="pull_request", key=None)
        assert build.green(jobs), logs(jobs)
        assert sim.calls == []
    assert "skip" in logs(jobs).lower()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_between_deployments(status: str, tmp_path: Path) -> None:
    """Production is deployed only when the tests on staging passed."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        jobs = play("samples/between-deployments.travis.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
    assert ("deployed to production" in logs(jobs)) == (status == "passed"), logs(jobs)
    assert jobs[-1].status == ("passed" if status == "passed" else "not run")


def test_nightly(tmp_path: Path) -> None:
    """The cron job runs both suites; a push runs nothing of it."""
    with Simulator({"suites": SUITES}) as sim:
        assert play("samples/nightly.travis.yml", sim, tmp_path) == []
        jobs = play("samples/nightly.travis.yml", sim, tmp_path, event="cron")
        assert build.green(jobs), logs(jobs)
        assert suites(sim) == ["nightly-api-regression", "regression-tests"]


def test_several_suites(tmp_path: Path) -> None:
    """Together in one job, and a job each, all in one stage."""
    with Simulator({"suites": SUITES}) as sim:
        jobs = play("samples/several-suites.travis.yml", sim, tmp_path)
        assert [(job.stage, job.status) for job in jobs] == [("e2e", "passed")] * 3, logs(jobs)
        assert suites(sim) == ["checkout-suite", "checkout-suite", "regression-tests", "regression-tests"]


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_start_then_collect(status: str, tmp_path: Path) -> None:
    """The suites are started once, and the last stage has their verdict."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status, "takes": 1}}}) as sim:
        jobs = play("samples/start-then-collect.travis.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert [call for call in sim.calls if call.method == "PATCH"] == []
    assert [job.status for job in jobs] == ["passed", "passed", status], logs(jobs)


def test_start_then_something_else_fails(tmp_path: Path) -> None:
    """When the work between fails, it cancels what was started."""
    with Simulator({"suites": NEVER}) as sim:
        jobs = play("samples/start-then-collect.travis.yml", sim, tmp_path, scripts={"unit-tests.sh": "exit 3\n"})
        assert [job.status for job in jobs] == ["passed", "failed", "not run"], logs(jobs)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert sim.running() == []


def test_cancelled(tmp_path: Path) -> None:
    """A cancelled build's machine is gone, so its execution goes on; the next build cancels it before it starts."""
    with Simulator({"suites": NEVER}) as sim:
        (job,) = play("samples/cancelled.travis.yml", sim, tmp_path / "cancelled", stop=signal.SIGKILL)
        assert job.status == "errored"
        assert len(sim.running()) == 1, job.log
        (job,) = play("samples/cancelled.travis.yml", sim, tmp_path / "next", REFLECT_TIMEOUT="3s")
        assert job.status == "failed"
        cancelled = [call.path for call in sim.calls if call.method == "PATCH"]
        assert cancelled[0] == f"/suites/regression-tests/executions/{sim.started[0].id}/cancel", job.log
        assert sim.running() == []


def test_terminated(tmp_path: Path) -> None:
    """A job whose processes get SIGTERM first (a worker of one's own that is shut down) cancels its execution."""
    with Simulator({"suites": NEVER}) as sim:
        (job,) = play("samples/cancelled.travis.yml", sim, tmp_path, stop=signal.SIGTERM)
        assert job.status == "failed"
        assert sim.running() == [], job.log


# --- the executor and the validators ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "status", "said"),
    [
        ({"script": ["false", "echo next"]}, "failed", "next"),
        ({"install": "false", "script": "echo ran"}, "errored", ""),
        ({"script": "true", "after_success": "false"}, "passed", ""),
        ({"script": "true", "after_script": "travis_terminate 1"}, "failed", ""),
        ({"script": "true", "deploy": {"provider": "script", "script": "exit 3"}}, "errored", ""),
    ],
)
def test_executor(row: dict[str, Any], status: str, said: str, tmp_path: Path) -> None:
    """The executor keeps Travis' rules on exit codes."""
    with Simulator() as sim:
        (job,) = build.Build(tmp_path, sim, {}).run(row)
    assert job.status == status, job.log
    assert said in job.log
    assert "ran" not in job.log


@pytest.mark.parametrize("row", [{"matrix": {}, "script": "true"}, {"if": "branch =~ ^v", "script": "true"}])
def test_executor_refuses(row: dict[str, Any], tmp_path: Path) -> None:
    """What the executor does not implement is refused, not passed over."""
    with Simulator() as sim, pytest.raises(ValueError, match="not implemented"):
        build.Build(tmp_path, sim, {}).run(row)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_is_valid(path: Path) -> None:
    """A file that users copy keeps the schema."""
    code, output = tool("check-jsonschema", "--builtin-schema", "vendor.travis", path)
    assert code == 0, output


def test_schema_refuses(tmp_path: Path) -> None:
    """The schema refuses stages that are a number."""
    (tmp_path / ".travis.yml").write_text("language: python\nscript: {run: x}\njobs: 3\n")
    code, output = tool("check-jsonschema", "--builtin-schema", "vendor.travis", tmp_path / ".travis.yml")
    assert code != 0, output


def test_script_is_clean(tmp_path: Path) -> None:
    """shellcheck has no finding in the script, and refuses a broken one."""
    code, output = tool("shellcheck", build.FOLDER / "reflect-run.sh")
    assert code == 0, output
    (tmp_path / "broken.sh").write_text("#!/bin/sh\nrm -rf $FOLDER/reports\n")
    assert "SC2086" in tool("shellcheck", tmp_path / "broken.sh")[1]
