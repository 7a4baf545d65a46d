#!/usr/bin/env python3
"""Renew the copies of the bootstrap in the platforms' files from tasks/shell/reflect-run.sh.

A copy stands between the lines `# reflect-bootstrap: begin` and `# reflect-bootstrap: end`, at any indentation; a
file may hold several. A test compares (`--check`).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tasks" / "shell" / "reflect-run.sh"
COPY = re.compile(
    r"^(?P<indent>[ \t]*)# reflect-bootstrap: begin\n.*?^(?P=indent)# reflect-bootstrap: end$", re.MULTILINE | re.DOTALL
)
FOLDERS = ("tasks", ".github")


def bootstrap(source: str) -> str:
    """Return the bootstrap with its two marker lines."""
    match = COPY.search(source)
    if match is None:
        raise ValueError("the bootstrap's marker lines are missing in its source")
    return match.group()


def renewed(text: str, script: str) -> str:
    """Return the text with every copy in it replaced by the script, indented as the copy was."""

    def copy(match: re.Match[str]) -> str:
        indent = match["indent"]
        return "\n".join(indent + line if line else "" for line in script.split("\n"))

    return COPY.sub(copy, text)


def files() -> Iterator[Path]:
    """Yield every file that may hold a copy, but not the source."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.is_file() and path != SOURCE and "node_modules" not in path.parts:
                yield path


def main(arguments: Sequence[str]) -> int:
    """Renew the copies; with --check only say which are out of date (exit code 1 when there is one)."""
    check = list(arguments) == ["--check"]
    if arguments and not check:
        print(__doc__)
        return 2
    script = bootstrap(SOURCE.read_text(encoding="utf-8"))
    stale = 0
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # pictures and archives hold no copy
            continue
        new = renewed(text, script)
        if new != text:
            stale += 1
            print(f"{path.relative_to(ROOT)}: {'out of date' if check else 'renewed'}")
            if not check:
                path.write_text(new, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
