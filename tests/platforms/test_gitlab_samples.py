"""Every GitLab sample, as it stands, run by gitlab-ci-local against the simulated service."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute
from tests.platforms.github.act import wait_for_saved_ids
from tests.platforms.gitlab import local

SAMPLES = ROOT / "tasks" / "gitlab" / "samples"
PASSES = {"tests": 2}
SUITES = {"regression-tests": PASSES, "checkout-suite": PASSES, "nightly-api-regression": PASSES}
MERGE_REQUEST = {
    "CI_PIPELINE_SOURCE": "merge_request_event",
    "CI_COMMIT_REF_SLUG": "topic",
    "CI_ENVIRONMENT_SLUG": "review-topic",
}


@dataclass(frozen=True)
class Ran:
    """One pipeline: its colour, its log, and the folder where the artifacts are."""

    green: bool
    log: str
    shop: Path


def pipeline(
    text: str,
    sim: Simulator,
    tmp: Path,
    *jobs: str,
    key: str | None = KEY,
    cancel: Callable[[subprocess.Popen[bytes]], object] | None = None,
    **variables: str,
) -> Ran:
    """Run a pipeline: what is set is what a user sets, CI/CD variables of the project."""
    known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", **variables}
    shop = local.project(tmp, text, known if key is None else {**known, "REFLECT_API_KEY": key})
    case = Case(cancel_when="started" if cancel else None)
    # Predefined variables are the engine's; on its command line a test may say what they are.
    options = [
        word
        for name, value in variables.items()
        if name.startswith("CI_")
        for word in ("--variable", f"{name}={value}")
    ]
    code, log = execute(
        local.command([*jobs, *options]),
        case,
        sim,
        env=local.environ(tmp),
        cwd=shop,
        log=tmp / "gitlab.log",
        cancel=cancel,
    )
    assert KEY not in log
    return Ran(code == 0, log, shop)


def sample(name: str, sim: Simulator, tmp: Path, *jobs: str, key: str | None = KEY, **variables: str) -> Ran:
    """Run a sample."""
    return pipeline((SAMPLES / name).read_text(), sim, tmp, *jobs, key=key, cancel=None, **variables)


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


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_push(status: str, tmp_path: Path) -> None:
    """A push to the default branch runs the suite; its JUnit report is there also when a test failed."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        ran = sample("push.gitlab-ci.yml", sim, tmp_path)
        assert suites(sim) == ["regression-tests"]
    assert ran.green == (status == "passed"), ran.log
    assert (ran.shop / ".gitlab-ci-local" / "artifacts" / "reflect-run" / "reflect-report" / "junit.xml").is_file()


def test_push_to_another_branch_starts_nothing(tmp_path: Path) -> None:
    """A push to another branch runs no suite."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("push.gitlab-ci.yml", sim, tmp_path, CI_COMMIT_BRANCH="topic")
        assert sim.calls == [], ran.log


def test_review_app(tmp_path: Path) -> None:
    """A merge request's review app is tested at the address of its environment."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("review-app.gitlab-ci.yml", sim, tmp_path, **MERGE_REQUEST)
        assert ran.green, ran.log
        assert suites(sim) == ["regression-tests"]
        assert replacement(sim.started[0].body).startswith("review-")
        assert replacement(sim.started[0].body).endswith(".example.com")


def test_review_app_of_a_fork(tmp_path: Path) -> None:
    """A fork's merge request, which gets no key, ends green with a notice, and nothing is called."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("review-app.gitlab-ci.yml", sim, tmp_path, key=None, **MERGE_REQUEST)
        assert ran.green, ran.log
        assert sim.calls == []
    assert "skip" in ran.log.lower()


def test_dynamic_url(tmp_path: Path) -> None:
    """The address that the deployment handed on as a dotenv variable is the one that is tested."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("dynamic-url.gitlab-ci.yml", sim, tmp_path)
        assert ran.green, ran.log
        host = replacement(sim.started[0].body)
        assert host.startswith("preview-")
        assert host.endswith(".example.com")


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_after_deploy(status: str, tmp_path: Path) -> None:
    """Production is deployed only when the tests on staging passed, and knows where they are."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        root = sim.url.removesuffix("/v1")
        ran = sample("after-deploy.gitlab-ci.yml", sim, tmp_path, STAGING_HEALTH_URL=f"{root}/_simulate/started")
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert {replacement(started.body) for started in sim.started} == {"staging.example.com"}
    assert ran.green == (status == "passed"), ran.log
    deployed = "your deployment to production; https://app.reflect.run/suites/regression-tests/executions/" in ran.log
    assert deployed == (status == "passed"), ran.log


def test_after_deploy_without_a_health_address(tmp_path: Path) -> None:
    """The sample's comment holds: without the variable nothing is waited for."""
    text = (SAMPLES / "after-deploy.gitlab-ci.yml").read_text()
    kept = "".join(line for line in text.splitlines(keepends=True) if "wait-for-url" not in line)
    with Simulator({"suites": SUITES}) as sim:
        ran = pipeline(kept, sim, tmp_path)
        assert ran.green, ran.log


