"""Puts the CodeDeploy functions together: a folder with the SAM template and the zip that Lambda runs, the runner in it.

The same sources give the same bytes. boto3 is no part of the zip: Lambda's runtime for Python has it.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from deliver.pyz import EPOCH, ROOT, RUNNER, carried, fetch

SOURCE = ROOT / "tasks" / "codedeploy"
PACKAGE = "reflect-codedeploy.zip"
OUTPUT = ROOT / "dist" / "codedeploy"
# What no function uses.
LEFT_OUT = ("reflect_ci/simulate/", "reflect_ci/commands/demo.py", "reflect_ci/commands/simulate.py")


def functions() -> Iterator[tuple[str, bytes]]:
    """Yield the functions' and the runner's own files."""
    for path in (SOURCE / "lambda").glob("*.py"):
        yield path.name, path.read_bytes()
    for path in RUNNER.rglob("*"):
        name = path.relative_to(RUNNER.parent).as_posix()
        if path.is_file() and "__pycache__" not in path.parts and not name.startswith(LEFT_OUT):
            yield name, path.read_bytes()
    yield "LICENSE", (ROOT / "LICENSE").read_bytes()


def package(target: Path) -> Path:
    """Write the zip; return its path."""
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        entries = dict([*carried(fetch(), Path(work, "carried")), *functions()])
        new = Path(work, target.name)
        with zipfile.ZipFile(new, "w") as archive:
            for name, content in sorted(entries.items()):
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.external_attr = 0o644 << 16  # Lambda runs it as another user
                entry.create_system = 3
                archive.writestr(entry, content, zipfile.ZIP_DEFLATED, 9)
        new.replace(target)
    return target


def build(folder: Path = OUTPUT) -> Path:
    """Write the template, the state machine and the zip into the folder; return the zip's path."""
    (folder / "lambda").mkdir(parents=True, exist_ok=True)
    shutil.copy(SOURCE / "template.yaml", folder)
    shutil.copy(SOURCE / "lambda" / "reflect-verdict.asl.json", folder / "lambda")
    return package(folder / PACKAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Build; print where it is and what to call next."""
    parser = argparse.ArgumentParser(prog="scripts/build-codedeploy", description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the folder to write (default: dist/codedeploy)")
    made = build(parser.parse_args(arguments).output.resolve())
    print(
        f"{made} ({made.stat().st_size / 1e6:.1f} MB)\nnext: sam deploy --guided --template-file {made.parent}/template.yaml"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
