"""Puts the Jenkins library together: a folder that is a library's repository as it stands, with the runner's file in it.

Jenkins refuses a library with a symbolic link in it, so one in the sources is an error here.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tasks" / "jenkins"
# What Jenkins reads of a library, and where the library looks for the runner.
FOLDERS = ("vars", "src", "resources")
RUNNER = Path("resources", "reflectci", "reflect-ci.pyz")


class BuildError(Exception):
    """The library could not be built; the text says why."""


def build(runner: Path, target: Path, source: Path = SOURCE) -> Path:
    """Make the folder target anew; return it."""
    if not zipfile.is_zipfile(runner):
        raise BuildError(
            f"{runner} is not the runner's file: build it with ./scripts/build-pyz, or name it with --runner"
        )
    links = [path for folder in FOLDERS for path in (source / folder).rglob("*") if path.is_symlink()]
    if links:
        raise BuildError(f"Jenkins refuses symbolic links in a library: {', '.join(map(str, links))}")
    if target.exists():
        if any(target.iterdir()) and not (target / RUNNER).is_file():
            raise BuildError(f"{target} holds something else: name another --output")
        for folder in FOLDERS:
            shutil.rmtree(target / folder, ignore_errors=True)
    for folder in FOLDERS:
        shutil.copytree(source / folder, target / folder)
    shutil.copy(runner, target / RUNNER)
    # Jenkins does not read these; the README points to them.
    for folder in ("samples", "casc"):
        shutil.copytree(source / folder, target / folder, dirs_exist_ok=True)
    shutil.copy(source / "README.md", target / "README.md")
    shutil.copy(ROOT / "LICENSE", target / "LICENSE")
    return target


def main(arguments: Sequence[str]) -> int:
    """Build the library; print its folder and the runner's sha256."""
    parser = argparse.ArgumentParser(prog="build-jenkins-library", description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--runner",
        type=Path,
        default=ROOT / "dist" / "reflect-ci.pyz",
        help="the runner's self-contained file (default: dist/reflect-ci.pyz)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "dist" / "jenkins-library",
        help="the folder to make (default: dist/jenkins-library); a clone of the library's repository keeps its .git",
    )
    args = parser.parse_args(arguments)
    try:
        made = build(args.runner, args.output)
    except BuildError as error:
        print(f"build-jenkins-library: {error}", file=sys.stderr)
        return 1
    print(f"{made}\nrunner sha256: {hashlib.sha256((made / RUNNER).read_bytes()).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
