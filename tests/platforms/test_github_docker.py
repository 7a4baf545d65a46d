"""The GitHub action in act's Docker mode: the job in a container, as on a machine of one's own with `container:`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reflect_ci.simulate import Simulator
from tests.cluster.builder.places import lock
from tests.conformance.frame import KEY, ROOT, Case, execute, path_with_runner
from tests.platforms.github import act
from tests.platforms.test_github_samples import SAMPLES, SUITES

pytestmark = pytest.mark.engine


@pytest.fixture(scope="session")
def image() -> str:
    """Give an image with bash, which the cluster's tests have in any case: the one that their nodes are made from."""
    from tests.cluster.builder import lifecycle, sources

    lifecycle.engine()
    return sources.chosen().node_image


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_push(image: str, status: str, tmp_path: Path) -> None:
    """The sample of a push has the same end in a container: the suite ran once, and its verdict is the job's."""
    with Simulator({"suites": {**SUITES, "regression-tests": {"status": status}}}) as sim:
        repo = act.repository(tmp_path / "shop", {"push.yml": (SAMPLES / "push.yml").read_text()})
        # This interpreter with the runner in it is lent to the container, which has no Python of its own.
        lent = {str(ROOT), sys.base_prefix, sys.prefix}
        options = ["-P", f"ubuntu-24.04={image}", "--pull=false", "--rm"]
        options += ["--container-options", " ".join(f"-v {path}:{path}:ro" for path in sorted(lent))]
        options += ["--secret-file", str(act.dotenv(tmp_path / "secrets", {"REFLECT_API_KEY": KEY}))]
        for pair in (
            f"REFLECT_API_URL={sim.url}",
            "REFLECT_RUNNER=installed",
            f"PATH={path_with_runner()}",
            "REFLECT_TEST_ARTIFACTS=/tmp/kept",
        ):
            options += ["--env", pair]
        command = [word for word in act.command(repo, tmp_path, "push", options) if word != "ubuntu-24.04=-self-hosted"]
        command.remove("-P")
        # act names the container after workflow and job: two at once would remove each other's.
        with lock("act-docker"):
            code, log = execute(command, Case(), sim, env=act.environ(tmp_path), cwd=repo, log=tmp_path / "act.log")
        assert (code == 0) == (status == "passed"), log
        assert [started.suite for started in sim.started] == ["regression-tests"], log
    assert f"Start image={image}" in log
    assert KEY not in log
