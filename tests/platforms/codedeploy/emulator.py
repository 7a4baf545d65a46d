"""Lambda's runtime interface emulator with Lambda's runtime for Python in it, as processes: the package runs as it is shipped."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deliver.codedeploy import build

PATIENCE = 120.0


def version() -> str:
    """Return what runs the functions."""
    runtime, sam = (importlib.metadata.version(name) for name in ("awslambdaric", "aws-sam-cli"))
    return f"awslambdaric {runtime} in the runtime interface emulator of aws-sam-cli {sam}"


@functools.cache
def program() -> Path:
    """Return the emulator's program; pip unpacks it without the right to run it."""
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    spec = importlib.metadata.distribution("aws-sam-cli").locate_file(f"samcli/local/rapid/aws-lambda-rie-{machine}")
    path = Path(str(spec))
    with contextlib.suppress(PermissionError):
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


_unpacked: list[Path] = []


def unpacked(tmp: Path) -> Path:
    """Build the package, once a process, and unpack it, as Lambda does into /var/task; return that folder.

    It is in the folder of the first test that asks, which pytest keeps longer than the run.
    """
    if not _unpacked or not _unpacked[-1].is_dir():
        home = tmp / "package"
        archive = build(home / "built")
        with zipfile.ZipFile(archive) as package:
            package.extractall(home / "task")
        _unpacked.append(home / "task")
    return _unpacked[-1]


def free_ports(number: int) -> list[int]:
    """Return ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in taken:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in taken]


class Function:
    """One function in one sandbox: the first call is a cold start, later ones are warm."""

    def __init__(self, url: str, log: Path, process: subprocess.Popen[bytes]):
        self.url = url
        self.process = process
        self._log = log

    @property
    def log(self) -> str:
        """What was printed so far."""
        return self._log.read_text(errors="replace")

    def call(self, event: Mapping[str, Any]) -> Any:
        """Call it and return its answer (of a crash, Lambda's record of the error)."""
        request = urllib.request.Request(self.url, json.dumps(event).encode())
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read() or b"null")


@contextlib.contextmanager
def function(handler: str, environ: Mapping[str, str], tmp: Path, seconds: int = 300) -> Iterator[Function]:
    """Give a function that Lambda would end after these seconds."""
    for attempt in range(5):
        log = tmp / f"lambda-{handler}-{time.monotonic_ns()}.log"
        process, url = _start(handler, environ, tmp, seconds, log)
        if process.poll() is None:
            break
        assert attempt < 4, log.read_text(errors="replace")  # somebody else took a port meanwhile
    try:
        yield Function(url, log, process)
    finally:
        # The runtime has a process group of its own, and would outlive the emulator.
        for pid in (*_children(process.pid), process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        process.wait()


def _children(pid: int) -> list[int]:
    """Return the processes whose parent this is."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def _start(
    handler: str, environ: Mapping[str, str], tmp: Path, seconds: int, log: Path
) -> tuple[subprocess.Popen[bytes], str]:
    api, front = free_ports(2)
    task = unpacked(tmp)
    command = [
        program(), "--runtime-interface-emulator-address", f"127.0.0.1:{front}",
        "--runtime-api-address", f"127.0.0.1:{api}", sys.executable, "-m", "awslambdaric", handler,
    ]  # fmt: skip
    full = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp),
        "TMPDIR": str(tmp),
        "LANG": "C.UTF-8",
        "LAMBDA_TASK_ROOT": str(task),
        "PYTHONPATH": str(task),  # before the tests' own packages
        "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(seconds),
        "AWS_LAMBDA_FUNCTION_NAME": "CodeDeployHook_reflect",
        **environ,
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=task, env=full, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", front), 1):
            break
        time.sleep(0.01)
    return process, f"http://127.0.0.1:{front}/2015-03-31/functions/function/invocations"
