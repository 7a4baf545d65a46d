"""Every GitHub sample, as it stands, run by act against the simulated service."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute
from tests.platforms.github import act

SAMPLES = ROOT / "tasks" / "github" / "samples"
PASSES = {"tests": 2}
SUITES = {"regression-tests": PASSES, "checkout-suite": PASSES, "nightly-api-regression": PASSES}
HEAD = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"


@dataclass(frozen=True)
class Ran:
    """One workflow run: its colour, its log, and the folders of kept artifacts."""

    green: bool
    log: str
    artifacts: Path


@dataclass(frozen=True)
class Event:
    """What triggers a workflow. secret False: GitHub gives none, as to a pull request from a fork."""

    name: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    secret: bool = True


PULL_REQUEST = Event(
    "pull_request", {"pull_request": {"number": 7, "head": {"sha": HEAD, "ref": "topic"}, "base": {"ref": "main"}}}
)
FORK = Event("pull_request", PULL_REQUEST.payload, secret=False)
MERGE_GROUP = Event("merge_group", {"action": "checks_requested", "merge_group": {"head_sha": HEAD}})
PUSH = Event("push", {"ref": "refs/heads/main"})


def deployment(state: str) -> Event:
    """Return the event of a deployment's status."""
    return Event(
        "deployment_status",
        {
            "deployment": {"sha": HEAD, "environment": "Preview"},
            "deployment_status": {"state": state, "environment_url": "https://shop-git-topic.example.app/"},
        },
    )


def run_sample(name: str, event: Event, sim: Simulator, tmp: Path, **variables: str) -> Ran:
    """Run a sample: what is set is what a user sets, the secret and the variables of the repository."""
    text = (SAMPLES / name).read_text()
    # act takes no reusable workflow from a local repository: it is put where a user's own would be.
    workflows = {
        name: re.sub(r"uses: reflect-ci/catalog/(\.github/workflows/reflect-run\.yml)@\S+ # v\S+", r"uses: ./\1", text)
    }
    if "uses: ./.github/workflows/reflect-run.yml" in workflows[name]:
        workflows["reflect-run.yml"] = (ROOT / ".github" / "workflows" / "reflect-run.yml").read_text()
    repo = act.repository(tmp / "shop", workflows)
    payload = tmp / "event.json"
    payload.write_text(json.dumps(event.payload))
    artifacts = tmp / "artifacts"
    options = ["-W", f".github/workflows/{name}", "-e", str(payload)]
    options += ["--secret-file", str(act.dotenv(tmp / "secrets", {"REFLECT_API_KEY": KEY} if event.secret else {}))]
    options += ["--var-file", str(act.dotenv(tmp / "variables", variables))]
    for variable, value in {
        "REFLECT_API_URL": sim.url,
        "REFLECT_RUNNER": "installed",
        "REFLECT_TEST_ARTIFACTS": str(artifacts),
        "GITHUB_API_URL": "http://127.0.0.1:9",
    }.items():
        options += ["--env", f"{variable}={value}"]
    code, log = execute(
        act.command(repo, tmp, event.name, options), Case(), sim, env=act.environ(tmp), cwd=repo, log=tmp / "act.log"
    )
    assert KEY not in log
    return Ran(code == 0, log, artifacts)


def sha_of(body: Mapping[str, Any] | None) -> str:
    """Return the commit that the service was told."""
    return str(((body or {}).get("gitHub") or {}).get("sha"))


