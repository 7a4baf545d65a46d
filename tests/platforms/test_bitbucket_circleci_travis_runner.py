"""How a job on Bitbucket, CircleCI and Travis gets the runner: from the platform's own cache the second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.bitbucket import bbrun
from tests.platforms.circleci import orb, run
from tests.platforms.github_gitlab import fill
from tests.platforms.travis import build

SUITES: dict[str, Any] = {"suites": {"regression-tests": {"tests": 2}}}
# The default, and no index to get it from.
WITHOUT_INDEX = {"REFLECT_RUNNER": "reflect-ci==0.1.0", "PIP_NO_INDEX": "1", "REFLECT_API_KEY": KEY}
SENTENCE = "pip could not install reflect-ci==0.1.0"


def test_bitbucket(tmp_path: Path) -> None:
    """The step's cache brings the runner back; without it, and without an index, the step is red and calls nothing."""
    clone = bbrun.repository(tmp_path, (bbrun.FOLDER / "samples" / "push.yml").read_text())
    with Simulator(SUITES) as sim:
        environ = bbrun.environ(tmp_path, {**WITHOUT_INDEX, "REFLECT_API_URL": sim.url})
        command = bbrun.command(clone, "branches.main")
        code, log = execute(command, Case(), sim, env=environ, cwd=clone, log=tmp_path / "first.log")
        assert code != 0
        assert SENTENCE in log
        assert sim.calls == []
        fill(clone / ".bb-run" / "caches" / "reflect-ci")
        code, log = execute(command, Case(), sim, env=environ, cwd=clone, log=tmp_path / "second.log")
        assert code == 0, log
        assert "restored [reflect-ci]" in log
        assert "installing" not in log
        assert len(sim.started) == 1


def circleci(tmp: Path, sim: Simulator, *, filled: bool) -> run.Job:
    """Run the orb's job with its default runner; filled: as if pip had installed it in this very job."""
    pre = [
        {"run": {"name": "pip", "command": f"mkdir -p ~/.cache && cp -R {tmp.parent}/installed ~/.cache/reflect-ci"}}
    ]
    body: dict[str, Any] = {"suites": "regression-tests", "api_url": sim.url, "pre-steps": pre if filled else []}
    config = {"orbs": {"reflect": "reflect-ci/reflect@0.1.0"}, "workflows": {"w": {"jobs": [{"reflect/run": body}]}}}
    variables = {name: text for name, text in WITHOUT_INDEX.items() if name != "REFLECT_RUNNER"}
    (job,) = run.Machine(tmp, variables).workflow(orb.workflows(config)["w"]).values()
    return job


def test_circleci(tmp_path: Path) -> None:
    """What one job installed is saved and restored in the next; getting it is a step of its own."""
    fill(tmp_path / "installed")
    with Simulator(SUITES) as sim:
        job = circleci(tmp_path / "1", sim, filled=False)
        assert job.failed == ("Get the Reflect runner", 5), job.log
        assert SENTENCE in job.log
        assert sim.calls == []
        # A job that could not install it has saved nothing.
        job = circleci(tmp_path / "2", sim, filled=False)
        assert job.status == "failed"
        job = circleci(tmp_path / "3", sim, filled=True)
        assert job.status == "success", job.log
        job = circleci(tmp_path / "4", sim, filled=False)
        assert job.status == "success", job.log
        assert "installing" not in job.log
        assert set(job.seconds) == {"Get the Reflect runner", "Run Reflect suites"}


def test_travis(tmp_path: Path) -> None:
    """The cached folder brings the runner back."""
    config = build.load(build.FOLDER / "samples" / "push.travis.yml")
    with Simulator(SUITES) as sim:
        known = {**WITHOUT_INDEX, "REFLECT_API_URL": sim.url}
        (job,) = build.Build(tmp_path / "1", sim, known).run(config)
        assert job.status == "failed"
        assert SENTENCE in job.log
        assert sim.calls == []
        fill(tmp_path / "travis-cache" / "reflect-ci")
        (job,) = build.Build(tmp_path / "2", sim, known).run(config)
        assert job.status == "passed", job.log
        assert "installing" not in job.log


def test_vendors_lines_are_green_whatever_happens(tmp_path: Path) -> None:
    """The vendor's line on Bitbucket (in quotes) and CircleCI is green with a wrong key, which is why there is this catalog."""
    curl = 'curl -X POST --data "{}" -H "x-api-key: wrong-key" %s/suites/regression-tests/executions'
    with Simulator(SUITES) as sim:
        pipeline = {"pipelines": {"default": [{"step": {"script": [curl % sim.url]}}]}}
        (tmp_path / "bitbucket").mkdir()
        clone = bbrun.repository(tmp_path / "bitbucket", yaml.safe_dump(pipeline))
        environ = bbrun.environ(tmp_path, {})
        command = bbrun.command(clone, "default")
        code, log = execute(command, Case(), sim, env=environ, cwd=clone, log=tmp_path / "bitbucket.log")
        assert code == 0, log
        steps = [{"run": {"name": "Regression Tests", "command": curl % sim.url}}]
        config = {
            "jobs": {"build": {"docker": [{"image": "cimg/base:2025.01"}], "steps": steps}},
            "workflows": {"w": {"jobs": ["build"]}},
        }
        (job,) = run.Machine(tmp_path / "circleci", {}).workflow(orb.workflows(config)["w"]).values()
        assert job.status == "success", job.log
        assert [call.status for call in sim.calls] == [403, 403]
        assert sim.started == []
