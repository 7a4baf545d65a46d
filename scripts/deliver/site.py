"""What of the runner goes into an image: the wheel's content, `requests` and what that needs, and the command."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = "opt/reflect-ci"
COMMAND = "usr/local/bin/reflect-ci"

# -I: no variable or folder of the user's changes which code runs; -u: each line of output leaves at once.
LAUNCHER = f"""#!/usr/bin/python3 -Iu
import sys

sys.path.insert(0, "/{HOME}")
from reflect_ci.cli import entry

sys.exit(entry())
"""


def version() -> str:
    """Read the runner's version."""
    text = (ROOT / "scripts/reflect_ci/__init__.py").read_text()
    match = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    assert match, "reflect_ci has no version"
    return match[1]


def requirements() -> list[Distribution]:
    """Find `requests` and everything that it needs among what is installed here."""
    found: dict[str, Distribution] = {}
    wanted = ["requests"]
    while wanted:
        name = wanted.pop()
        if name not in found:
            found[name] = distribution(name)
            wanted += [re.split(r"[^\w.-]", need)[0] for need in found[name].requires or [] if "extra ==" not in need]
    return [found[name] for name in sorted(found)]


def lay_out(target: Path) -> None:
    """Write the runner's files below a folder, as they shall be below / of the image."""
    site = target / HOME
    site.mkdir(parents=True)
    _unpack_wheel(site)
    for needed in requirements():
        for file in needed.files or []:
            # Compiled helpers are of this machine's Python; every one of them has a pure form beside it.
            if ".." in file.parts or "__pycache__" in file.parts or file.suffix in {".so", ".pyd", ".pyi"}:
                continue
            if file.parts[0].endswith(".dist-info") and file.name not in {"METADATA", "WHEEL"}:
                continue
            copy = site / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(str(needed.locate_file(file)), copy)
    command = target / COMMAND
    command.parent.mkdir(parents=True)
    command.write_text(LAUNCHER)
    command.chmod(0o755)


def _unpack_wheel(site: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
            cwd=ROOT,
            env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"the wheel could not be built:\n{done.stdout}{done.stderr}")
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            wheel.extractall(site, [name for name in wheel.namelist() if "__pycache__" not in name])
