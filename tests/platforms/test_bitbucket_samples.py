"""Every Bitbucket sample, as it stands: script steps by bb-run, the pipe as its container."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.bitbucket import bbrun, pipe

SAMPLES = bbrun.FOLDER / "samples"
PASSES: dict[str, Any] = {"tests": 2}
SUITES = {"regression-tests": PASSES, "checkout-suite": PASSES, "nightly-api-regression": PASSES}
NEVER = {"regression-tests": {"status": "never"}, "checkout-suite": {"status": "never"}}


@dataclass(frozen=True)
class Ran:
    """One pipeline: its colour, its log, and the clone that it ran in."""

    green: bool
    log: str
    clone: Path


def sample(
    name: str,
    target: str,
    sim: Simulator,
    tmp: Path,
    *,
    key: str | None = KEY,
    checks: str = "true",
    cancel: Callable[[subprocess.Popen[bytes]], object] | None = None,
    **variables: str,
) -> Ran:
    """Run one of a sample's pipelines; what is set is what a user sets, variables of the repository."""
    clone = bbrun.repository(tmp, (SAMPLES / name).read_text(), {"other-checks.sh": checks + "\n"})
    known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", **variables}
    if key is not None:
        known["REFLECT_API_KEY"] = key
    code, log = execute(
        bbrun.command(clone, target),
        Case(cancel_when="started" if cancel else None),
        sim,
        env=bbrun.environ(tmp, known),
        cwd=clone,
        log=tmp / "bitbucket.log",
        cancel=cancel,
    )
    assert KEY not in log
    return Ran(code == 0, log, clone)


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started."""
    return sorted(started.suite for started in sim.started)


def hosts(sim: Simulator) -> list[dict[str, str]]:
    """Return the host overrides of the only start."""
    (started,) = sim.started
    return list(started.body["overrides"]["hostnames"])


def test_every_sample_is_tested() -> None:
    """There is no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source, path.name


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_push(status: str, tmp_path: Path) -> None:
    """A push to main is as green as its suite, and the tests are where Bitbucket looks for them."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        ran = sample("push.yml", "branches.main", sim, tmp_path)
        assert suites(sim) == ["regression-tests"]
    assert ran.green == (status == "passed"), ran.log
    assert (ran.clone / "test-results" / "reflect" / "junit.xml").is_file()


def test_pull_request(tmp_path: Path) -> None:
    """The preview's address travels from the deploying step to the testing one, and is waited for."""
    with Simulator({"suites": SUITES}) as sim:
        root = sim.url.removesuffix("/v1")
        preview = f"{root}/_simulate/started"
        ran = sample("pull-request.yml", "pull-requests.**", sim, tmp_path, PREVIEW_URL=preview)
        assert ran.green, ran.log
        assert hosts(sim) == [{"original": "www.example.com", "replacement": root.removeprefix("http://")}]


def test_pull_request_of_a_fork(tmp_path: Path) -> None:
    """Without a key the step ends green with a notice, and nothing is called."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample(
            "pull-request.yml", "pull-requests.**", sim, tmp_path, key=None, PREVIEW_URL="https://p.example.com"
        )
        assert ran.green, ran.log
        assert sim.calls == []
    assert "skip" in ran.log.lower()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_after_deploy(status: str, tmp_path: Path) -> None:
    """Production is deployed only when the tests on staging passed; the declared output variables are written."""
    shared = tmp_path / "variables"
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        ran = sample(
            "after-deploy.yml", "branches.main", sim, tmp_path,
            STAGING_HOST="stage-3.example.com", BITBUCKET_PIPELINES_VARIABLES_PATH=str(shared),
        )  # fmt: skip
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert {started.body["overrides"]["hostnames"][0]["replacement"] for started in sim.started} == {
            "stage-3.example.com"
        }
    assert ran.green == (status == "passed"), ran.log
    assert ("tested in" in ran.log.split("Production", 1)[-1]) == (status == "passed"), ran.log
    declared = yaml.safe_load((SAMPLES / "after-deploy.yml").read_text())["pipelines"]["branches"]["main"][0]["step"]
    written = dict(line.split("=", 1) for line in shared.read_text().splitlines())
    assert set(declared["output-variables"]) <= set(written)
    assert written["REFLECT_VERDICT"] == status


def test_nightly(tmp_path: Path) -> None:
    """The scheduled pipeline runs both suites."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("nightly.yml", "custom.nightly", sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["nightly-api-regression", "regression-tests"]


