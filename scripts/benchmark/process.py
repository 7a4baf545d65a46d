"""Run a command and tell how long it took and how much memory it needed."""

from __future__ import annotations

import contextlib
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
RUNNER = str(BIN / "reflect-ci")
PYTHON = str(BIN / "python")


@dataclass
class Took:
    """seconds of wall time, peak resident memory in MB, exit code, end in epoch seconds."""

    seconds: float
    megabytes: float
    code: int
    ended: float
    connections: int = 0


def environment(url: str, reports: Path) -> dict[str, str]:
    """Return the variables of a call, and nothing of this shell that could change it."""
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(reports.parent),
        "REFLECT_API_KEY": "a-key-of-the-benchmark",
        "REFLECT_API_URL": url,
        "REFLECT_REPORT_DIR": str(reports),
    }


def run(argv: Sequence[str], environ: Mapping[str, str], sockets: bool = False) -> Took:
    """Run to the end; wait4 tells this child's own peak memory. sockets: also count its open ones, ten times a second."""
    begun = time.time()
    process = subprocess.Popen(
        argv, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    )
    assert process.stdout
    most = [0]
    if sockets:
        threading.Thread(target=_count, args=(process.pid, most), daemon=True).start()
    while process.stdout.read(65536):
        pass
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    ended = time.time()
    return Took(ended - begun, _megabytes(usage), process.returncode, ended, most[0])


def _count(pid: int, most: list[int]) -> None:
    folder = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        while True:
            links = [str(each.readlink()) for each in folder.iterdir()]
            most[0] = max(most[0], sum(link.startswith("socket:") for link in links))
            time.sleep(0.1)


def _megabytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / 1024 if sys.platform.startswith("linux") else usage.ru_maxrss / 1024**2


def median(measure: Callable[[], float], times: int) -> float:
    """Return the median of so many measurements."""
    return statistics.median(measure() for _ in range(times))
