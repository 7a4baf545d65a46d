"""How the GitLab components get the runner: in a section of the log, and from GitLab's cache the second time."""

from __future__ import annotations

import shutil
import zipapp
from pathlib import Path

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Case, execute
from tests.platforms.github_gitlab import PACKAGE, fill
from tests.platforms.gitlab import local
from tests.platforms.test_gitlab_samples import SAMPLES, SUITES, pipeline

# A job in a folder of its own, which is when the engine keeps and brings back caches.
ISOLATED = "--shell-isolation"
PUSH = (SAMPLES / "push.gitlab-ci.yml").read_text()


def test_self_contained_file(tmp_path: Path) -> None:
    """A path to the self-contained file is enough; getting it is a section of the log, with its time."""
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source / "reflect_ci", ignore=shutil.ignore_patterns("__pycache__"))
    zipapp.create_archive(source, tmp_path / "reflect-ci.pyz", main="reflect_ci.cli:entry")
    with Simulator({"suites": SUITES}) as sim:
        ran = pipeline(PUSH, sim, tmp_path, cancel=None, REFLECT_RUNNER="../reflect-ci.pyz")
        assert ran.green, ran.log
        assert len(sim.started) == 1
    assert "reflect_runner took" in ran.log


def test_cache(tmp_path: Path) -> None:
    """Without an index the job is red before anything is called; with the runner in GitLab's cache it installs nothing."""
    with Simulator({"suites": SUITES}) as sim:
        ran = pipeline(PUSH, sim, tmp_path, ISOLATED, cancel=None, REFLECT_RUNNER="reflect-ci==0.1.0", PIP_NO_INDEX="1")
        assert not ran.green
        assert "pip could not install reflect-ci==0.1.0" in ran.log
        assert sim.calls == []
        (job,) = [job for name, job in yaml.safe_load(preview(ran.shop, tmp_path)).items() if name == "reflect-run"]
        (cache,) = job["cache"] if isinstance(job["cache"], list) else [job["cache"]]
        assert cache["paths"] == [".reflect-ci/"]
        fill(ran.shop / ".gitlab-ci-local" / "cache" / cache["key"] / ".reflect-ci")
        code, log = execute(
            local.command([ISOLATED]),
            Case(),
            sim,
            env=local.environ(tmp_path),
            cwd=ran.shop,
            log=tmp_path / "second.log",
        )
        assert code == 0, log
        assert "installing" not in log
        assert len(sim.started) == 1


def preview(shop: Path, scratch: Path) -> str:
    """Return the pipeline as GitLab sees it after all includes."""
    with Simulator() as unused:
        code, log = execute(
            local.command(["--preview"]),
            Case(),
            unused,
            env=local.environ(scratch),
            cwd=shop,
            log=scratch / "preview.log",
        )
    assert code == 0, log
    return log[log.index("---") :]


@pytest.mark.parametrize("name", ["run", "wait", "cancel"])
def test_bootstrap_is_whole(name: str) -> None:
    """The bootstrap that a component writes down ends where its text ends, whatever a later version of it holds."""
    text = (ROOT / "tasks" / "gitlab" / "templates" / f"reflect-{name}.yml").read_text()
    assert text.count("END_OF_BOOTSTRAP") == 2
