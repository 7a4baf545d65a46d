"""Every CircleCI sample and every example of the orb, expanded and executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY
from tests.platforms.circleci import orb, run

FOLDER = orb.SOURCE.parent
SAMPLES = FOLDER / "samples"
PASSES: dict[str, Any] = {"tests": 2}
SUITES = {"regression-tests": PASSES, "checkout-suite": PASSES, "nightly-api-regression": PASSES}


@dataclass(frozen=True)
class Ran:
    """One pipeline: its jobs by name, and whether every one that ran succeeded."""

    jobs: dict[str, run.Job]

    @property
    def green(self) -> bool:
        """Whether CircleCI shows the workflow as a success."""
        return bool(self.jobs) and all(job.status == "success" for job in self.jobs.values())

    @property
    def log(self) -> str:
        """All jobs' logs."""
        return "".join(f"==== {job.name}: {job.status}\n{job.log}" for job in self.jobs.values())


def play(
    config: dict[str, Any],
    sim: Simulator,
    tmp: Path,
    *,
    key: str | None = KEY,
    key_name: str = "REFLECT_API_KEY",
    branch: str = "main",
    source: str = "webhook",
    cancel: tuple[str, Callable[[], bool]] | None = None,
    **variables: str,
) -> Ran:
    """Run a configuration; what is set is what a user sets, variables of the project or the context.

    The runner is a parameter with a default, so it is given where the orb's steps are.
    """
    known = {"REFLECT_API_URL": sim.url, **variables, **({} if key is None else {key_name: key})}
    machine = run.Machine(tmp, known, branch=branch, cancel=cancel)
    jobs: dict[str, run.Job] = {}
    for each in orb.workflows(config, {"pipeline.trigger_source": source}).values():
        for job in each:
            for step in job["steps"]:
                environment = step.get("run", {}).get("environment", {})
                if environment.get("PARAM_RUNNER"):
                    environment |= {"PARAM_RUNNER": "installed"}
                if environment.get("PARAM_API_URL"):
                    environment |= {"PARAM_API_URL": sim.url}
        jobs |= machine.workflow(each)
    ran = Ran(jobs)
    assert KEY not in ran.log
    return ran


def sample(name: str, sim: Simulator, tmp: Path, **more: Any) -> Ran:
    """Run a sample."""
    return play(yaml.safe_load((SAMPLES / name).read_text()), sim, tmp, **more)


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started."""
    return sorted(started.suite for started in sim.started)


def test_every_sample_is_tested() -> None:
    """There is no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source, path.name


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_push(status: str, tmp_path: Path) -> None:
    """A push to main is as green as its suite, and the tests and reports are stored, also when they failed."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        ran = sample("push.yml", sim, tmp_path)
        assert suites(sim) == ["regression-tests"]
    assert ran.green == (status == "passed"), ran.log
    stored = ran.jobs["reflect/run"].stored
    assert len(stored) == 2
    assert (stored[0] / "junit.xml").is_file()


def test_push_to_another_branch(tmp_path: Path) -> None:
    """A push to another branch runs no suite."""
    with Simulator({"suites": SUITES}) as sim:
        assert sample("push.yml", sim, tmp_path, branch="topic").jobs == {}
        assert sim.calls == []


def test_pull_request_preview(tmp_path: Path) -> None:
    """The preview's address travels through the workspace, and is waited for."""
    with Simulator({"suites": SUITES}) as sim:
        root = sim.url.removesuffix("/v1")
        ran = sample("pull-request-preview.yml", sim, tmp_path, branch="topic", PREVIEW_URL=f"{root}/_simulate/started")
        assert ran.green, ran.log
        (started,) = sim.started
        host = root.removeprefix("http://")
        assert started.body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": host}]


def test_pull_request_preview_of_a_fork(tmp_path: Path) -> None:
    """Without a key the job ends green with a notice, and nothing is called."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("pull-request-preview.yml", sim, tmp_path, branch="topic", key=None)
        assert ran.green, ran.log
        assert sim.calls == []
    assert "skip" in ran.log.lower()


@pytest.mark.parametrize("first", ["x", "x'", 'x"', "x\\"])
def test_pull_request_preview_of_a_hostile_branch(first: str, tmp_path: Path) -> None:
    """A branch may have any name, and nothing of it is run."""
    command = f"touch${{IFS}}{tmp_path}/pwned"
    branch = f"{first};{command};$({command})`{command}`"
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("pull-request-preview.yml", sim, tmp_path, branch=branch, key=None)
        assert "Run Reflect suites" in ran.log
        assert sim.calls == []
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_after_deploy(status: str, tmp_path: Path) -> None:
    """Production is deployed only when the tests on staging passed."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        ran = sample("after-deploy.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
    assert ("deploy to production" in ran.log) == (status == "passed"), ran.log
    assert ran.jobs["production"].status == ("success" if status == "passed" else "not_run")


