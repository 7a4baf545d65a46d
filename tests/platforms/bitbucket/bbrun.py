"""Script steps of Bitbucket Pipelines run by bb-run on the machine itself, without a network."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conformance.frame import ROOT, path_with_runner

FOLDER = ROOT / "tasks" / "bitbucket"
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-c", "init.defaultBranch=main"]


def version() -> str:
    """Return the engine's name and version, as the matrix names it."""
    # Read from the pinned list, which is there before the tool is installed.
    pinned = re.search(r"(?m)^bb-run==(\S+)", (ROOT / "scripts" / "tools" / "any-python.txt").read_text())
    assert pinned
    return f"bb-run {pinned[1]} (host mode)"


def repository(scratch: Path, pipeline: str, files: Mapping[str, str] | None = None) -> Path:
    """Make a user's repository: this pipeline, the script in ci/, and other files; return its clone."""
    clone = scratch / "clone"
    (clone / "ci").mkdir(parents=True)
    shutil.copy(FOLDER / "reflect-run.sh", clone / "ci")
    for name, text in {"bitbucket-pipelines.yml": pipeline, ".gitignore": ".reflect-ci/\n", **(files or {})}.items():
        (clone / name).write_text(text)
    environ = {"PATH": path_with_runner(), "HOME": str(scratch), "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "first"]):
        subprocess.run([*GIT, *words], cwd=clone, env=environ, check=True, capture_output=True)
    return clone


def command(clone: Path, target: str, *options: str) -> Sequence[str | Path]:
    """Return bb-run's command line for one of the file's pipelines."""
    program = [sys.executable, "-m", "bbrun", "--mode", "host", "--color", "never"]
    return [*program, "--repo", clone, "--target", target, *options]


def environ(scratch: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return bb-run's environment, which its steps see; variables: those of the repository or deployment."""
    # Not above the clone: the engine keeps no cache of what is in the home folder.
    home = scratch / "home"
    home.mkdir(exist_ok=True)
    base = {"PATH": path_with_runner(), "HOME": str(home), "TMPDIR": str(scratch), "LANG": "C.UTF-8"}
    return {**base, "GIT_CONFIG_NOSYSTEM": "1", "PYTHONUNBUFFERED": "1", **variables}
