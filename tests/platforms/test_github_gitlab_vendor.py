"""What the READMEs say of the vendor's snippets is so, on the same engines; and the READMEs' own snippets are valid."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Case, execute
from tests.platforms.first_request import GITHUB_CURL, GITLAB_CURL
from tests.platforms.github import act
from tests.platforms.gitlab import local
from tests.platforms.test_github_validators import actionlint

Run = Callable[[str, Simulator, Path], tuple[int, str]]


def github(text: str, sim: Simulator, tmp: Path) -> tuple[int, str]:
    """Run a workflow by act."""
    repo = act.repository(tmp / "shop", {"e2e.yml": text})
    return execute(act.command(repo, tmp), Case(), sim, env=act.environ(tmp), cwd=repo, log=tmp / "log")


def gitlab(text: str, sim: Simulator, tmp: Path) -> tuple[int, str]:
    """Run a pipeline by gitlab-ci-local."""
    shop = local.project(tmp, text, {})
    return execute(local.command(), Case(), sim, env=local.environ(tmp), cwd=shop, log=tmp / "log")


ENGINES = pytest.mark.parametrize(
    ("run", "snippet"), [(github, GITHUB_CURL), (gitlab, GITLAB_CURL)], ids=["github", "gitlab"]
)


@ENGINES
def test_vendors_snippet_is_green_on_a_wrong_key(run: Run, snippet: str, tmp_path: Path) -> None:
    """The vendor's line ends green although the service refused the key and started nothing."""
    with Simulator() as sim:
        code, log = run(snippet.format(key="wrong-key", url=sim.url), sim, tmp_path)
        assert code == 0, log
        assert [call.status for call in sim.calls] == [403]
        assert sim.started == []


@ENGINES
def test_vendors_snippet_is_green_before_the_tests_ran(run: Run, snippet: str, tmp_path: Path) -> None:
    """The vendor's line ends green while the tests still run."""
    with Simulator() as sim:
        code, log = run(snippet.format(key="some-key", url=sim.url).replace("/passes/", "/never-ends/"), sim, tmp_path)
        assert code == 0, log
        assert len(sim.running()) == 1


def test_vendors_snippet_sends_an_empty_commit_on_push(tmp_path: Path) -> None:
    """On a push there is no pull request, so the vendor's expression for the commit is empty."""
    text = GITHUB_CURL.replace("github.sha", "github.event.pull_request.head.sha")
    with Simulator() as sim:
        code, log = github(text.format(key="some-key", url=sim.url), sim, tmp_path)
        assert code == 0, log
        assert [(call.body or {}).get("gitHub", {}).get("sha") for call in sim.calls] == [""]


def snippets(platform: str) -> list[str]:
    """Return the YAML blocks of a platform's README."""
    text = (ROOT / "tasks" / platform / "README.md").read_text()
    return re.findall(r"(?ms)^ *```yaml\n(.*?)^ *```", text)


def test_snippets_of_the_github_readme(tmp_path: Path) -> None:
    """Every job in the README is valid as it stands."""
    jobs = [text for text in snippets("github") if text.startswith("jobs:")]
    assert len(jobs) >= 2
    for number, text in enumerate(jobs):
        folder = tmp_path / str(number)
        folder.mkdir()
        workflow = folder / "readme.yml"
        workflow.write_text(f"on: push\npermissions: {{}}\n{text}")
        code, output = actionlint(workflow, folder)
        assert code == 0, output


def test_snippets_of_the_gitlab_readme(tmp_path: Path) -> None:
    """The README's pipeline, with what it adds to the job, is valid and holds that job."""
    documents = [yaml.safe_load(text) for text in snippets("gitlab")]
    pipeline = {key: value for document in documents for key, value in document.items()}
    assert {"include", "reflect-run"} <= set(pipeline)
    shop = local.project(tmp_path, yaml.safe_dump(pipeline), {})
    with Simulator() as sim:
        code, log = execute(
            local.command(["--list"]), Case(), sim, env=local.environ(tmp_path), cwd=shop, log=tmp_path / "log"
        )
    assert code == 0, log
    assert re.search(r"(?m)^reflect-run\s", log), log
