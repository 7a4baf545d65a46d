"""Codefresh's step type and freestyle step in containers: verdict, exports in the shared volume, and the signal that ends a build."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute
from tests.platforms.previews import machine

FOLDER = ROOT / "tasks" / "codefresh"
pytestmark = pytest.mark.engine


@pytest.fixture(scope="session")
def image() -> str:
    """Give an image with a shell, which the cluster's tests have in any case: the one that their nodes are made from."""
    from tests.cluster.builder import lifecycle, sources

    lifecycle.engine()
    return sources.chosen().node_image


def document(form: str, sim: Simulator) -> dict[str, object]:
    """Return a pipeline of one of the forms."""
    if form == "freestyle":
        text = (FOLDER / "freestyle.yml").read_text()
        given = f"      - REFLECT_API_URL={sim.url}\n      - REFLECT_RUNNER=installed\n"
        pipeline = yaml.safe_load(text.replace("    environment:\n", f"    environment:\n{given}", 1))
    else:
        arguments = {"suites": "regression-tests", "api_url": sim.url, "runner": "installed"}
        step = {"type": "reflect-ci/reflect-run:0.1.0", "arguments": arguments}
        pipeline = {"version": "1.0", "steps": {"reflect": step}}
    after = {"image": "alpine:3.22", "commands": ['echo "verdict: $REFLECT_VERDICT, ${{REFLECT_EXIT_CODE}}"']}
    pipeline["steps"]["after"] = after
    return dict(pipeline)


def build(form: str, image: str, sim: Simulator, tmp: Path, cancel: bool = False) -> tuple[int, str]:
    """Run a pipeline whose steps are containers of the image."""
    # This interpreter with the runner in it is lent to the containers, which have no Python of their own.
    lent = sorted({str(ROOT), sys.base_prefix, sys.prefix})
    volume = tmp / "volume"
    volume.mkdir()
    (tmp / "codefresh.yml").write_text(yaml.safe_dump(document(form, sim), sort_keys=False))
    variables = {"CF_BUILD_ID": "0a1b2c", "REFLECT_API_KEY": KEY}
    settings = {"volume": str(volume), "variables": variables, "image": image, "lent": lent}
    (tmp / "build.json").write_text(json.dumps(settings))
    docker = {name: os.environ[name] for name in ("DOCKER_HOST",) if name in os.environ}
    return execute(
        machine.module("codefresh.executor", tmp / "codefresh.yml", tmp / "build.json"),
        Case(cancel_when="started" if cancel else None), sim, env=machine.environ(tmp, docker), cwd=tmp, log=tmp / "log",
    )  # fmt: skip


@pytest.mark.parametrize("form", ["freestyle", "step type"])
@pytest.mark.parametrize("status", ["passed", "failed"])
def test_verdict(form: str, status: str, image: str, tmp_path: Path) -> None:
    """The build is as green as the suite, the next step knows the verdict, and the reports are in the volume."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        code, log = build(form, image, sim, tmp_path)
        assert [started.suite for started in sim.started] == ["regression-tests"], log
    assert (code == 0) == (status == "passed"), log
    assert ("verdict: passed, 0" in log) == (status == "passed")
    assert KEY not in log
    volume = tmp_path / "volume"
    assert f"REFLECT_VERDICT={status}" in (volume / "env_vars_to_export").read_text()
    assert (volume / "reflect-report" / "junit.xml").is_file()


@pytest.mark.parametrize("form", ["freestyle", "step type"])
def test_terminated(form: str, image: str, tmp_path: Path) -> None:
    """A build that is terminated (`docker stop`: one signal to the container's first process) leaves nothing running."""
    with Simulator({"suites": {"regression-tests": {"status": "never"}}}) as sim:
        code, log = build(form, image, sim, tmp_path, cancel=True)
        assert code == 1, log
        assert len(sim.started) == 1
        assert sim.wait_for(lambda service: not service.running(), seconds=30), log
        assert [call.method for call in sim.calls].count("PATCH") == 1
