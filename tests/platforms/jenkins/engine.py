"""One JVM with Jenkins' own Groovy and CPS transform, for many builds of the tests.

The engine is tests/platforms/jenkins/controller: what it runs is the real Jenkinsfile and the real library; the steps are
its own, after the documentation of Jenkins' plugins.
"""

from __future__ import annotations

import atexit
import itertools
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
LIBRARY = ROOT / "tasks" / "jenkins"
JARS = ROOT / "scripts" / "tools" / "jenkins" / "build" / "lib"
CONTROLLER = Path(__file__).parent / "controller"
NAME = "own executor of the documented steps, under Jenkins' Groovy 2.4.21 and CPS transform (groovy-cps 1.31)"
PATIENCE = 300.0


@dataclass
class Built:
    """A finished build. log: as Jenkins shows it; raw: before its masking; returned: the Jenkinsfile's last value."""

    result: str
    log: str
    raw: str
    returned: Any
    steps: list[dict[str, Any]]
    restarts: int

    def calls(self, step: str) -> list[dict[str, str]]:
        """Return the arguments of every call of this step."""
        return [call["arguments"] for call in self.steps if call["step"] == step]


@dataclass
class Job:
    """What a build is given. workspace: its folder; credentials: id to secret text; agent: the agent's environment."""

    jenkinsfile: str
    workspace: Path
    credentials: Mapping[str, str] = field(default_factory=dict)
    agent: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    library: Path = LIBRARY
    unix: bool = True
    plugins: Sequence[str] = ("junit",)
    # False: the signal of an abort reaches nothing, as in a docker agent whose image has no `ps`.
    signals: bool = True


class Engine:
    """The JVM, started when first needed and ended with the interpreter."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.numbers = itertools.count(1)
        self.answers: dict[int, dict[str, Any]] = {}
        self.changed = threading.Condition()
        self.errors: list[str] = []

    def build(self, job: Job) -> Built:
        """Run a build to its end."""
        return self.wait(self.start(job))

    def start(self, job: Job) -> int:
        """Start a build and return its number."""
        number = next(self.numbers)
        self._send(
            {
                "id": number,
                "jenkinsfile": job.jenkinsfile,
                "workspace": str(job.workspace),
                "credentials": dict(job.credentials),
                "agent": dict(job.agent),
                "environment": {
                    "JENKINS_URL": "http://jenkins.example.com/",
                    "JOB_NAME": "shop",
                    "BUILD_NUMBER": str(number),
                    "BUILD_URL": f"http://jenkins.example.com/job/shop/{number}/",
                    **job.environment,
                },
                "library": str(job.library),
                "pipeline": str(CONTROLLER / "pipeline"),
                "unix": job.unix,
                "plugins": list(job.plugins),
                "signals": job.signals,
            }
        )
        return number

    def abort(self, number: int) -> None:
        """Abort a build as the button in Jenkins does."""
        self._send({"abort": number})

    def wait(self, number: int) -> Built:
        """Wait for the build's end."""
        with self.changed:
            if not self.changed.wait_for(lambda: number in self.answers or self._dead(), timeout=PATIENCE):
                raise AssertionError(f"build {number} did not end within {PATIENCE} s")
            if number not in self.answers:
                raise AssertionError("the JVM ended:\n" + "".join(self.errors[-60:]))
            answer = self.answers.pop(number)
        answer.pop("id")
        return Built(**answer)

    def _dead(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _send(self, message: Mapping[str, Any]) -> None:
        with self.changed:
            process = self.process or self._launch()
            assert process.stdin is not None
            process.stdin.write(json.dumps(message) + "\n")
            process.stdin.flush()

    def _launch(self) -> subprocess.Popen[str]:
        jars = sorted(map(str, JARS.glob("*.jar")))
        assert jars, f"there are no jars in {JARS}: call ./scripts/setup"
        # Quick to start and small: a test run has several of these at once.
        options = ["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Dfile.encoding=UTF-8"]
        self.process = process = subprocess.Popen(
            [
                shutil.which("java") or "java",
                *options,
                "-cp",
                ":".join([*jars, str(CONTROLLER)]),
                "groovy.ui.GroovyMain",
                str(CONTROLLER / "Main.groovy"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": "/nonexistent"},
            encoding="utf-8",
        )
        atexit.register(process.kill)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        threading.Thread(target=self._read_errors, args=(process,), daemon=True).start()
        return process

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            answer = json.loads(line)
            with self.changed:
                self.answers[answer["id"]] = answer
                self.changed.notify_all()
        process.wait()
        with self.changed:
            self.changed.notify_all()

    def _read_errors(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            self.errors.append(line)


ENGINE_OF_THIS_PROCESS = Engine()


def agent_environment(home: Path, *first: Path) -> dict[str, str]:
    """Return an agent's whole environment, with the installed runner on its PATH."""
    folders = [*map(str, first), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return {"PATH": ":".join(folders), "HOME": str(home), "LANG": "C.UTF-8", "REFLECT_RUNNER": "installed"}


def groovy(value: object) -> str:
    """Return a Groovy literal of a Python value; text in single quotes, so that nothing in it is expanded."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "[" + (", ".join(f"{groovy(str(k))}: {groovy(v)}" for k, v in value.items()) or ":") + "]"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(groovy, value)) + "]"
    text = str(value).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{text}'"
