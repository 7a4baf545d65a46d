"""Pipelines run by gitlab-ci-local (shell executor) without a network: the components come from this working tree."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from tests.conformance.frame import ROOT, path_with_runner

TOOL = ROOT / "scripts" / "tools" / "node_modules" / "gitlab-ci-local"
COMPONENT = "$CI_SERVER_FQDN/reflect-ci/catalog/reflect-{}@0.1.0"
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]


def version() -> str:
    """Return the engine's name and version, as the matrix names it."""
    # Read from the pinned list, which is there before the tool is installed.
    pinned = json.loads((ROOT / "scripts" / "tools" / "package.json").read_text())["dependencies"]
    return f"gitlab-ci-local {pinned['gitlab-ci-local']} (shell executor)"


def git(folder: Path, home: Path, *arguments: str) -> None:
    """Run git without the machine's settings."""
    environ = {"PATH": path_with_runner(), "HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run([*GIT, *arguments], cwd=folder, env=environ, check=True, capture_output=True)


def committed(folder: Path, home: Path, remote: str) -> Path:
    """Make a folder a repository with everything in it committed, and this address as its origin."""
    git(folder, home, "init", "--quiet")
    git(folder, home, "remote", "add", "origin", remote)
    git(folder, home, "add", "--all")
    git(folder, home, "commit", "--quiet", "--message", "first")
    return folder


def project(scratch: Path, pipeline: str, variables: Mapping[str, str]) -> Path:
    """Make a user's project with this pipeline, and the component project tagged 0.1.0 where its address leads to.

    variables: the CI/CD variables of the project, which is where a user keeps the key.
    """
    home = scratch / "home"
    (home / ".gitlab-ci-local").mkdir(parents=True)
    # The engine says GITLAB_CI=false, so that a job can tell it from GitLab; here it stands in for GitLab.
    known = {"GITLAB_CI": "true", **variables}
    (home / ".gitlab-ci-local" / "variables.yml").write_text(yaml.safe_dump({"global": known}))
    component = scratch / "component"
    shutil.copytree(ROOT / "tasks" / "gitlab", component)
    committed(component, home, "https://gitlab.com/reflect-ci/catalog.git")
    git(component, home, "tag", "0.1.0")
    (home / ".gitconfig").write_text(
        f'[url "file://{component}"]\n\tinsteadOf = https://gitlab.com:443/reflect-ci/catalog.git\n'
        "[user]\n\tname = test\n\temail = test@example.com\n[safe]\n\tdirectory = *\n"
    )
    shop = scratch / "shop"
    shop.mkdir()
    (shop / ".gitlab-ci.yml").write_text(pipeline)
    return committed(shop, home, "https://gitlab.com/acme/shop.git")


def command(options: Sequence[str] = ()) -> list[str]:
    """Return gitlab-ci-local's command line. Its colours would be in the log that the tests read."""
    return [
        "node",
        str(TOOL / "dist" / "index.js"),
        "--force-shell-executor",
        "--color=false",
        "--ignore-predefined-vars",
        "GITLAB_CI",
        *options,
    ]


def environ(scratch: Path) -> dict[str, str]:
    """Return the explicit environment of gitlab-ci-local; the jobs see it too."""
    return {
        "PATH": path_with_runner(),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
    }


def children(pid: int) -> Iterator[int]:
    """Yield the processes that this one started."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = path.read_text().rpartition(")")[2].split()[1]
        except (OSError, IndexError):  # it ended meanwhile
            continue
        if int(parent) == pid:
            yield int(path.parent.name)


def descendants(pid: int) -> Iterator[int]:
    """Yield the processes below one, parents first."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def signal_job(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """Signal every process of the job's script, as GitLab Runner does to a cancelled one.

    The engine's own shell around the script is left alone: the engine takes a killed one for a success.
    """
    shells = set(children(process.pid))
    for pid in [pid for pid in descendants(process.pid) if pid not in shells]:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
