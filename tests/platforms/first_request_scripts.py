"""The time to the first request on Bitbucket, CircleCI and Travis, beside the vendor's curl line on the same engine.

`./scripts/bench platforms` measures it. The vendor's lines are as documented, with the placeholders filled in, and in
quotes where Bitbucket refuses them without.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.bitbucket import bbrun
from tests.platforms.circleci import orb, run
from tests.platforms.first_request import first
from tests.platforms.travis import build

CURL = 'curl -X POST --data "{{}}" -H "x-api-key: {key}" {url}/suites/passes/executions'


def bitbucket(sim: Simulator, tmp: Path, curl: bool) -> float:
    """Return the seconds from the start of bb-run to the first request."""
    script = ['export REFLECT_SUITES="passes"', "sh ci/reflect-run.sh"]
    if curl:
        script = [CURL.format(key=KEY, url=sim.url)]
    pipeline = {"pipelines": {"default": [{"step": {"name": "Regression Tests", "script": script}}]}}
    clone = bbrun.repository(tmp, yaml.safe_dump(pipeline))
    known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", "REFLECT_API_KEY": KEY}
    command, environ = bbrun.command(clone, "default"), bbrun.environ(tmp, known)
    return first(lambda: execute(command, Case(), sim, env=environ, cwd=clone, log=tmp / "log"), sim)


def circleci(sim: Simulator, tmp: Path, curl: bool) -> float:
    """Return the seconds from the start of the workflow to the first request."""
    config: dict[str, Any] = {
        "orbs": {"reflect": "reflect-ci/reflect@0.1.0"},
        "workflows": {
            "w": {"jobs": [{"reflect/run": {"suites": "passes", "api_url": sim.url, "runner": "installed"}}]}
        },
    }
    if curl:
        steps = [{"run": {"name": "Regression Tests", "command": CURL.format(key=KEY, url=sim.url)}}]
        config = {
            "jobs": {"build": {"docker": [{"image": "cimg/base:2025.01"}], "steps": steps}},
            "workflows": {"w": {"jobs": ["build"]}},
        }
    jobs = orb.workflows(config)["w"]

    def play() -> tuple[int, str]:
        (job,) = run.Machine(tmp, {"REFLECT_API_KEY": KEY}).workflow(jobs).values()
        return int(job.status != "success"), job.log

    return first(play, sim)


def travis(sim: Simulator, tmp: Path, curl: bool) -> float:
    """Return the seconds from the start of the build to the first request."""
    config: dict[str, Any] = {"script": ['export REFLECT_SUITES="passes"', "sh ci/reflect-run.sh"]}
    if curl:
        config = {"script": "true", "deploy": {"provider": "script", "script": "true"}}
        config["after_deploy"] = [CURL.format(key=KEY, url=sim.url)]
    known = {"REFLECT_API_URL": sim.url, "REFLECT_RUNNER": "installed", "REFLECT_API_KEY": KEY}

    def play() -> tuple[int, str]:
        (job,) = build.Build(tmp, sim, known).run(config)
        return int(job.status != "passed"), job.log

    return first(play, sim)


ENGINES = {
    "Bitbucket (bb-run)": bitbucket,
    "CircleCI (own executor)": circleci,
    "Travis (own executor)": travis,
}
