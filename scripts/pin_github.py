#!/usr/bin/env python3
"""Write the commit that GitHub workflows pin the catalog's own actions by: `scripts/pin_github.py [COMMIT]`.

A workflow cannot name the commit that it is part of, so the pin is always an earlier one: commit the actions, run this
(default: HEAD), and commit the result. Part of a release, after the version was set.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from reflect_ci import __version__  # noqa: E402  the version of this very tree

PIN = re.compile(r"(?P<uses>uses:\s*reflect-ci/catalog/[\w./-]+)@(?P<ref>\S+)(?: # v\S+)?")
# What a pinned commit must hold, or the actions do not work.
NEEDED = (
    "tasks/github/reflect-run/action.yml",
    "tasks/github/reflect-wait/action.yml",
    "tasks/github/reflect-cancel/action.yml",
    "tasks/github/reflect-comment/action.yml",
    "tasks/shell/reflect-run.sh",
)


def files() -> Iterator[Path]:
    """Yield the files that may pin the catalog's own actions."""
    for folder in (".github", "tasks/github"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".yml", ".md"}:
                yield path


def git(*arguments: str) -> str:
    """Return what git prints."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Write the pins; 1 when the commit lacks what the actions need."""
    commit = git("rev-parse", f"{arguments[0] if arguments else 'HEAD'}^{{commit}}")
    missing = set(NEEDED) - set(git("ls-tree", "-r", "--name-only", commit, "tasks").splitlines())
    if missing:
        print(f"{commit} lacks {', '.join(sorted(missing))}: commit them first")
        return 1
    for path in files():
        old = path.read_text(encoding="utf-8")
        new = PIN.sub(lambda match: f"{match['uses']}@{commit} # v{__version__}", old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            print(f"written: {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