def replacement(body: Mapping[str, Any] | None) -> str:
    """Return the host that www.example.com was replaced by."""
    (override,) = (body or {})["overrides"]["hostnames"]
    assert override["original"] == "www.example.com"
    return str(override["replacement"])


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started, in alphabetical order."""
    return sorted(started.suite for started in sim.started)


def test_every_sample_is_executed() -> None:
    """No sample is without a test in this file."""
    here = Path(__file__).read_text()
    assert [path.name for path in SAMPLES.iterdir() if f'"{path.name}"' not in here] == []


@pytest.mark.parametrize("name", ["push.yml", "cancel-on-abort.yml"])
def test_push(name: str, tmp_path: Path) -> None:
    """A push runs the suite for its commit."""
    with Simulator({"suites": SUITES}) as sim:
        ran = run_sample(name, PUSH, sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["regression-tests"]
        assert re.fullmatch(r"[0-9a-f]{40}", sha_of(sim.started[0].body))


def test_push_that_fails_is_red_and_keeps_the_reports(tmp_path: Path) -> None:
    """Failed tests make the job red, and its reports are kept all the same."""
    with Simulator({"suites": {"regression-tests": {"status": "failed"}}}) as sim:
        ran = run_sample("push.yml", PUSH, sim, tmp_path)
    assert not ran.green, ran.log
    assert (ran.artifacts / "reflect-report" / "junit.xml").is_file(), ran.log


@pytest.mark.parametrize("event", [PULL_REQUEST, MERGE_GROUP], ids=["pull-request", "merge-group"])
def test_preview(event: Event, tmp_path: Path) -> None:
    """A pull request's or merge group's preview is tested, for the head commit and not the merge of it."""
    with Simulator({"suites": SUITES}) as sim:
        ran = run_sample("pull-request-preview.yml", event, sim, tmp_path)
        assert ran.green, ran.log
        (started,) = sim.started
        # A merge group's commit is the one that is checked out; a pull request's is not.
        checked_out = act.git(tmp_path / "shop", "rev-parse", "HEAD")
        assert sha_of(started.body) == (HEAD if event is PULL_REQUEST else checked_out)
        assert re.fullmatch(r"preview-\d+\.example\.com", replacement(started.body))
    # The service of GitHub cannot be reached here: a comment that fails is a warning, not a red job.
    assert ("The comment was not written" in ran.log) == (event is PULL_REQUEST), ran.log


def test_preview_of_a_fork(tmp_path: Path) -> None:
    """A fork's pull request, which gets no secret, ends green with a notice, and nothing is called."""
    with Simulator({"suites": SUITES}) as sim:
        ran = run_sample("pull-request-preview.yml", FORK, sim, tmp_path)
        assert ran.green, ran.log
        assert sim.calls == []
    assert "skip" in ran.log.lower()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_after_deploy(status: str, tmp_path: Path) -> None:
    """Production is deployed only when the tests on staging passed."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        ran = run_sample("after-deploy.yml", PUSH, sim, tmp_path, STAGING_URL="https://staging.shop.example:8443/start")
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert {replacement(started.body) for started in sim.started} == {"staging.shop.example:8443"}
    assert ran.green == (status == "passed"), ran.log
    assert ("your deployment to production" in ran.log.replace("echo", "")) == (status == "passed"), ran.log


@pytest.mark.parametrize("state", ["success", "pending"])
def test_deployment_status(state: str, tmp_path: Path) -> None:
    """A successful deployment is tested at the address that it reported; any other status starts nothing."""
    with Simulator({"suites": SUITES}) as sim:
        ran = run_sample("deployment-status.yml", deployment(state), sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == (["regression-tests"] if state == "success" else [])
        for started in sim.started:
            assert sha_of(started.body) == HEAD
            assert replacement(started.body) == "shop-git-topic.example.app"


def test_nightly(tmp_path: Path) -> None:
    """The nightly run goes through the reusable workflow, reports to no commit and keeps its reports."""
    with Simulator({"suites": SUITES}) as sim:
        ran = run_sample("nightly.yml", Event("schedule"), sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["nightly-api-regression", "regression-tests"]
        assert [started.body for started in sim.started if "gitHub" in (started.body or {})] == []
    assert (ran.artifacts / "reflect-report" / "result.json").is_file(), ran.log


def test_several_suites(tmp_path: Path) -> None:
    """One job runs both suites, and a matrix runs each in a job of its own."""
    with Simulator({"suites": SUITES}) as sim:
        ran = run_sample("several-suites.yml", PUSH, sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["checkout-suite", "checkout-suite", "regression-tests", "regression-tests"]


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_start_then_collect(status: str, tmp_path: Path) -> None:
    """The suites are started once, and the later job has their verdict."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status, "takes": 1}}}) as sim:
        ran = run_sample("start-then-collect.yml", PUSH, sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert sim.running() == []
    assert ran.green == (status == "passed"), ran.log
