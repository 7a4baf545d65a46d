"""The pipe as Bitbucket runs it: its image on the container engine, the clone mounted, the variables as environment."""

from __future__ import annotations

import functools
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deliver import image as runner_image
from tests.conformance.frame import ROOT

FOLDER = ROOT / "tasks" / "bitbucket" / "pipe"
CLONE_DIR = "/opt/atlassian/pipelines/agent/build"


def environ(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of the docker command, which also hands the variables on."""
    own = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST") if name in os.environ}
    return {"HOME": "/nonexistent", **own, "DOCKER_BUILDKIT": "0", **(variables or {})}


def docker(*words: str | Path) -> str:
    """Run docker; return what it prints."""
    done = subprocess.run(
        ["docker", *map(str, words)],
        env=environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def image() -> str:
    """Build the pipe's image on the runner's, once a process; return its id."""
    subprocess.run([ROOT / "scripts" / "engine"], env=environ(), stdin=subprocess.DEVNULL, check=True)
    built = runner_image.build()
    docker("load", "--quiet", "--input", built.archive)
    name = f"reflect-run-pipe:{built.names[1].partition(':')[2]}"
    # By its id, which no other process can give to something else meanwhile.
    words: list[str | Path] = ["build", "--quiet", "--tag", name, "--build-arg", f"BASE={built.names[1]}", FOLDER]
    return docker(*words).strip().splitlines()[-1]


def step_variables() -> dict[str, str]:
    """Return the variables that Bitbucket gives every pipe."""
    return {
        "BITBUCKET_BUILD_NUMBER": "7",
        "BITBUCKET_CLONE_DIR": CLONE_DIR,
        "BITBUCKET_COMMIT": "0123456789abcdef0123456789abcdef01234567",
        "BITBUCKET_REPO_FULL_NAME": "acme/shop",
        "BITBUCKET_PIPE_STORAGE_DIR": f"{CLONE_DIR}/.bitbucket/pipelines/generated/pipeline/pipes",
        "BITBUCKET_BRANCH": "main",
        "CI": "true",
    }


def command(name: str, clone: Path, variables: Mapping[str, str], *options: str) -> Sequence[str | Path]:
    """Return the command line that runs an image as a pipe; values are in docker's environment, not on it."""
    mount = ["--volume", f"{clone}:{CLONE_DIR}", "--workdir", CLONE_DIR, "--network", "host"]
    names = [word for variable in variables for word in ("--env", variable)]
    return ["docker", "run", "--rm", *mount, *names, *options, name]


def expanded(variables: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Return a step's `variables:` as the pipe gets them: lists numbered, $NAME and ${NAME} replaced.

    A variable that is not known stays as it is written.
    """

    def text(value: Any) -> str:
        return re.sub(r"\$\{?(\w+)\}?", lambda match: known.get(match[1], match[0]), str(value))

    result: dict[str, str] = {}
    for name, value in variables.items():
        if isinstance(value, list):
            result[f"{name}_COUNT"] = str(len(value))
            result |= {f"{name}_{index}": text(element) for index, element in enumerate(value)}
        else:
            result[name] = text(value)
    return result
