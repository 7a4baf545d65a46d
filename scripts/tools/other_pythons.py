"""Run the unit tests with the oldest and the newest Python (3.9 or later) that the machine has.

`--list` prints every one that was found: on the PATH, of pyenv, and those named in REFLECT_PYTHONS (separated by `:`).
Each gets a virtual environment in .cache/pythons, kept between runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OLDEST = (3, 9)
# pytest 9 needs Python 3.10; pyyaml and jsonschema are what the unit tests import besides.
TOOLS = (
    "pytest>=8.4,<10",
    "pytest-xdist>=3.6,<4",
    "pyyaml>=6,<7",
    "pyte>=0.8,<1",
    "jsonschema>=4.23,<5",
    "lxml>=5,<7",
    "cryptography>=43",
    "markdown-it-py>=3,<5",
    "requests>=2.28",
)
ASK = "import sys; print(*sys.version_info[:2], sys.version_info.releaselevel, sys.executable)"


def version(python: str) -> tuple[int, int] | None:
    """Return a Python's version, None when it does not run, is too old, no release, or cannot make a venv."""
    try:
        answer = subprocess.run(
            [python, "-I", "-c", ASK + "; import venv, ensurepip"], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode:
        return None
    major, minor, level = answer.stdout.split()[:3]
    found = int(major), int(minor)
    return found if found >= OLDEST and level == "final" else None


def pythons() -> dict[tuple[int, int], str]:
    """Return the Pythons of the machine, by version; the first that is found of each."""
    names = [name for name in os.environ.get("REFLECT_PYTHONS", "").split(os.pathsep) if name]
    names += [path for minor in range(9, 30) if (path := shutil.which(f"python3.{minor}"))]
    names += ["/usr/bin/python3", sys.executable]
    homes = {os.environ.get("PYENV_ROOT", ""), str(Path("~/.pyenv").expanduser())} - {""}
    names += sorted(path for home in homes for path in map(str, Path(home).glob("versions/*/bin/python3")))
    found: dict[tuple[int, int], str] = {}
    for name in names:
        if got := version(name):
            found.setdefault(got, name)
    return dict(sorted(found.items()))


def environment(python: str, number: str) -> Path:
    """Return the Python of a virtual environment with the tools and this package."""
    home = ROOT / ".cache" / "pythons" / number
    inside = home / "bin" / "python"
    stamp = home / "stamp"
    want = f"editable in {ROOT}, {python}, {' '.join(TOOLS)}"
    if not stamp.is_file() or stamp.read_text() != want or subprocess.run([inside, "-c", "import pytest"]).returncode:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([python, "-m", "venv", home], check=True)
        subprocess.run([inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS], check=True)
        subprocess.run(
            [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-e", ROOT],
            check=True,
        )
        stamp.write_text(want)
    return inside


def main() -> int:
    """Run the tests; 1 when one of the Pythons fails them."""
    found = pythons()
    if "--list" in sys.argv[1:]:
        for numbers, path in found.items():
            print(f"{'.'.join(map(str, numbers))} {path}")
        return 0
    chosen = sorted({min(found), max(found)})
    failed = []
    for numbers in chosen:
        number = ".".join(map(str, numbers))
        print(f"-- Python {number}: {found[numbers]}", flush=True)
        inside = environment(found[numbers], number)
        done = subprocess.run(
            [inside, "-m", "pytest", "-q", "-n", "4", "-o", f"cache_dir={ROOT}/.cache/pytest-{number}", "tests/unit"],
            cwd=ROOT,
        )
        if done.returncode:
            failed.append(number)
    print(
        f"Python {', '.join('.'.join(map(str, n)) for n in chosen)}: {'failed: ' + ', '.join(failed) if failed else 'passed'}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
