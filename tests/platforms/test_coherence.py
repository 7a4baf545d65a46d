"""Coherence's integration test and samples: the environment's own host is tested, after it answers; the executor refuses what is not documented."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute
from tests.platforms.previews import machine
from tests.platforms.previews.coherence import tests_of as integration_tests

FOLDER = ROOT / "tasks" / "coherence"
FILE = FOLDER / "coherence.yml"
SAMPLES = FOLDER / "samples"
IDS = ("regression-tests", "checkout-suite", "smoke-tests")


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated service with the samples' suites."""
    with Simulator({"suites": {name: {"tests": 2} for name in IDS}}) as service:
        yield service


def deploy(file: Path, sim: Simulator, tmp: Path, **variables: str) -> tuple[int, str]:
    """Run a file's integration tests as after a deployment; an environment without a name is a preview."""
    workdir = tmp / "container"
    workdir.mkdir(exist_ok=True)
    given = {
        "COHERENCE_ENVIRONMENT_NAME": "preview-7", "COHERENCE_BASE_URL": website(sim), "REFLECT_RUNNER": "installed",
        "REFLECT_API_KEY": KEY, "REFLECT_API_URL": sim.url, **variables,
    }  # fmt: skip
    code, log = execute(
        machine.module("previews.coherence", file, workdir), Case(), sim, env=machine.environ(tmp, given), cwd=workdir, log=tmp / "log"
    )  # fmt: skip
    assert KEY not in log
    return code, log


def website(sim: Simulator) -> str:
    """Return an address that answers, in place of the environment's."""
    return sim.url.removesuffix("/v1") + "/_simulate/started"


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started."""
    return sorted(started.suite for started in sim.started)


def test_environment_is_tested(sim: Simulator, tmp_path: Path) -> None:
    """As it stands, the file tests the environment's own host in place of the recorded one, once it answers."""
    code, log = deploy(FILE, sim, tmp_path)
    assert code == 0, log
    (started,) = sim.started
    host = sim.url.removeprefix("http://").removesuffix("/v1")
    assert started.suite == "regression-tests"
    assert started.body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": host}]


def test_environment_that_does_not_answer(sim: Simulator, tmp_path: Path) -> None:
    """An environment that does not answer is red at the deadline, and nothing was started."""
    code, log = deploy(FILE, sim, tmp_path, COHERENCE_BASE_URL="http://127.0.0.1:9", REFLECT_TIMEOUT="2s")
    assert code == 6, log
    assert sim.started == []


@pytest.mark.parametrize(
    "base", ["preview-7.example.com", "https://preview-7.example.com", "https://preview-7.example.com/app"]
)
def test_base_url_with_and_without_scheme(base: str, sim: Simulator, tmp_path: Path) -> None:
    """The vendor's page calls it a host name, its name an address: both forms give the host."""
    code, log = deploy(FILE, sim, tmp_path, COHERENCE_BASE_URL=base, REFLECT_WAIT_FOR_URL=website(sim))
    assert code == 0, log
    assert sim.started[0].body["overrides"]["hostnames"][0]["replacement"] == "preview-7.example.com"


def test_address_that_is_not_known(sim: Simulator, tmp_path: Path) -> None:
    """Without the environment's address the recorded host would be tested: red, and nothing is called."""
    code, log = deploy(FILE, sim, tmp_path, COHERENCE_BASE_URL="")
    assert code == 2, log
    assert "COHERENCE_BASE_URL is not set" in log
    assert sim.calls == []


def test_own_hosts_win(sim: Simulator, tmp_path: Path) -> None:
    """REFLECT_HOSTS of the application wins over the environment's address."""
    code, log = deploy(FILE, sim, tmp_path, REFLECT_HOSTS="a.example.com=b.example.com", COHERENCE_BASE_URL="")
    assert code == 0, log
    assert sim.started[0].body["overrides"]["hostnames"] == [
        {"original": "a.example.com", "replacement": "b.example.com"}
    ]


def test_whole_file(sim: Simulator, tmp_path: Path) -> None:
    """The sample "coherence.yml" has a service beside the test, and runs both of its suites."""
    code, log = deploy(SAMPLES / "coherence.yml", sim, tmp_path)
    assert code == 0, log
    assert suites(sim) == ["checkout-suite", "regression-tests"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("production", ["smoke-tests"]),
        ("preview-7", ["checkout-suite", "regression-tests"]),
        ("", ["checkout-suite", "regression-tests"]),
    ],
)
def test_by_environment(environment: str, expected: list[str], sim: Simulator, tmp_path: Path) -> None:
    """The sample "by-environment.yml" chooses the suites by the environment's name."""
    code, log = deploy(SAMPLES / "by-environment.yml", sim, tmp_path, COHERENCE_ENVIRONMENT_NAME=environment)
    assert code == 0, log
    assert suites(sim) == expected


def test_every_sample_is_tested() -> None:
    """There is no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source, path.name


@pytest.mark.parametrize("path", [FILE, *sorted(SAMPLES.iterdir())], ids=lambda path: path.name)
def test_script_is_clean(path: Path, tmp_path: Path) -> None:
    """shellcheck has no finding in the script inside the file."""
    for command in integration_tests(path.read_text()).values():
        assert command[:2] == ["sh", "-c"]
        script = tmp_path / "script.sh"
        script.write_text("#!/bin/sh\n" + command[2])
        run = subprocess.run(
            ["shellcheck", script], env=machine.environ(tmp_path, {}), stdin=subprocess.DEVNULL, capture_output=True, text=True
        )  # fmt: skip
        assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("t: {type: integration_test, image: a:1, command: curl}", "a list of words"),
        ("t: {type: integration_test, image: a:1, command: [sh, 1]}", "a list of words"),
        ("t: {type: integration_test, command: [sh]}", "an image"),
        ("t: {type: integration_test, image: a:1, command: [sh], env: {}}", "not documented"),
        ("t: [sh]", "a mapping with a type"),
    ],
)
def test_executor_refuses(text: str, sentence: str) -> None:
    """The executor runs nothing that the vendor's page does not show."""
    with pytest.raises(ValueError, match=sentence):
        integration_tests(text)
