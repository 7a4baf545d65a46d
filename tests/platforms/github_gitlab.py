"""What the tests of the places where the runner comes from share."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import reflect_ci
from tests.conformance.frame import path_with_runner

PACKAGE = Path(reflect_ci.__file__).parent
# What the runner depends on, with what that depends on.
DEPENDENCIES = ("requests", "urllib3", "idna", "certifi", "charset_normalizer")


def fill(folder: Path) -> None:
    """Keep in a cache what pip would have installed, under the name that the bootstrap gives it."""
    script = 'printf "%s %s" "reflect-ci==0.1.0" "$(python3 -V)" | cksum | cut -d " " -f 1'
    environ = {"PATH": path_with_runner()}
    name = subprocess.run(["sh", "-c", script], env=environ, capture_output=True, text=True, check=True).stdout.strip()
    lib = folder / f"pip-{name}"
    shutil.copytree(PACKAGE, lib / "reflect_ci", ignore=shutil.ignore_patterns("__pycache__"))
    for module in DEPENDENCIES:
        spec = importlib.util.find_spec(module)
        assert spec, sys.path
        assert spec.origin, module
        shutil.copytree(Path(spec.origin).parent, lib / module)
