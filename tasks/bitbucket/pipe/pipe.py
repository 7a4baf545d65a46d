"""The pipe's entry point: turns the pipe's variables into the runner's, and becomes it.

Bitbucket gives a pipe its variables as environment variables of the same name. A YAML list arrives as NAME_COUNT,
NAME_0, NAME_1 …; its elements become lines. All values stay text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from reflect_ci.cli import entry
from reflect_ci.inputs import INPUTS

COMMANDS = ("run", "wait", "cancel")
# Bitbucket shows the tests of every *.xml that it finds below a folder of this name.
REPORT_DIR = "test-results/reflect"


def value(environ: Mapping[str, str], name: str) -> str:
    """Return the pipe's variable, a list as lines, '' when it is not given."""
    count = environ.get(f"{name}_COUNT", "")
    if not environ.get(name) and count.isdecimal():
        return "\n".join(environ.get(f"{name}_{index}", "") for index in range(int(count)))
    return environ.get(name, "")


def runner_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the runner's environment; the pipe's own spelling wins over a variable REFLECT_…."""
    given = {row.env: value(environ, row.snake.upper()) for row in INPUTS if not row.secret}
    result = {**environ, **{name: text for name, text in given.items() if text}}
    return {**result, "REFLECT_REPORT_DIR": result.get("REFLECT_REPORT_DIR") or REPORT_DIR}


def main() -> int:
    """Do what COMMAND says; 2 when it is no command."""
    command = os.environ.get("COMMAND") or COMMANDS[0]
    if command not in COMMANDS:
        print(f"reflect: COMMAND is {command!r}: write one of {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    os.environ.update(runner_environment(os.environ))
    sys.argv = ["reflect-ci", command]
    return entry()


if __name__ == "__main__":
    sys.exit(main())
