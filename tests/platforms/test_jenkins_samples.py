"""Every sample of tasks/jenkins is executed as it stands, against a simulated service that has its suites."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci import __version__
from reflect_ci.simulate import Simulator
from tests.platforms.jenkins.engine import ENGINE_OF_THIS_PROCESS, LIBRARY, Built, Job, agent_environment
from tests.platforms.jenkins.jobs import KEY, PATIENCE

SAMPLES = {path.name: path.read_text(encoding="utf-8") for path in sorted((LIBRARY / "samples").iterdir())}
GOOD: dict[str, Any] = {"suites": {"smoke": {}, "checkout": {}}}
BAD: dict[str, Any] = {"suites": {"smoke": {}, "checkout": {"status": "failed"}}}
PULL_REQUEST = {"BRANCH_NAME": "PR-7", "CHANGE_ID": "7"}


def hosts(sim: Simulator) -> list[object]:
    """Return the replaced hosts of all starts."""
    overrides = [(started.body or {}).get("overrides", {}) for started in sim.started]
    return sorted(row["replacement"] for override in overrides for row in override.get("hostnames", []))


def play(name: str, sim: Simulator, tmp: Path, environment: dict[str, str] | None = None, key: bool = True) -> Built:
    """Run a sample with nothing but what the controller and the agent would give it."""
    agent = agent_environment(tmp) | {"REFLECT_API_URL": sim.url}
    credentials = {"reflect-api-key": KEY} if key else {}
    job = Job(SAMPLES[name], tmp / "workspace", credentials, agent, environment or {})
    return ENGINE_OF_THIS_PROCESS.build(job)


def declarative(tmp: Path) -> None:
    """Tests what was deployed to staging; a failed suite fails the build, and the reports are archived."""
    with Simulator(GOOD) as sim:
        built = play("declarative.Jenkinsfile", sim, tmp, {"BUILD_NUMBER": "41"})
        assert built.result == "SUCCESS", built.log
        assert hosts(sim) == ["staging.example.com"] * 2
        assert [(started.body or {})["variables"] for started in sim.started] == [{"BUILD": "41"}] * 2
        assert "Archiving artifacts: 5 files" in built.log
    with Simulator(BAD) as sim:
        built = play("declarative.Jenkinsfile", sim, tmp)
        assert built.result == "FAILURE", built.log
        assert "Archiving artifacts: 5 files" in built.log


def scripted(tmp: Path) -> None:
    """Promotes after a green run only; a red one makes the build unstable."""
    with Simulator(GOOD) as sim:
        built = play("scripted.Jenkinsfile", sim, tmp)
        assert built.result == "SUCCESS"
        assert "promote to production" in built.log
    with Simulator(BAD) as sim:
        built = play("scripted.Jenkinsfile", sim, tmp)
        assert built.result == "UNSTABLE"
        assert "promote to production" not in built.log
        assert f"checkout: failed https://app.reflect.run/suites/checkout/executions/{sim.started[0].id}" in built.log


def parallel(tmp: Path) -> None:
    """Tests both environments, each with its own report; one red one is enough."""
    with Simulator(GOOD) as sim:
        built = play("parallel.Jenkinsfile", sim, tmp)
        assert built.result == "SUCCESS", built.log
        assert hosts(sim) == ["eu.example.com", "us.example.com"]
        for region in ("eu", "us"):
            assert (tmp / "workspace" / "reflect-report" / region / "junit.xml").is_file()
    with Simulator(BAD) as sim:
        assert play("parallel.Jenkinsfile", sim, tmp).result == "FAILURE"


def start_then_collect(tmp: Path) -> None:
    """Collects the verdicts of what an earlier stage started; an abort in between cancels it."""
    with Simulator(GOOD) as sim:
        assert play("start-then-collect.Jenkinsfile", sim, tmp).result == "SUCCESS"
        assert len(sim.started) == 2
    with Simulator(BAD) as sim:
        assert play("start-then-collect.Jenkinsfile", sim, tmp).result == "FAILURE"
    with Simulator({"suites": {"smoke": {"status": "never"}, "checkout": {"status": "never"}}}) as sim:
        # Something else takes its time, so that the abort hits neither of the library's steps.
        text = SAMPLES["start-then-collect.Jenkinsfile"].replace('echo "load tests here"', "touch busy; sleep 60")
        assert "touch busy" in text
        agent = agent_environment(tmp) | {"REFLECT_API_URL": sim.url}
        number = ENGINE_OF_THIS_PROCESS.start(Job(text, tmp / "aborted", {"reflect-api-key": KEY}, agent))
        assert sim.wait_for(lambda _: (tmp / "aborted" / "busy").exists(), seconds=PATIENCE)
        assert len(sim.running()) == 2
        ENGINE_OF_THIS_PROCESS.abort(number)
        built = ENGINE_OF_THIS_PROCESS.wait(number)
        assert built.result == "ABORTED", built.log
        assert sim.running() == []


def multibranch_preview(tmp: Path) -> None:
    """Tests a pull request on its preview, the main branch on staging, any other branch not at all."""
    with Simulator(GOOD) as sim:
        there = {"PREVIEW_URL": sim.url.removesuffix("/v1") + "/_simulate/running"}
        built = play("multibranch-preview.Jenkinsfile", sim, tmp, PULL_REQUEST | there)
        assert built.result == "SUCCESS", built.log
        assert hosts(sim) == ["pr-7.preview.example.com"]
        # A fork's build sees no credential.
        built = play("multibranch-preview.Jenkinsfile", sim, tmp, PULL_REQUEST | there, key=False)
        assert built.result == "SUCCESS", built.log
        assert "skip" in built.log.lower()
        assert len(sim.started) == 1
    with Simulator(GOOD) as sim:
        assert play("multibranch-preview.Jenkinsfile", sim, tmp, {"BRANCH_NAME": "main"}).result == "SUCCESS"
        assert hosts(sim) == ["staging.example.com"] * 2
    with Simulator(GOOD) as sim:
        assert play("multibranch-preview.Jenkinsfile", sim, tmp, {"BRANCH_NAME": "feature"}).result == "SUCCESS"
        assert sim.started == []


def docker_agent(tmp: Path) -> None:
    """Runs in the agent's workspace (the engine gives a plain one where the sample asks for a container)."""
    with Simulator(GOOD) as sim:
        assert play("docker-agent.Jenkinsfile", sim, tmp).result == "SUCCESS"


