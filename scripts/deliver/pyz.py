"""Builds reflect-ci.pyz: the runner with all that it needs, in one file that any Python 3.9 or later runs.

The same sources give the same bytes: entries are sorted, their times fixed, what pip notes about itself is left out.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from reflect_ci.recipes import RECIPES, SERVICE_CONNECTION

ROOT = Path(__file__).resolve().parents[2]
RUNNER = ROOT / "scripts" / "reflect_ci"
REQUIREMENTS = Path(__file__).with_name("pyz-requirements.txt")
WHEELS = ROOT / ".cache" / "pyz-wheels"
OUTPUT = ROOT / "dist" / "reflect-ci.pyz"

# What runs first. Old Pythons must be able to read it, so that they can say that they are too old.
MAIN = """\
import sys

if sys.version_info < (3, 9):
    sys.stderr.write("reflect-ci needs Python 3.9 or later; this is %d.%d\\n" % sys.version_info[:2])
    sys.exit(2)
from reflect_ci.cli import entry

entry()
"""
# Written by pip: different on every machine, and of no use inside a file.
NOTES = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
EPOCH = (1980, 1, 1, 0, 0, 0)


def pip(*arguments: str | Path) -> None:
    """Run this environment's pip; its own words tell what went wrong."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)


def fetch(wheels: Path = WHEELS) -> Path:
    """Download the wheels that are carried along, unless they are there; return their folder."""
    # Named by the list, so that another list never finds the wheels of this one.
    folder = wheels / hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]
    if not folder.is_dir():
        wheels.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=wheels) as new:
            target = Path(new, "wheels")
            pip("download", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:", "-r", REQUIREMENTS,
                "-d", target)  # fmt: skip
            if not folder.is_dir():  # somebody else may have been quicker
                target.rename(folder)
    return folder


def carried(wheels: Path, target: Path) -> Iterator[tuple[str, bytes]]:
    """Install the wheels into the folder target; yield what of them goes into the file."""
    pip("install", "--quiet", "--no-index", "--find-links", wheels, "--require-hashes", "--no-deps", "--no-compile",
        "--only-binary=:all:", "--root-user-action=ignore", "-r", REQUIREMENTS, "--target", target)  # fmt: skip
    for path in target.rglob("*"):
        name = path.relative_to(target).as_posix()
        if path.is_file() and path.name not in NOTES and not name.startswith("bin/"):
            yield name, path.read_bytes()


def runner() -> Iterator[tuple[str, bytes]]:
    """Yield the runner's own files."""
    for path in RUNNER.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(RUNNER.parent).as_posix(), path.read_bytes()
    for recipe in RECIPES.values():
        for file in recipe.files:
            yield f"reflect_ci/tasks/{file.source}", (ROOT / "tasks" / file.source).read_bytes()
    yield f"reflect_ci/tasks/{SERVICE_CONNECTION.source}", (ROOT / "tasks" / SERVICE_CONNECTION.source).read_bytes()
    yield "LICENSE", (ROOT / "LICENSE").read_bytes()
    yield "__main__.py", MAIN.encode()


def build(output: Path = OUTPUT) -> str:
    """Write the file (and its checksum beside it); return the sha256."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as work:
        entries = dict([*carried(fetch(), Path(work, "carried")), *runner()])
        new = Path(work, output.name)
        with new.open("wb") as file:
            file.write(b"#!/usr/bin/env python3\n")
            with zipfile.ZipFile(file, "w") as archive:
                for name, content in sorted(entries.items()):
                    entry = zipfile.ZipInfo(name, EPOCH)
                    entry.external_attr = 0o644 << 16
                    entry.create_system = 3  # the same on every system that builds it
                    archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
        new.chmod(0o755)
        digest = hashlib.sha256(new.read_bytes()).hexdigest()
        new.replace(output)
    output.with_name(output.name + ".sha256").write_text(f"{digest}  {output.name}\n")
    return digest


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the file; print where it is and the `runner` input that names it."""
    parser = argparse.ArgumentParser(prog="scripts/build-pyz", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the file to write (default: dist/reflect-ci.pyz)")
    parser.add_argument("--fetch", action="store_true", help="only download what is carried along")
    options = parser.parse_args(arguments)
    if options.fetch:
        fetch()
        return 0
    digest = build(options.output.resolve())
    size = options.output.stat().st_size / 1e6
    print(f"{options.output} ({size:.1f} MB)\nrunner: {options.output.name}#sha256={digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
