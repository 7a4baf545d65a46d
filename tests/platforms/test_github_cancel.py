"""A cancelled GitHub job leaves nothing running: by the signal that GitHub sends, and by the clean-up when it came too late."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.github import act
from tests.platforms.test_github_samples import SAMPLES, SUITES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for the step's process in /proc")

NEVER = {**SUITES, "regression-tests": {"status": "never"}}


def entry(process: subprocess.Popen[bytes]) -> int:
    """Return the entry process of the step that runs: the only one that GitHub signals."""
    (pid,) = act.children(process.pid)
    return pid


def interrupt_entry(process: subprocess.Popen[bytes]) -> None:
    """Do what GitHub does first: SIGINT to the entry process, and to no other."""
    os.kill(entry(process), signal.SIGINT)


def run(
    tmp: Path,
    sim: Simulator,
    workflow: str,
    case: Case,
    cancel: Callable[[subprocess.Popen[bytes]], object] | None = None,
) -> tuple[int, str]:
    """Run a workflow on a push; return act's exit code and the log."""
    repo = act.repository(tmp / "shop", {"e2e.yml": workflow})
    options = ["--secret-file", str(act.dotenv(tmp / "secrets", {"REFLECT_API_KEY": KEY}))]
    options += ["--env", f"REFLECT_API_URL={sim.url}", "--env", "REFLECT_RUNNER=installed"]
    options += ["--env", f"REFLECT_TEST_ARTIFACTS={tmp / 'artifacts'}"]
    command = act.command(repo, tmp, "push", options)
    return execute(command, case, sim, env=act.environ(tmp), cwd=repo, log=tmp / "act.log", cancel=cancel)


def cancelled(tmp: Path, sim: Simulator, workflow: str, cancel: Callable[[subprocess.Popen[bytes]], object]) -> str:
    """Run a workflow and cancel it once the service saw the start; return the log."""
    code, log = run(tmp, sim, workflow, Case(cancel_when="started"), cancel)
    assert code != 0, log
    return log


def without_clean_up() -> str:
    """Return the sample of a push with the action alone."""
    head, _, _ = (SAMPLES / "push.yml").read_text().partition("      - name: Cancel what is left")
    return head


def test_signal_reaches_the_runner(tmp_path: Path) -> None:
    """GitHub signals one process, the step's; that is the runner, which cancels the execution and says so."""
    with Simulator({"suites": NEVER}) as sim:
        log = cancelled(tmp_path, sim, without_clean_up(), interrupt_entry)
        assert len(sim.started) == 1
        assert sim.running() == [], log
        assert "exit code 130" in log, log


def test_killed_runner_is_cleaned_up_after(tmp_path: Path) -> None:
    """When the runner was killed before it could do anything, the step `if: cancelled()` cancels by the saved id."""

    def kill(process: subprocess.Popen[bytes]) -> None:
        act.wait_for_saved_ids(tmp_path, "home/.cache/act/*/hostexecutor/reflect-report/executions.json")
        # act's own way to cancel: it kills the step at once, and runs what is `if: cancelled()`.
        process.send_signal(signal.SIGINT)

    with Simulator({"suites": NEVER}) as sim:
        log = cancelled(tmp_path, sim, (SAMPLES / "cancel-on-abort.yml").read_text(), kill)
        assert [call.path for call in sim.calls if call.method == "PATCH"] == [
            f"/suites/regression-tests/executions/{sim.started[0].id}/cancel"
        ], log
        assert sim.running() == []


def test_cancelled_between_start_and_collection(tmp_path: Path) -> None:
    """The job that cleans up after a cancelled workflow gets the executions of the job that started them.

    act runs no job once a workflow was cancelled, as GitHub does for `if: cancelled()`; so the condition is taken away.
    """
    workflow = yaml.safe_load((SAMPLES / "start-then-collect.yml").read_text())
    jobs = workflow["jobs"]
    assert jobs["clean-up"]["if"] == "cancelled() && needs.start.outputs.executions != ''"
    jobs["clean-up"] |= {"needs": "start", "if": "needs.start.outputs.executions != ''"}
    workflow["jobs"] = {name: jobs[name] for name in ("start", "clean-up")}
    # YAML 1.1 reads the key `on` as true.
    workflow["on"] = workflow.pop(True)
    with Simulator({"suites": {**NEVER, "checkout-suite": {"status": "never"}}}) as sim:
        code, log = run(tmp_path, sim, act.dump(workflow), Case())
        assert code == 0, log
        assert len(sim.started) == 2
        assert len([call for call in sim.calls if call.method == "PATCH"]) == 2
        assert sim.running() == []