def test_nightly(tmp_path: Path) -> None:
    """A scheduled pipeline runs the long suites; any other pipeline has no such job."""
    scheduled, pushed = tmp_path / "scheduled", tmp_path / "pushed"
    for folder in (scheduled, pushed):
        folder.mkdir()
    with Simulator({"suites": SUITES}) as sim:
        sample("nightly.gitlab-ci.yml", sim, pushed)
        assert sim.calls == []
        ran = sample("nightly.gitlab-ci.yml", sim, scheduled, CI_PIPELINE_SOURCE="schedule")
        assert ran.green, ran.log
        assert suites(sim) == ["nightly-api-regression", "regression-tests"]


def test_several_suites(tmp_path: Path) -> None:
    """The component is included three times, and each job keeps its own reports."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("several-suites.gitlab-ci.yml", sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["checkout-suite", "checkout-suite", "regression-tests", "regression-tests"]
    for name in ("together", "regression", "checkout"):
        assert (ran.shop / f"reflect-{name}" / "result.json").is_file()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_start_then_collect(status: str, tmp_path: Path) -> None:
    """The suites are started once, and the later stage has their verdict; the manual job does not run by itself."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status, "takes": 1}}}) as sim:
        ran = sample("start-then-collect.gitlab-ci.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert [call for call in sim.calls if call.method == "PATCH"] == []
        assert sim.running() == []
    assert ran.green == (status == "passed"), ran.log


@pytest.mark.parametrize("external", [False, True], ids=["gitlab", "github"])
def test_commit(external: bool, tmp_path: Path) -> None:
    """Reflect is told a commit only when the pull request is on GitHub; a commit of GitLab's own means nothing there."""
    head = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
    variables = {
        "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY": "octo-org/shop",
        "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_SHA": head,
    }
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("push.gitlab-ci.yml", sim, tmp_path, **(variables if external else {}))
        assert ran.green, ran.log
        expected = {"owner": "octo-org", "repo": "shop", "sha": head} if external else None
        assert (sim.started[0].body or {}).get("gitHub") == expected


NEVER = {"suites": {"regression-tests": {"status": "never"}}}


def test_cancelled_job(tmp_path: Path) -> None:
    """A cancelled job gets SIGTERM, and the runner cancels the execution before it ends."""
    with Simulator(NEVER) as sim:
        ran = pipeline((SAMPLES / "cancel-on-abort.gitlab-ci.yml").read_text(), sim, tmp_path, cancel=local.signal_job)
        assert not ran.green
        assert sim.running() == [], ran.log
        assert len([call for call in sim.calls if call.method == "PATCH"]) == 1
    assert "SIGTERM" in ran.log


def test_killed_job(tmp_path: Path) -> None:
    """When the runner was killed before it could do anything, after_script cancels by the saved id."""

    def kill(process: subprocess.Popen[bytes]) -> None:
        wait_for_saved_ids(tmp_path, "shop/reflect-report/executions.json")
        local.signal_job(process, signal.SIGKILL)

    with Simulator(NEVER) as sim:
        ran = pipeline((SAMPLES / "cancel-on-abort.gitlab-ci.yml").read_text(), sim, tmp_path, cancel=kill)
        assert not ran.green
        assert [call.path for call in sim.calls if call.method == "PATCH"] == [
            f"/suites/regression-tests/executions/{sim.started[0].id}/cancel"
        ], ran.log
        assert sim.running() == []


@pytest.mark.parametrize("tag", ["", "0.1.0", "v0.1.0"])
def test_component_project(tag: str, tmp_path: Path) -> None:
    """The component project's own pipeline is green against the simulated service; a tag of three numbers adds the release."""
    with Simulator() as sim:
        known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed"}
        known["REFLECT_WAIT_FOR_URL"] = sim.url.removesuffix("/v1") + "/_simulate/calls"
        local.project(tmp_path, "unused: {script: ['true']}", known)
        project = tmp_path / "component"
        text = yaml.safe_load((project / ".gitlab-ci.yml").read_text())
        # A service is a container, and here the jobs run without any: the simulated service is the test's.
        assert "reflect-ci simulate" in text["reflect-run"].pop("services")[0]["command"][0]
        (project / ".gitlab-ci.yml").write_text(yaml.safe_dump(text))
        local.git(project, tmp_path / "home", "commit", "--quiet", "--all", "--message", "without a service")
        options = ["--variable", f"CI_COMMIT_TAG={tag}"] if tag else []
        log = tmp_path / "gitlab.log"
        code, output = execute(local.command(options), Case(), sim, env=local.environ(tmp_path), cwd=project, log=log)
        assert code == 0, output
        assert suites(sim) == ["passes"]
    assert ("Releasing 0.1.0" in output) == (tag == "0.1.0"), output
