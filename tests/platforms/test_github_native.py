"""What GitHub itself shows of a run: the summary, annotations, outputs, and masks for a key that it did not know."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.github import act

FAILS = {
    "shop": {
        "status": "failed",
        "tests": [{"name": "Pay, by card: twice", "status": "failed", "failed-steps": {"4": "100% lost\n::error::x"}}],
    }
}


def job(
    sim: Simulator, tmp: Path, with_: dict[str, str], *steps: dict[str, Any], mask: bool = False
) -> tuple[int, str]:
    """Run the action with these inputs and then the steps."""
    uses = f"{act.CATALOG}/tasks/github/reflect-run@{act.pin()}"
    run = {"id": "reflect", "uses": uses, "with": {"api-url": sim.url, "runner": "installed", **with_}}
    workflow = {"on": "push", "jobs": {"e2e": {"runs-on": "ubuntu-24.04", "steps": [run, *steps]}}}
    repo = act.repository(tmp / "shop", {"e2e.yml": act.dump(workflow)})
    command = act.command(
        repo, tmp, options=["--secret-file", str(act.dotenv(tmp / "secrets", {"REFLECT_API_KEY": KEY}))]
    )
    if mask:
        command.remove("--insecure-secrets")
    return execute(command, Case(), sim, env=act.environ(tmp), cwd=repo, log=tmp / "act.log")


def test_summary_and_annotations(tmp_path: Path) -> None:
    """A failed test is in the job's summary and is an annotation, whose text cannot become a command of its own."""
    with Simulator({"suites": FAILS}) as sim:
        code, log = job(sim, tmp_path, {"suites": "shop", "api-key": "${{ secrets.REFLECT_API_KEY }}"})
    assert code != 0
    assert "Summary - " in log
    assert "Pay, by card" in log
    errors = [line for line in log.splitlines() if "::error" in line]
    assert any("100%25 lost" in line or "100% lost" in line for line in errors), log
    assert not any(re.search(r"\|\s*::error::x", line) for line in log.splitlines()), log


def test_outputs_reach_the_next_step(tmp_path: Path) -> None:
    """The next step reads the verdict, the id, the page and all executions as JSON, also of a red run."""
    show = {
        "if": "always()",
        "env": {"ALL": "${{ toJSON(steps.reflect.outputs) }}"},
        "run": f'printf "%s" "$ALL" > {tmp_path}/outputs',
    }
    with Simulator() as sim:
        job(sim, tmp_path, {"suites": "fails passes", "api-key": "${{ secrets.REFLECT_API_KEY }}"}, show)
        outputs = json.loads((tmp_path / "outputs").read_text())
        assert outputs["verdict"] == "failed"
        assert outputs["exit-code"] == "1"
        assert outputs["execution-id"] == sim.started[0].id
        assert outputs["execution-url"].endswith(f"/suites/fails/executions/{sim.started[0].id}")
        assert {row["suite"]: row["verdict"] for row in json.loads(outputs["executions"])} == {
            "fails": "failed",
            "passes": "passed",
        }


def test_key_from_a_file_is_masked(tmp_path: Path) -> None:
    """A key that GitHub does not know as a secret is masked from then on, in later steps as well."""
    key = "FromAFile0123456789abcdefghijklmnopqrstuv"
    (tmp_path / "key").write_text(key)
    with Simulator() as sim:
        code, log = job(
            sim,
            tmp_path,
            {"suites": "passes", "api-key-file": str(tmp_path / "key")},
            {"run": f"cat {tmp_path / 'key'}"},
            mask=True,
        )
        assert code == 0, log
        assert sim.started[0].body is not None
        assert {call.headers.get("x-api-key") for call in sim.calls} == {key}
    assert key not in log
    assert re.search(r"\|\s*\*\*\*", log), log
