"""Builds the Azure DevOps extension: the task with its library and the runner packed in, made into a .vsix by tfx-cli.

tfx-cli takes a broken task.json for a mere warning, so any warning of it is a failure here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from deliver import pyz

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "tasks" / "azure-devops" / "extension"
MODULES = ROOT / "scripts" / "tools" / "node_modules"
LIBRARY = "azure-pipelines-task-lib"


class BuildError(Exception):
    """The extension could not be built; the text says why."""


def closure(name: str, modules: Path, seen: dict[str, Path] | None = None) -> dict[str, Path]:
    """Return the folders of an npm package and of all that it depends on, from a flat node_modules."""
    seen = {} if seen is None else seen
    folder = modules / name
    if name in seen:
        return seen
    if not (folder / "package.json").is_file():
        raise BuildError(f"{folder} is missing: run ./scripts/setup first")
    seen[name] = folder
    for dependency in json.loads((folder / "package.json").read_text()).get("dependencies", {}):
        # A version of its own lies inside the package and is copied with it.
        if not (folder / "node_modules" / dependency).is_dir():
            closure(dependency, modules, seen)
    return seen


def stage(target: Path, runner: Path, modules: Path = MODULES) -> Path:
    """Put together what goes into the package; return its folder."""
    if not runner.is_file():
        raise BuildError(f"{runner} is missing: leave out --runner, or name the runner's self-contained file")
    folder = target / "extension"
    shutil.copytree(SOURCE, folder)
    licence = ROOT / "LICENSE"
    if not licence.is_file():
        raise BuildError(f"{licence} is missing")
    shutil.copy(licence, folder / "LICENSE")
    task = folder / "ReflectRun"
    shutil.copy(runner, task / "reflect-ci.pyz")
    for name, source in closure(LIBRARY, modules).items():
        shutil.copytree(source, task / "node_modules" / name)
    return folder


def package(folder: Path, output: Path, publisher: str = "", tfx: Path = MODULES / ".bin" / "tfx") -> Path:
    """Have tfx-cli make the .vsix; anything that it warns of is an error."""
    output.mkdir(parents=True, exist_ok=True)
    command = [
        str(tfx),
        "extension",
        "create",
        "--root",
        str(folder),
        "--manifest-globs",
        "vss-extension.json",
        "--output-path",
        str(output),
        "--no-prompt",
        "--no-color",
    ]
    if publisher:
        command += ["--publisher", publisher]
    home = folder.parent / "home"
    home.mkdir(exist_ok=True)
    environ = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environ, stdin=subprocess.DEVNULL, timeout=600, check=False
    )
    said = done.stdout + done.stderr
    made = sorted(output.glob("*.vsix"))
    if done.returncode or "warning" in said.lower() or not made:
        raise BuildError(f"tfx-cli is not content (exit code {done.returncode}):\n{said}")
    return max(made, key=lambda path: path.stat().st_mtime)


def main(arguments: Sequence[str]) -> int:
    """Build the extension; print its path and sha256."""
    parser = argparse.ArgumentParser(prog="build-azure-extension", description=__doc__.splitlines()[0])
    parser.add_argument("--runner", type=Path, help="the runner's self-contained file (default: it is built)")
    parser.add_argument("--publisher", default="", help="your publisher on the Marketplace (default: the manifest's)")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the .vsix (default: dist)")
    args = parser.parse_args(arguments)
    if args.runner is None:
        args.runner = args.output / "reflect-ci.pyz"
        pyz.build(args.runner.resolve())
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = package(stage(Path(folder), args.runner), args.output.resolve(), args.publisher)
    except BuildError as error:
        print(f"build-azure-extension: {error}", file=sys.stderr)
        return 1
    print(f"{hashlib.sha256(made.read_bytes()).hexdigest()}  {made}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
