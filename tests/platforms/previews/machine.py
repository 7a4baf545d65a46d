"""What the executors of Coherence and webapp.io share: the environment of a job's commands, and how one is run and stopped."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conformance.frame import ROOT, path_with_runner


def environ(tmp: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Return a command's environment: the machine's own, then the platform's and the user's variables."""
    return {"PATH": path_with_runner(), "HOME": str(tmp), "TMPDIR": str(tmp), "LANG": "C.UTF-8", **variables}


def module(name: str, *arguments: str | Path) -> list[str | Path]:
    """Return the command line of one of the executors, named as `previews.coherence`."""
    # Not -m: the job's folder must not be searched for modules, and the repository has to be.
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import runpy; runpy.run_module('tests.platforms.{name}', run_name='__main__', alter_sys=False)"
    return [sys.executable, "-c", code, *arguments]


def repository(folder: Path, files: Mapping[str, str | Path]) -> Path:
    """Make a user's repository of texts and copied files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copy(content, path)
        else:
            path.write_text(content)
    return folder


class Commands:
    """Runs a job's commands one after the other; SIGTERM to this process stops the job: the running command gets it."""

    def __init__(self) -> None:
        self.running: subprocess.Popen[bytes] | None = None
        self.background: list[subprocess.Popen[bytes]] = []
        self.stopped = False
        signal.signal(signal.SIGTERM, self.stop)

    def stop(self, *_: object) -> None:
        """Stop the job."""
        self.stopped = True
        if self.running:
            os.killpg(self.running.pid, signal.SIGTERM)

    def run(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path, *, wait: bool = True) -> int:
        """Run a command; return its exit code as a shell gives it. wait False: leave it running, and return 0."""
        sys.stdout.flush()
        process = subprocess.Popen(argv, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, start_new_session=True)
        if not wait:
            self.background.append(process)
            return 0
        self.running = process
        if self.stopped:  # the signal came before there was a command
            self.stop()
        code = process.wait()
        self.running = None
        return 128 - code if code < 0 else code

    def end(self) -> None:
        """End what was left running."""
        for process in self.background:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
