"""webapp.io's Layerfile and samples: the exposed website is tested, no snapshot skips the suites, and the executor keeps to what is documented."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute, path_with_runner
from tests.platforms.previews import machine
from tests.platforms.previews.layerfile import Refused, instructions

FOLDER = ROOT / "tasks" / "webapp-io"
SAMPLES = FOLDER / "samples"
SCRIPT = FOLDER / "reflect-run.sh"
IDS = ("regression-tests", "checkout-suite")
HOST = "0a1b2c.cidemo.co"
BUILD = {"GIT_COMMIT": "0" * 40, "JOB_ID": "7", "RETRY_INDEX": "1", "EXPOSE_WEBSITE_HOST": HOST, "WEBAPPIO": "true"}


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated service with the samples' suites."""
    with Simulator({"suites": {name: {"tests": 2} for name in IDS}}) as service:
        yield service


def push(
    text: str,
    sim: Simulator,
    tmp: Path,
    *,
    build: dict[str, str] | None = None,
    key: str | None = KEY,
    files: dict[str, str] | None = None,
    **variables: str,
) -> tuple[int, str]:
    """Run a Layerfile once more on the account's machine; the variables are secrets that its last lines get."""
    secrets = {
        "REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed",
        "REFLECT_WAIT_FOR_URL": sim.url.removesuffix("/v1") + "/_simulate/started", **variables,
    }  # fmt: skip
    text = text.replace("http.server 8000", "http.server 0").replace(
        "SECRET ENV REFLECT_API_KEY", f"SECRET ENV REFLECT_API_KEY {' '.join(secrets)}"
    )
    if key is not None:
        secrets["REFLECT_API_KEY"] = key
    home = machine.repository(
        tmp / "repository",
        {"Layerfile": text, "ci/reflect-run.sh": SCRIPT, "other-checks.sh": "exit 0\n", **(files or {})},
    )
    (tmp / "variables.json").write_text(json.dumps({"build": {**BUILD, **(build or {})}, "secrets": secrets}))
    log = tmp / "log"
    log.unlink(missing_ok=True)
    code, output = execute(
        machine.module("previews.layerfile", home / "Layerfile", home, tmp / "machine", tmp / "variables.json"),
        Case(), sim, env=machine.environ(tmp, {}), cwd=tmp, log=log,
    )  # fmt: skip
    assert KEY not in output
    return code, output