def test_several_suites(tmp_path: Path) -> None:
    """Together and each in a step of its own; no step writes over another's reports."""
    with Simulator({"suites": SUITES}) as sim:
        ran = sample("several-suites.yml", "default", sim, tmp_path)
        assert ran.green, ran.log
        assert suites(sim) == ["checkout-suite", "checkout-suite", "regression-tests", "regression-tests"]
    for name in ("reflect", "regression", "checkout"):
        assert (ran.clone / "test-results" / name / "junit.xml").is_file()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_start_then_collect(status: str, tmp_path: Path) -> None:
    """The suites are started once, and the last step has their verdict."""
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status, "takes": 1}}}) as sim:
        ran = sample("start-then-collect.yml", "default", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert [call for call in sim.calls if call.method == "PATCH"] == []
    assert ran.green == (status == "passed"), ran.log


def test_start_then_something_else_fails(tmp_path: Path) -> None:
    """When the work between fails, its after-script cancels what was started."""
    with Simulator({"suites": NEVER}) as sim:
        ran = sample("start-then-collect.yml", "default", sim, tmp_path, checks="exit 3")
        assert not ran.green
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert sim.running() == [], ran.log


def test_stopped(tmp_path: Path) -> None:
    """The custom pipeline cancels the executions that it is given."""
    with Simulator({"suites": NEVER}) as sim:
        (tmp_path / "first").mkdir()
        (tmp_path / "second").mkdir()
        sample(
            "start-then-collect.yml",
            "default",
            sim,
            tmp_path / "first",
            REFLECT_TIMEOUT="2s",
            REFLECT_ON_TIMEOUT="leave",
        )
        assert len(sim.running()) == 2
        left = " ".join(f"{started.suite}/{started.id}" for started in sim.running())
        ran = sample("stopped.yml", "custom.cancel-executions", sim, tmp_path / "second", REFLECT_EXECUTIONS=left)
        assert ran.green, ran.log
        assert sim.running() == []


@pytest.mark.engine
@pytest.mark.parametrize("status", ["passed", "failed"])
def test_pipe(status: str, tmp_path: Path) -> None:
    """The pipe gets its variables, the list of suites among them, and its reports are in the clone."""
    path = SAMPLES / "pipe.yml"
    step = yaml.safe_load(path.read_text())["pipelines"]["branches"]["main"][0]["step"]
    (item,) = step["script"]
    declared = yaml.safe_load((pipe.FOLDER / "pipe.yml").read_text())
    assert item["pipe"] == f"docker://{declared['image']}"
    assert set(item["variables"]) <= {row["name"] for row in declared["variables"]}
    with Simulator({"suites": {**SUITES, "checkout-suite": {"status": status}}}) as sim:
        variables = pipe.expanded(item["variables"], {"REFLECT_API_KEY": KEY})
        given = {**pipe.step_variables(), **variables, "API_URL": sim.url}
        code, log = execute(
            pipe.command(pipe.image(), tmp_path, given),
            Case(), sim, env=pipe.environ(given), cwd=tmp_path, log=tmp_path.parent / f"{tmp_path.name}.log",
        )  # fmt: skip
        assert suites(sim) == ["checkout-suite", "regression-tests"], log
    assert (code == 0) == (status == "passed"), log
    result = json.loads((tmp_path / "test-results" / "reflect" / "result.json").read_text())
    assert KEY not in json.dumps(result) + log
    assert (tmp_path / "test-results" / "reflect" / "junit.xml").is_file()
