"""How much memory the containers of a command take at most, read from the kernel's control groups."""

from __future__ import annotations

import threading
from pathlib import Path

PROC = Path("/proc")
INTERVAL = 0.1


class Peaks:
    """Samples the containers of all processes whose command line has some words, until it is left.

    What counts is the working set, as Kubernetes counts it: what the control group uses without inactive file pages.
    """

    def __init__(self, *words: str):
        self._words = [word.encode() for word in words]
        self._groups: dict[str, Path | None] = {}
        self._peaks: dict[Path, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def all(self) -> list[int]:
        """Give the peak of each container in bytes, the greatest first."""
        return sorted(self._peaks.values(), reverse=True)

    def _sample(self) -> None:
        while not self._stop.wait(INTERVAL):
            for folder in PROC.glob("[0-9]*"):
                if folder.name not in self._groups:
                    self._look_at(folder)
            for name, group in list(self._groups.items()):
                used = working_set(group) if group else None
                if used is None:
                    if not (PROC / name).exists():
                        del self._groups[name]  # the number may be given to another process
                elif group:
                    self._peaks[group] = max(self._peaks.get(group, 0), used)

    def _look_at(self, folder: Path) -> None:
        try:
            command = (folder / "cmdline").read_bytes()
            if all(word in command.split(b"\0") for word in self._words):
                self._groups[folder.name] = memory_group((folder / "cgroup").read_text())
        except OSError:
            return


def memory_group(text: str) -> Path | None:
    """Find the control group's folder from /proc/PID/cgroup, of either version."""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return Path("/sys/fs/cgroup/memory" + path)
        if controllers == "" and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            return Path("/sys/fs/cgroup" + path)
    return None


def working_set(group: Path) -> int | None:
    """Read what a control group uses now, without file pages that nobody needs; None when it is gone."""
    for usage, inactive in (("memory.usage_in_bytes", "total_inactive_file"), ("memory.current", "inactive_file")):
        try:
            used = int((group / usage).read_text())
            statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        except OSError:
            continue
        return used - int(statistics.get(inactive, 0))
    return None