def layerfile() -> str:
    """Return the Layerfile."""
    return (FOLDER / "Layerfile").read_text()


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started."""
    return sorted(started.suite for started in sim.started)


def test_website_is_tested(sim: Simulator, tmp_path: Path) -> None:
    """As it stands, the Layerfile tests the website that it exposes in place of the recorded host."""
    code, log = push(layerfile(), sim, tmp_path)
    assert code == 0, log
    (started,) = sim.started
    assert started.body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": HOST}]


@pytest.mark.parametrize("change", [{"GIT_COMMIT": "1" * 40}, {"JOB_ID": "8"}, {"RETRY_INDEX": "2"}])
def test_nothing_changed_but_the_run(change: dict[str, str], sim: Simulator, tmp_path: Path) -> None:
    """Another commit, a new run of the same one and a retry start the suites again; the installation is restored."""
    assert push(layerfile(), sim, tmp_path)[0] == 0
    code, log = push(layerfile(), sim, tmp_path, build=change)
    assert code == 0, log
    assert "restored: RUN apt-get" in log
    assert suites(sim) == ["regression-tests"] * 2


def test_without_build_env_a_snapshot_skips_the_suites(sim: Simulator, tmp_path: Path) -> None:
    """The executor skips what webapp.io would: without the BUILD ENV lines the second run is green with no suite run."""
    text = "".join(line for line in layerfile().splitlines(True) if not line.startswith("BUILD ENV"))
    assert push(text, sim, tmp_path)[0] == 0
    code, log = push(text, sim, tmp_path, build={"GIT_COMMIT": "1" * 40, "JOB_ID": "8"})
    assert code == 0
    assert "restored: RUN sh ci/reflect-run.sh" in log
    assert suites(sim) == ["regression-tests"]


def test_failed_run_leaves_no_snapshot(tmp_path: Path) -> None:
    """A red run is not restored as a green one."""
    with Simulator({"suites": {"regression-tests": {"status": "failed"}}}) as sim:
        assert push(layerfile(), sim, tmp_path)[0] == 1
        assert push(layerfile(), sim, tmp_path)[0] == 1
        assert len(sim.started) == 2


def test_website_that_does_not_answer(sim: Simulator, tmp_path: Path) -> None:
    """A website that is not live is red at the deadline, and nothing was started."""
    code, log = push(layerfile(), sim, tmp_path, REFLECT_WAIT_FOR_URL="http://127.0.0.1:9/", REFLECT_TIMEOUT="2s")
    assert code == 6, log
    assert sim.started == []


def script(tmp: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run the script with a runner that prints what it was given."""
    tools = tmp / "tools"
    tools.mkdir()
    (tools / "reflect-ci").write_text('#!/bin/sh\necho "$* $REFLECT_HOSTS $REFLECT_WAIT_FOR_URL"\n')
    (tools / "reflect-ci").chmod(0o755)
    env = machine.environ(tmp, {"REFLECT_RUNNER": "installed", **variables})
    env["PATH"] = f"{tools}{os.pathsep}{path_with_runner()}"
    run = subprocess.run(
        ["sh", SCRIPT, *arguments],
        env=env,
        cwd=tmp,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return run.returncode, (run.stdout + run.stderr).strip()


def test_website_is_waited_for(tmp_path: Path) -> None:
    """Unless told otherwise the script waits for the exposed website."""
    code, output = script(tmp_path, REFLECT_ORIGINAL_HOST="www.example.com", EXPOSE_WEBSITE_HOST=HOST)
    assert (code, output) == (0, f"run www.example.com={HOST} https://{HOST}/")


def test_own_hosts_win(tmp_path: Path) -> None:
    """REFLECT_HOSTS wins, and then no website of webapp.io is waited for."""
    code, output = script(tmp_path, REFLECT_HOSTS="a=b", EXPOSE_WEBSITE_HOST=HOST)
    assert (code, output) == (0, "run a=b")


def test_other_commands_need_no_host(tmp_path: Path) -> None:
    """`wait` and `cancel` need no host."""
    assert script(tmp_path, "wait") == (0, "wait")


@pytest.mark.parametrize("name", ["REFLECT_ORIGINAL_HOST", "EXPOSE_WEBSITE_HOST"])
def test_host_that_is_not_known(name: str, tmp_path: Path) -> None:
    """Without a host the recorded one would be tested: red, with the line to write."""
    variables = {"REFLECT_ORIGINAL_HOST": "www.example.com", "EXPOSE_WEBSITE_HOST": HOST, name: ""}
    code, output = script(tmp_path, **variables)
    assert code == 2
    assert f"{name} is not set" in output


# --- samples -------------------------------------------------------------------------------------------------------


def test_start_then_collect(sim: Simulator, tmp_path: Path) -> None:
    """The sample "start-then-collect.Layerfile" starts each suite once, and has their verdict."""
    code, log = push((SAMPLES / "start-then-collect.Layerfile").read_text(), sim, tmp_path)
    assert code == 0, log
    assert suites(sim) == ["checkout-suite", "regression-tests"]
    assert "== RUN REFLECT_FROM_FILE" in log


def test_start_then_something_else_fails(tmp_path: Path) -> None:
    """When the checks fail, what was started is canceled."""
    with Simulator({"suites": {name: {"status": "never"} for name in IDS}}) as sim:
        text = (SAMPLES / "start-then-collect.Layerfile").read_text()
        code, log = push(text, sim, tmp_path, files={"other-checks.sh": "exit 3\n"})
        assert code == 1, log
        assert len(sim.started) == 2
        assert sim.running() == []


def test_pull_request(sim: Simulator, tmp_path: Path) -> None:
    """The sample "pull-request.Layerfile" runs its suite."""
    code, log = push((SAMPLES / "pull-request.Layerfile").read_text(), sim, tmp_path)
    assert code == 0, log
    assert suites(sim) == ["regression-tests"]


def test_pull_request_of_a_fork(sim: Simulator, tmp_path: Path) -> None:
    """Without a key it is skipped with a notice."""
    code, log = push((SAMPLES / "pull-request.Layerfile").read_text(), sim, tmp_path, key=None)
    assert code == 0, log
    assert "skip" in log.lower()
    assert sim.calls == []


def test_pull_request_cancels_what_was_left(tmp_path: Path) -> None:
    """An execution that a stopped run left is canceled by the next one."""
    with Simulator({"suites": {"regression-tests": {"status": "never"}}}) as sim:
        text = (SAMPLES / "pull-request.Layerfile").read_text()
        for job in ("7", "8"):
            code, log = push(
                text, sim, tmp_path, build={"JOB_ID": job}, REFLECT_TIMEOUT="1s", REFLECT_ON_TIMEOUT="leave"
            )
            assert code == 6, log
        assert [started.id for started in sim.running()] == [sim.started[1].id]


def test_every_sample_is_tested() -> None:
    """There is no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source, path.name


def test_script_is_clean() -> None:
    """shellcheck has no finding in the script."""
    run = subprocess.run(
        ["shellcheck", SCRIPT], env={"PATH": path_with_runner(), "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    "text", ["RUN true", "FROM vm/ubuntu:22.04\nSECRETS ENV A", "FROM vm/ubuntu:22.04\nUSER root", ""]
)
def test_executor_refuses(text: str) -> None:
    """The executor runs no line that it does not know, and no file without FROM."""
    with pytest.raises(Refused):
        list(instructions(text))


@pytest.mark.parametrize(
    "line", ["ENV REFLECT_SUITES", "BUILD ENV EXPOSE_WEBSITE_HOST", "SECRET ENV A=b", "EXPOSE WEBSITE 8000"]
)
def test_executor_refuses_arguments(line: str, sim: Simulator, tmp_path: Path) -> None:
    """A line whose arguments are not documented fails the Layerfile."""
    code, log = push(layerfile().replace("BUILD ENV JOB_ID", line), sim, tmp_path)
    assert code == 1
    assert "Layerfile:" in log
    assert sim.calls == []
