"""How long after the job's start the first request is sent: ours beside the vendor's curl line, on the same engine.

`./scripts/bench platforms` measures it. The runner is installed already: how long pip takes is the network's.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute, path_with_runner
from tests.platforms.github import act
from tests.platforms.gitlab import local

# The vendor's snippets as they are documented, with the placeholders filled in.
GITHUB_CURL = """\
name: Merge-Tests
on: push
env:
  KEY_HEADER: "X-API-KEY: {key}"
  PAYLOAD: '{{ "gitHub": {{ "owner": "octo-org", "repo": "shop", "sha": "${{{{ github.sha }}}}" }} }}'
jobs:
  run-tests:
    runs-on: ubuntu-24.04
    steps:
      - name: Run Reflect tests
        run: curl -X POST -H "$KEY_HEADER" -d "$PAYLOAD" -s {url}/suites/passes/executions
"""
GITLAB_CURL = """\
regression_tests:
  stage: deploy
  script:
    - 'curl -X POST --data "{{}}" -H "x-api-key: {key}" {url}/suites/passes/executions'
"""


def github(sim: Simulator, tmp: Path, curl: bool) -> float:
    """Return the seconds from the start of act to the first request."""
    with_ = {"suites": "passes", "api-key": "${{ secrets.REFLECT_API_KEY }}", "api-url": sim.url, "runner": "installed"}
    step = {"uses": f"{act.CATALOG}/tasks/github/reflect-run@{act.pin()}", "with": with_}
    ours = act.dump({"on": "push", "jobs": {"e2e": {"runs-on": "ubuntu-24.04", "steps": [step]}}})
    repo = act.repository(tmp / "shop", {"e2e.yml": GITHUB_CURL.format(key=KEY, url=sim.url) if curl else ours})
    command = act.command(
        repo, tmp, options=["--secret-file", str(act.dotenv(tmp / "secrets", {"REFLECT_API_KEY": KEY}))]
    )
    return first(lambda: execute(command, Case(), sim, env=act.environ(tmp), cwd=repo, log=tmp / "log"), sim)


def gitlab(sim: Simulator, tmp: Path, curl: bool) -> float:
    """Return the seconds from the start of gitlab-ci-local to the first request."""
    inputs = {"suites": "passes", "api-url": sim.url, "runner": "installed"}
    # By `local:`, since fetching a component is GitLab's work before the job starts.
    ours = yaml.safe_dump({"include": [{"local": "/reflect-run.yml", "inputs": inputs}]})
    text = GITLAB_CURL.format(key=KEY, url=sim.url) if curl else ours
    shop = local.project(tmp, text, {"REFLECT_API_KEY": KEY})
    shutil.copy(ROOT / "tasks" / "gitlab" / "templates" / "reflect-run.yml", shop)
    local.git(shop, tmp / "home", "add", "--all")
    return first(lambda: execute(local.command(), Case(), sim, env=local.environ(tmp), cwd=shop, log=tmp / "log"), sim)


def first(job: Callable[[], tuple[int, str]], sim: Simulator) -> float:
    """Run a job; return the seconds until the first request arrived."""
    began = time.time()
    code, log = job()
    assert code == 0, log
    return sim.calls[0].at - began


ENGINES = {"GitHub (act)": github, "GitLab (gitlab-ci-local)": gitlab}


def bare() -> float:
    """Return the seconds that Python takes to start and to import `requests`: how busy the machine is."""
    began = time.time()
    subprocess.run(["python3", "-c", "import requests"], env={"PATH": path_with_runner()}, check=True)
    return time.time() - began


def measure(
    engine: Callable[[Simulator, Path, bool], float], rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds of the vendor's line, of ours and of a bare Python, in turns, so that a busy moment hits all."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    bares = []
    for _ in range(rounds):
        bares.append(bare())
        for curl in (True, False):
            folder = Path(tempfile.mkdtemp(prefix="first-request-"))
            try:
                with Simulator() as sim:
                    seconds[curl].append(engine(sim, folder, curl))
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    return seconds[True], seconds[False], bares
