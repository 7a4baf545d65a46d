"""An executor of the documented part of a coherence.yml: its entries of `type: integration_test`, on this machine.

    python -m tests.platforms.previews.coherence FILE WORKDIR

The process's environment is the container's: Coherence's variables and the application's. Each entry's command runs in
the order of the file in an empty working folder (the image is not used); the first that fails is the job's end. There
is no published schema: only the keys of the vendor's snippet (type, image, command) are known, others are refused.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.platforms.previews.machine import Commands

KEYS = {"type", "image", "command"}


def tests_of(text: str) -> dict[str, list[str]]:
    """Return the integration tests of a coherence.yml, name to command; ValueError for what is not documented."""
    found: dict[str, list[str]] = {}
    for name, entry in (yaml.safe_load(text) or {}).items():
        if not isinstance(entry, dict) or "type" not in entry:
            raise ValueError(f"{name}: an entry is a mapping with a type")
        if entry["type"] != "integration_test":
            continue
        if unknown := set(entry) - KEYS:
            raise ValueError(f"{name}: not documented for an integration_test: {', '.join(sorted(unknown))}")
        command: Any = entry.get("command")
        if not isinstance(command, list) or not command or not all(isinstance(word, str) for word in command):
            raise ValueError(f"{name}: command is a list of words")
        if not isinstance(entry.get("image"), str):
            raise ValueError(f"{name}: an image is needed")
        found[name] = command
    return found


def main(file: Path, workdir: Path) -> int:
    """Run the file's integration tests."""
    commands = Commands()
    try:
        tests = tests_of(file.read_text())
    except (ValueError, yaml.YAMLError) as error:
        print(f"coherence.yml: {error}")
        return 1
    for name, command in tests.items():
        print(f"== integration test {name}")
        if code := commands.run(command, os.environ, workdir):
            print(f"== {name} failed: exit code {code}")
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
