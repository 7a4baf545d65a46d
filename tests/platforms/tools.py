"""The validators that platform tests run: programs of .venv, without the machine's settings."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conformance.frame import path_with_runner


def tool(*words: str | Path) -> tuple[int, str]:
    """Run a tool of .venv; return its exit code and output."""
    done = subprocess.run(
        [str(word) for word in words],
        env={"PATH": path_with_runner(), "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