PLAYS: dict[str, Callable[[Path], None]] = {
    "declarative.Jenkinsfile": declarative,
    "scripted.Jenkinsfile": scripted,
    "parallel.Jenkinsfile": parallel,
    "start-then-collect.Jenkinsfile": start_then_collect,
    "multibranch-preview.Jenkinsfile": multibranch_preview,
    "docker-agent.Jenkinsfile": docker_agent,
}


@pytest.mark.parametrize("name", SAMPLES)
def test_sample(name: str, tmp_path: Path) -> None:
    """The sample does what its first lines say."""
    PLAYS[name](tmp_path)


def test_every_sample_pins_the_version() -> None:
    """Every sample loads the library by this catalog's version."""
    for name, text in SAMPLES.items():
        assert f"@Library('reflect@v{__version__}') _" in text, name


def test_configuration_as_code() -> None:
    """The JCasC file registers the library that the samples load, from the folder it lies in, and the default credential."""
    whole = yaml.safe_load((LIBRARY / "casc" / "reflect-library.yaml").read_text(encoding="utf-8"))
    (library,) = whole["unclassified"]["globalLibraries"]["libraries"]
    assert library["name"] == "reflect"
    assert library["defaultVersion"] == f"v{__version__}"
    retriever = library["retriever"]["modernSCM"]
    # Jenkins refuses `..` and absolute paths there, and adds the slash itself when it is missing.
    assert (LIBRARY.parents[1] / retriever["libraryPath"]).resolve() == LIBRARY
    assert retriever["scm"]["git"]["remote"].endswith("reflect-ci/catalog.git")
    (domain,) = whole["credentials"]["system"]["domainCredentials"]
    (credential,) = domain["credentials"]
    assert credential["string"]["id"] == "reflect-api-key"
    assert credential["string"]["secret"] == "${REFLECT_API_KEY}"


def snippets() -> dict[str, str]:
    """Return the code that README and help show, as whole Jenkinsfiles."""
    readme = (LIBRARY / "README.md").read_text(encoding="utf-8")
    found = {f"README-{number}": text for number, text in enumerate(re.findall(r"(?s)```groovy\n(.*?)```", readme), 1)}
    for path in sorted((LIBRARY / "vars").glob("*.txt")):
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("    ")]
        before = "def started = reflectRun suites: ['smoke'], wait: false\n" if path.stem == "reflectCancel" else ""
        found[path.stem] = "node {\n" + before + "\n".join(lines) + "\n}\n"
    return found


@pytest.mark.parametrize("name", snippets())
def test_snippet(name: str, tmp_path: Path) -> None:
    """What README and help show runs as it is shown."""
    with Simulator(GOOD) as sim:
        agent = agent_environment(tmp_path) | {"REFLECT_API_URL": sim.url}
        job = Job(snippets()[name], tmp_path / "workspace", {"reflect-api-key": KEY}, agent)
        built = ENGINE_OF_THIS_PROCESS.build(job)
        assert built.result == "SUCCESS", built.log
        assert sim.started