def test_nightly(tmp_path: Path) -> None:
    """The schedule runs both suites; a push runs nothing of it."""
    with Simulator({"suites": SUITES}) as sim:
        assert sample("nightly.yml", sim, tmp_path).jobs == {}
        ran = sample("nightly.yml", sim, tmp_path, source="scheduled_pipeline")
        assert ran.green, ran.log
        assert suites(sim) == ["nightly-api-regression", "regression-tests"]


def test_several_suites(tmp_path: Path) -> None:
    """Together in one job, and a job each."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("several-suites.yml", sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["checkout-suite", "checkout-suite", "regression-tests", "regression-tests"]


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_start_then_collect(status: str, tmp_path: Path) -> None:
    """The suites are started once, and the later job has their verdict."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status, "takes": 1}}}) as sim:
        ran = sample("start-then-collect.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert [call for call in sim.calls if call.method == "PATCH"] == []
    assert ran.green == (status == "passed"), ran.log


def test_cancel_on_abort(tmp_path: Path) -> None:
    """When the waiting job is cancelled, which kills it, the clean-up job cancels the execution."""
    with Simulator({"suites": {"regression-tests": {"status": "never"}}}) as sim:

        def polled() -> bool:
            return any(call.method == "GET" and call.path.endswith(f"/{sim.started[0].id}") for call in sim.calls)

        ran = sample("cancel-on-abort.yml", sim, tmp_path, cancel=("verdict", polled))
        assert {name: job.status for name, job in ran.jobs.items()} == {
            "start": "success",
            "verdict": "canceled",
            "clean-up": "success",
        }, ran.log
        assert sim.running() == []
        assert len([call for call in sim.calls if call.method == "PATCH"]) == 1


def test_cancel_on_abort_not_needed(tmp_path: Path) -> None:
    """When the waiting job succeeds there is nothing to clean up."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("cancel-on-abort.yml", sim, tmp_path)
        assert ran.jobs["verdict"].status == "success", ran.log
        assert ran.jobs["clean-up"].status == "not_run"


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_in_your_job(status: str, tmp_path: Path) -> None:
    """The command takes the key from the variable that is named, and a later step reads the verdict."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        ran = sample("in-your-job.yml", sim, tmp_path, key_name="SHOP_REFLECT_KEY")
        assert ran.green == (status == "passed"), ran.log
        assert f"{status} https://app.reflect.run/suites/regression-tests/executions/" in ran.log


def test_in_your_job_with_another_key_only(tmp_path: Path) -> None:
    """When the variable that is named is not set, the key of another name is not used in its place."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("in-your-job.yml", sim, tmp_path)
        assert not ran.green
        assert sim.calls == []
    assert "SHOP_REFLECT_KEY" in ran.log


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_moved(status: str, tmp_path: Path) -> None:
    """What the official orb took is taken under the same names, and what it ignored is honoured."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        ran = sample("moved.yml", sim, tmp_path)
        (started,) = sim.started
        assert started.body["variables"] == {"build": "42"}
        assert started.body["overrides"]["hostnames"][0]["replacement"] == "staging.example.com"
    assert ran.green == (status == "passed"), ran.log
    assert "cimg_tag has no effect" in ran.log


@pytest.mark.parametrize("path", sorted((orb.SOURCE / "examples").glob("*.yml")), ids=lambda path: path.stem)
def test_example(path: Path, tmp_path: Path) -> None:
    """Every example that the orb's page shows runs."""
    usage = yaml.safe_load(path.read_text())["usage"]
    with Simulator({"suites": SUITES}) as sim:
        health = {"wait_for_url": f"{sim.url.removesuffix('/v1')}/_simulate/started"}
        for workflow in usage["workflows"].values():
            for job in workflow["jobs"]:
                for body in job.values():
                    body |= {name: url for name, url in health.items() if name in body}
        ran = play(usage, sim, tmp_path, SHOP_REFLECT_KEY=KEY)
        assert "regression-tests" in suites(sim)
    assert {job.status for job in ran.jobs.values()} <= {"success", "not_run"}, ran.log


def test_orb_repository_tests_the_orb(tmp_path: Path) -> None:
    """The orb's own pipeline runs the packed orb against a simulated service on the job's own machine."""
    config = yaml.safe_load((FOLDER / ".circleci" / "test-deploy.yml").read_text())
    job = config["jobs"]["run-tests"]
    assert "reflect-ci simulate --port 8080" in job["steps"][0]["run"]["command"]
    job["steps"] = job["steps"][1:]  # the service is the test's, on a port that is free
    job["environment"].pop("REFLECT_WAIT_FOR_URL")
    config = {**config, "orbs": {"reflect": {}}, "workflows": {"test": {"jobs": ["run-tests"]}}}
    with Simulator() as sim:
        ran = play(config, sim, tmp_path, key=None)
        assert ran.green, ran.log
        assert suites(sim) == ["passes"]
