"""The frame of the conformance test: what a case is, what an adapter does, and what every scenario checks.

An adapter takes the very file that users copy, runs it on its platform's engine through the file's public inputs and
tells what a user of that platform would see.
"""

from __future__ import annotations

import abc
import contextlib
import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

from reflect_ci.exits import Exit
from reflect_ci.simulate import Simulator

ROOT = Path(__file__).resolve().parents[2]
# Looks like a real one (40 letters and digits) and is found nowhere else, so a leak cannot hide in ordinary text.
KEY = "K3yThatMustNotLeakAnywhere0123456789abcd"
REPORTS = ("junit.xml", "result.json", "summary.md", "report.html", "executions.json")
# A whole job on a slow, loaded machine; nothing waits that long when all is well.
PATIENCE = 180.0


@dataclass(frozen=True)
class Case:
    """What a job is given. inputs: kebab-case name to text; key None: the platform has no such secret.

    cancel_when "started": cancel the job as its platform does, once the service saw the start.
    """

    command: str = "run"
    inputs: Mapping[str, str] = field(default_factory=dict)
    key: str | None = KEY
    environ: Mapping[str, str] = field(default_factory=dict)
    cancel_when: str | None = None


@dataclass
class Seen:
    """What a user of the platform sees. exit_code: the runner's, None where the platform hides it.

    outputs: what the next step can read. reports: the folder of the reports, None where the adapter cannot reach it.
    """

    green: bool
    log: str
    exit_code: int | None = None
    outputs: dict[str, str] = field(default_factory=dict)
    reports: Path | None = None


class Adapter(abc.ABC):
    """One platform's file on that platform's engine.

    platform: the column of the matrix. engine: what ran it, with its version; "own executor of documented semantics"
    where no engine exists. needs_engine: needs a container engine. cannot: scenario id to the reason why that promise
    cannot be kept or observed there. placeholder: how a secret that does not exist stays in the text there.
    """

    platform: ClassVar[str]
    engine: ClassVar[str]
    needs_engine: ClassVar[bool] = False
    cannot: ClassVar[Mapping[str, str]] = {}
    placeholder: ClassVar[str] = "$REFLECT_API_KEY"

    @contextlib.contextmanager
    def service(self, tmp: Path) -> Iterator[Simulator]:  # noqa: ARG002  an adapter of a cluster keeps files there
        """Give the simulated service of one scenario; a cluster's adapter gives one that lives in the cluster."""
        with Simulator() as sim:
            yield sim

    @abc.abstractmethod
    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run the platform's file with the case against the service (input api-url = sim.url), in the folder tmp."""


def adapters() -> list[Adapter]:
    """Return every adapter of tests/conformance/adapters, in the order of their platforms' names."""
    package = importlib.import_module("tests.conformance.adapters")
    found: list[Adapter] = []
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found += getattr(module, "ADAPTERS", None) or [module.ADAPTER]
    names = [adapter.platform for adapter in found]
    if len(set(names)) != len(names):
        raise ValueError(f"two adapters have the same platform: {sorted(names)}")
    return sorted(found, key=lambda adapter: adapter.platform)


