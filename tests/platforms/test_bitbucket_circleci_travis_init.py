"""What `reflect-ci init` writes for Bitbucket, CircleCI and Travis runs as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.cli import main
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.bitbucket import bbrun
from tests.platforms.test_circleci_samples import play
from tests.platforms.travis import build

SUITES: dict[str, Any] = {"suites": {"checkout": {"tests": 2}, "log-in": {"tests": 2}}}


@pytest.mark.parametrize("platform", ["bitbucket", "circleci", "travis"])
def test_runs(platform: str, tmp_path: Path) -> None:
    """Both suites run on the host that was given."""
    repo = tmp_path / "repo"
    repo.mkdir()
    words = ["--suites", "checkout log-in", "--hosts", "www.example.com=stage.example.com", "--dir", str(repo)]
    assert main(["init", platform, *words], {}) == 0
    with Simulator(SUITES) as sim:
        known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", "REFLECT_API_KEY": KEY}
        if platform == "bitbucket":
            script = (repo / "ci" / "reflect-run.sh").read_text()
            clone = bbrun.repository(tmp_path, (repo / "bitbucket-pipelines.reflect.yml").read_text())
            assert (clone / "ci" / "reflect-run.sh").read_text() == script
            environ = bbrun.environ(tmp_path, known)
            command = bbrun.command(clone, "branches.main")
            code, log = execute(command, Case(), sim, env=environ, cwd=clone, log=tmp_path / "log")
            assert code == 0, log
        elif platform == "circleci":
            ran = play(yaml.safe_load((repo / ".circleci" / "reflect.yml").read_text()), sim, tmp_path / "jobs")
            assert ran.green, ran.log
        else:
            assert (repo / "ci" / "reflect-run.sh").read_text() == (build.FOLDER / "reflect-run.sh").read_text()
            (job,) = build.Build(tmp_path / "jobs", sim, known).run(build.load(repo / ".travis.reflect.yml"))
            assert job.status == "passed", job.log
        assert sorted(started.suite for started in sim.started) == ["checkout", "log-in"]
        hosts = [{"original": "www.example.com", "replacement": "stage.example.com"}]
        assert [started.body["overrides"]["hostnames"] for started in sim.started] == [hosts, hosts]
