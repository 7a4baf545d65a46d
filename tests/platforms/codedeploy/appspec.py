"""Executor of AppSpec files, by what CodeDeploy's documentation says of hooks: no engine of it can be had.

EC2 and on-premises: the agent runs an event's scripts one after another from the revision's folder, as programs, with a
few variables of its own; the first that fails (or outlives its timeout) fails the event. Lambda and ECS: an event names
one function.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

SERVER_EVENTS = ("ApplicationStop", "BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService")
LONGEST = 3600


@dataclass
class Script:
    """One script of a server's hook."""

    path: Path
    seconds: int


def read(path: Path) -> dict[str, Any]:
    """Return the AppSpec file's content."""
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    assert content["version"] == 0.0, "CodeDeploy knows version 0.0 only"
    return content


def functions(path: Path) -> list[tuple[str, str]]:
    """Return the hooks of a Lambda or ECS deployment: event and function, in the file's order."""
    return [pair for hook in read(path).get("Hooks", []) for pair in hook.items()]


def scripts(revision: Path, event: str) -> list[Script]:
    """Return the event's scripts of a server's revision."""
    (path,) = [*revision.glob("appspec.yml")]
    rows = read(path).get("hooks", {}).get(event, [])
    return [Script(revision / row["location"], int(row.get("timeout", LONGEST))) for row in rows]


def environment(event: str, group: str, base: Mapping[str, str]) -> dict[str, str]:
    """Return a hook's environment: the agent's own variables over the machine's."""
    return {
        **base,
        "APPLICATION_NAME": "Shop",
        "DEPLOYMENT_ID": "d-EXAMPLE11",
        "DEPLOYMENT_GROUP_NAME": group,
        "DEPLOYMENT_GROUP_ID": "00000000-0000-0000-0000-000000000000",
        "LIFECYCLE_EVENT": event,
    }


def run(revision: Path, event: str, group: str, base: Mapping[str, str], cwd: Path) -> tuple[bool, str]:
    """Run the event's scripts; return whether it succeeded, and what they printed."""
    printed = ""
    for script in scripts(revision, event):
        done = subprocess.run(
            [str(script.path)], cwd=cwd, env=environment(event, group, base), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=script.seconds,
        )  # fmt: skip
        printed += done.stdout
        if done.returncode:
            return False, printed
    return True, printed