def path_with_runner(*first: Path) -> str:
    """Return a PATH on which the installed `reflect-ci` of this very interpreter comes before the system's tools."""
    folders = [*map(str, first), str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    return os.pathsep.join(folders)


def environ_of(case: Case, sim: Simulator, tmp: Path) -> dict[str, str]:
    """Return a complete, explicit environment that gives the case's inputs as REFLECT_* variables."""
    environ = {"PATH": path_with_runner(), "HOME": str(tmp), "TMPDIR": str(tmp), "LANG": "C.UTF-8"}
    environ["REFLECT_RUNNER"] = "installed"
    environ["REFLECT_API_URL"] = sim.url
    for name, value in case.inputs.items():
        environ["REFLECT_" + name.replace("-", "_").upper()] = value
    if case.key is not None:
        environ["REFLECT_API_KEY"] = case.key
    return {**environ, **case.environ}


def execute(
    argv: Sequence[str | Path],
    case: Case,
    sim: Simulator,
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    cancel: Callable[[subprocess.Popen[bytes]], object] | None = None,
) -> tuple[int, str]:
    """Run a program with an explicit environment and closed stdin; return its exit code and its whole output.

    When the case is to be cancelled, `cancel` is called once the service saw a start (default: SIGTERM to the program).
    A program that outlives PATIENCE is killed with all its children and fails the test.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        try:
            if case.cancel_when == "started":
                assert sim.wait_for(lambda service: bool(service.started), seconds=PATIENCE), (
                    f"nothing was started, so there was nothing to cancel:\n{log.read_text(errors='replace')}"
                )
                (cancel or subprocess.Popen.terminate)(process)
            code = process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {PATIENCE} s:\n{log.read_text(errors='replace')}") from None
        finally:
            # Whatever the program left behind must not outlive the test.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return code, log.read_text(errors="replace")


def texts_of(folder: Path) -> dict[str, str]:
    """Return the content of every file below a folder, by its path in there."""
    return {
        str(path.relative_to(folder)): path.read_text(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass
class Bench:
    """What a scenario works with: run jobs, then say how they must have ended.

    Everything that holds for every job is checked here: the key is in no log, output, report or address; reports are
    whole; nothing is left running (unless the scenario says so); no suite was started twice.
    """

    adapter: Adapter
    sim: Simulator
    tmp: Path
    jobs: int = 0

    def run(
        self,
        suites: str = "",
        *,
        command: str = "run",
        key: str | None = KEY,
        environ: Mapping[str, str] | None = None,
        cancel_when: str | None = None,
        **inputs: str,
    ) -> Seen:
        """Run one job. Inputs by their Python spelling (`on_timeout="leave"`)."""
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        if suites:
            given["suites"] = suites
        self.jobs += 1
        folder = self.tmp / f"job-{self.jobs}"
        folder.mkdir()
        seen = self.adapter.run(
            Case(command, given, key, environ or {}, cancel_when),
            self.sim,
            folder,
        )
        self.no_key(key, seen)
        if key != KEY:
            self.no_key(KEY, seen)
        return seen

    def no_key(self, key: str | None, seen: Seen) -> None:
        """Assert that the key is nowhere where somebody could read it."""
        if not key:
            return
        places = {"the log": seen.log, **{f"output {name}": text for name, text in seen.outputs.items()}}
        if seen.reports is not None and seen.reports.is_dir():
            places |= {f"report {name}": text for name, text in texts_of(seen.reports).items()}
        places |= {f"{call.method} {call.path.split('?')[0]}": call.path for call in self.sim.calls}
        leaks = [place for place, text in places.items() if key in text]
        assert not leaks, f"the key is in {', '.join(leaks)}"

    def ends(self, seen: Seen, exit_: Exit, *sentences: str) -> None:
        """Assert how the job ended: its colour, the runner's code where it can be seen, and what the log says."""
        green = exit_.code == 0
        assert seen.green == green, f"{'red' if green else 'green'}, but {exit_.word} was expected:\n{seen.log}"
        if seen.exit_code is not None:
            assert seen.exit_code == exit_.code, f"code {seen.exit_code}, not {exit_.code}:\n{seen.log}"
        for sentence in sentences:
            assert sentence.lower() in seen.log.lower(), f"the log does not say {sentence!r}:\n{seen.log}"
        assert "Traceback (most recent call last)" not in seen.log, seen.log

    def reported(self, seen: Seen, word: str, *names: str) -> None:
        """Assert that the reports are there and whole, and that result.json has this word (where they can be reached)."""
        if seen.reports is None:
            return
        for name in REPORTS:
            assert (seen.reports / name).is_file(), f"no {name} in {seen.reports}:\n{seen.log}"
        ElementTree.parse(seen.reports / "junit.xml")
        result = json.loads((seen.reports / "result.json").read_text())
        assert word in json.dumps(result), result
        for name in names:
            assert name in json.dumps(result), result

    def bodies(self) -> list[Mapping[str, object]]:
        """Return the bodies of the starts that created an execution."""
        return [started.body or {} for started in self.sim.started]

    def started(self, *suites: str) -> None:
        """Assert which suites were started, each as often as it is named: never two runs."""
        assert sorted(started.suite for started in self.sim.started) == sorted(suites)

    def followed(self, suite: str) -> None:
        """Assert that the verdict was asked for: a status of the suite's execution was answered."""
        ids = {started.id for started in self.sim.started if started.suite == suite}
        asked = {call.path for call in self.sim.calls if call.method == "GET" and call.status == 200}
        assert ids & {path.removeprefix(f"/suites/{suite}/executions/") for path in asked}, (
            f"nobody asked how {suite} ended; asked was {sorted(asked)}"
        )

    def not_called(self) -> None:
        """Assert that no request reached the service."""
        assert [f"{call.method} {call.path}" for call in self.sim.calls] == []

    def nothing_running(self) -> None:
        """Assert that no execution is left running on the service."""
        # A suite that ends by itself may have been left by a job that was told not to wait.
        if not self.sim.wait_for(lambda service: not service.running(), seconds=20):
            left = [f"{started.suite}/{started.id}" for started in self.sim.running()]
            raise AssertionError(f"left running on the service: {', '.join(left)}")

    def cancels(self) -> list[str]:
        """Return the paths of the requests that canceled an execution."""
        return [call.path for call in self.sim.calls if call.method == "PATCH"]
