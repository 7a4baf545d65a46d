"""An executor of the documented part of a Codefresh pipeline: freestyle steps, step types and the hook on_finish.

    python -m tests.platforms.codefresh.executor PIPELINE BUILD

BUILD is a JSON file: {"volume": folder, "variables": of the pipeline, "image": null or an image, "lent": [folders]}.

As documented: `${{NAME}}` is expanded everywhere in a step, and stays as it is when there is no such variable; a
freestyle step has all variables in its environment, a step type and a hook only Codefresh's own (CF_…); commands are one script;
the shared volume is the working folder; NAME=value lines in its env_vars_to_export are variables of the steps after;
the build ends at the first step that fails, unless that has `fail_fast: false`; SIGTERM to this process terminates the
build: it reaches the first process of the running step alone, as in `docker stop`, and ten seconds later all are
killed. With an image the steps run in containers of it, whatever their own `image` says; without, on this machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from tests.conformance.frame import ROOT
from tests.platforms.codefresh.template import render

STEP_TYPE = ROOT / "tasks" / "codefresh" / "step.yaml"
GRACE = 10.0
STEP_KEYS = {
    "title", "stage", "image", "timeout", "environment", "commands", "working_directory", "fail_fast", "description",
    "type", "arguments", "when",
}  # fmt: skip


class Refused(Exception):
    """Codefresh would not run this."""


def expanded(value: Any, variables: Mapping[str, str]) -> Any:
    """Return a value with each ${{NAME}} in it replaced; one that is not known stays."""
    if isinstance(value, str):
        return re.sub(r"\$\{\{\s*(\w+)\s*\}\}", lambda match: variables.get(match[1], match[0]), value)
    if isinstance(value, list):
        return [expanded(item, variables) for item in value]
    return {key: expanded(item, variables) for key, item in value.items()} if isinstance(value, dict) else value


def steps_of_type(step: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the freestyle steps that a step of our type becomes; Refused when its arguments break the schema."""
    document = yaml.safe_load(STEP_TYPE.read_text())
    name, _, version = str(step["type"]).partition(":")
    if name != document["metadata"]["name"] or version not in ("", document["metadata"]["version"]):
        raise Refused(f"no such step type: {step['type']}")
    arguments = step.get("arguments") or {}
    try:
        jsonschema.Draft7Validator(json.loads(document["spec"]["arguments"])).validate(arguments)
    except jsonschema.ValidationError as error:
        raise Refused(f"arguments of {name}: {'/'.join(map(str, error.path))}: {error.message}") from None
    yield from yaml.safe_load(render(document["spec"]["stepsTemplate"], arguments)).values()


class Build:
    """One build: its variables, its volume, and the step that runs."""

    def __init__(self, volume: Path, variables: Mapping[str, str], image: str | None, lent: list[str]) -> None:
        self.volume, self.image, self.lent = volume, image, lent
        self.inside = "/codefresh/volume" if image else str(volume)
        self.variables = {**variables, "CF_VOLUME_PATH": self.inside}
        self.process: subprocess.Popen[bytes] | None = None
        self.container = ""
        self.terminated = False
        self.number = 0
        self.hook = False
        self.tools = volume.parent / "codefresh-tools"
        self.tools.mkdir(exist_ok=True)
        (self.tools / "cf_export").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>"$CF_VOLUME_PATH/env_vars_to_export"\n')
        (self.tools / "cf_export").chmod(0o755)
        signal.signal(signal.SIGTERM, self.terminate)

    def terminate(self, *_: object) -> None:
        """Terminate the build."""
        self.terminated = True
        if self.process is None:
            return
        if self.container:
            subprocess.Popen(["docker", "stop", "--time", str(int(GRACE)), self.container], stdout=subprocess.DEVNULL)
            return
        self.process.terminate()
        killer = threading.Timer(GRACE, self.kill, [self.process])
        killer.daemon = True
        killer.start()

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a step with all its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    def steps(self, steps: Mapping[str, Any]) -> bool:
        """Run steps in their order; say whether the build is still green."""
        green = True
        for name, step in steps.items():
            if self.terminated:
                return False
            print(f"== {step.get('title', name)}", flush=True)
            if self.step(expanded(step, self.variables)) != 0:
                print(f"== {name} failed", flush=True)
                green = False
                if step.get("fail_fast", True):
                    return False
        return green

    def step(self, step: Mapping[str, Any]) -> int:
        """Run one step; return the exit code of the one that failed, else 0."""
        if unknown := set(step) - STEP_KEYS:
            raise Refused(f"not known in a step: {', '.join(sorted(unknown))}")
        system = {name: value for name, value in self.variables.items() if name.startswith("CF_")}
        if "type" not in step:
            return self.freestyle(step, system if self.hook else self.variables)
        for inner in steps_of_type(step):
            if code := self.freestyle(expanded(inner, self.variables), system):
                return code
        return 0

    def freestyle(self, step: Mapping[str, Any], variables: Mapping[str, str]) -> int:
        """Run a freestyle step's commands."""
        environment = {
            name: value for name, _, value in (entry.partition("=") for entry in step.get("environment") or [])
        }
        variables = {**variables, **environment}
        script = "\n".join(step["commands"])
        self.number += 1
        self.container = f"codefresh-{os.getpid()}-{self.number}" if self.image else ""
        base = {
            name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG", "DOCKER_HOST") if name in os.environ
        }
        base["PATH"] = f"{self.tools}{os.pathsep}{base['PATH']}"
        command = self.docker(variables) if self.image else ["/bin/sh", "-c"]
        self.process = subprocess.Popen(
            [*command, script],
            env={**base, **variables}, cwd=self.volume, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        code = self.process.wait()
        # What a killed container's processes do next, they do no more.
        self.kill(self.process)
        self.process, self.container = None, ""
        self.export()
        return code

    def docker(self, variables: Mapping[str, str]) -> list[str]:
        """Return the command line that runs a step in a container; values are in the environment, not on it."""
        words = ["docker", "run", "--rm", "--name", self.container, "--network", "host", "--workdir", self.inside]
        # The image may have another signal than the usual one (that of a cluster's node has systemd's).
        words += ["--stop-signal", "SIGTERM", "--volume", f"{self.volume}:{self.inside}"]
        words += [word for path in (*self.lent, str(self.tools)) for word in ("--volume", f"{path}:{path}:ro")]
        words += [word for name in (*variables, "PATH") for word in ("--env", name)]
        return [*words, "--entrypoint", "/bin/sh", str(self.image), "-c"]

    def export(self) -> None:
        """Take over the variables that the step exported."""
        path = self.volume / "env_vars_to_export"
        if path.is_file():
            self.variables.update(dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line))


def main(pipeline: Path, settings: Path) -> int:
    """Run a pipeline: 0 when the build is green."""
    given = json.loads(settings.read_text())
    build = Build(Path(given["volume"]), given["variables"], given.get("image"), given.get("lent", []))
    document = yaml.safe_load(pipeline.read_text())
    try:
        green = build.steps(document["steps"])
        hook = (document.get("hooks") or {}).get("on_finish")
        if hook:
            build.terminated, terminated, build.hook = False, build.terminated, True
            build.steps(hook["exec"]["steps"] if "steps" in hook["exec"] else {"on_finish": hook["exec"]})
            green = green and not terminated
    except (Refused, ValueError) as error:
        print(f"Codefresh: {error}")
        return 1
    (build.volume / "variables.json").write_text(json.dumps(build.variables))
    return 0 if green and not build.terminated else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
