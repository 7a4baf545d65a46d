"""An executor of the documented part of a Layerfile, on this machine.

    python -m tests.platforms.previews.layerfile LAYERFILE REPOSITORY MACHINE VARIABLES

VARIABLES is a JSON file: {"build": webapp.io's own, "secrets": those of the account}. Known are FROM, COPY, RUN [BACKGROUND],
ENV, BUILD ENV, SECRET ENV and EXPOSE WEBSITE; anything else is refused. As documented, a RUN whose inputs did not
change since an earlier run is skipped: its inputs are the lines before it, the files copied so far and the values of
the BUILD ENVs so far. The machine is a folder that keeps its snapshots; FROM names an image that is not used, and
`apt-get` is a stand-in that does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.platforms.previews.machine import Commands

WORDS = ("FROM", "COPY", "RUN BACKGROUND", "RUN", "ENV", "BUILD ENV", "SECRET ENV", "EXPOSE WEBSITE")
LINE = re.compile(rf"({'|'.join(WORDS)})\s+(.+)", re.DOTALL)
# Set by webapp.io itself. EXPOSE_WEBSITE_HOST is known in the whole Layerfile, but not as a BUILD ENV.
OWN = ("WEBAPPIO", "LAYERCI", "CI", "EXPOSE_WEBSITE_HOST")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Refused(Exception):
    """The Layerfile holds something that is not documented."""


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the instructions with their arguments."""
    joined = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")))
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("FROM "):
        raise Refused("a Layerfile begins with FROM")
    for line in lines:
        match = LINE.fullmatch(line)
        if not match:
            raise Refused(f"no instruction: {line}")
        yield match[1], match[2]


def digest_of(folder: Path) -> str:
    """Return a digest of a folder's files."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            total.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


class Machine:
    """A virtual machine: its files, its environment, its snapshots, and the digest of everything done so far."""

    def __init__(self, repository: Path, folder: Path, build: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self.repository, self.build, self.secrets = repository, build, secrets
        self.files, self.snapshots = folder / "files", folder / "snapshots"
        for path in (self.files, self.snapshots):
            path.mkdir(parents=True, exist_ok=True)
        tools = folder / "tools"
        tools.mkdir(exist_ok=True)
        (tools / "apt-get").write_text('#!/bin/sh\necho stand-in of apt-get: "$*"\n')
        (tools / "apt-get").chmod(0o755)
        self.env = {**os.environ, **{name: build[name] for name in OWN if name in build}}
        self.env["PATH"] = f"{tools}{os.pathsep}{self.env['PATH']}"
        self.key = hashlib.sha256(b"").hexdigest()
        self.commands = Commands()

    def note(self, text: str) -> None:
        """Enter something into the digest."""
        self.key = hashlib.sha256(f"{self.key}\0{text}".encode()).hexdigest()

    def do(self, word: str, rest: str) -> int:
        """Do one instruction; return its exit code."""
        self.note(f"{word} {rest}")
        if word == "COPY":
            source, target = shlex.split(rest)
            shutil.copytree(self.repository / source, self.files / target, dirs_exist_ok=True)
            self.note(digest_of(self.repository / source))
        elif word == "ENV":
            for pair in shlex.split(rest):
                name, equals, value = pair.partition("=")
                if not equals or not NAME.fullmatch(name):
                    raise Refused(f"ENV takes NAME=value: {pair}")
                self.env[name] = value
        elif word in ("BUILD ENV", "SECRET ENV"):
            for name in rest.split():
                if not NAME.fullmatch(name) or (word == "BUILD ENV" and name == "EXPOSE_WEBSITE_HOST"):
                    raise Refused(f"{word} takes names: {name}")
                known = self.build if word == "BUILD ENV" else self.secrets
                if name in known:
                    self.env[name] = known[name]
                if word == "BUILD ENV":  # a secret's value is no reason to run anything again
                    self.note(known.get(name, ""))
        elif word == "EXPOSE WEBSITE" and not re.match(r"https?://", rest):
            raise Refused(f"EXPOSE WEBSITE takes an address: {rest}")
        elif word.startswith("RUN"):
            return self.run(word, rest)
        return 0

    def run(self, word: str, command: str) -> int:
        """Run a command unless its snapshot is there."""
        snapshot = self.snapshots / self.key
        if word == "RUN BACKGROUND":  # a process is part of the snapshot; here it has to be started again
            return self.commands.run(["/bin/bash", "-c", command], self.env, self.files, wait=False)
        if snapshot.exists():
            print(f"== restored: {word} {command}")
            return 0
        print(f"== {word} {command}")
        code = self.commands.run(["/bin/bash", "-c", command], self.env, self.files)
        if code == 0:
            snapshot.touch()
        return code


def main(layerfile: Path, repository: Path, folder: Path, variables: Path) -> int:
    """Run a Layerfile: 0, or the exit code of the RUN that failed."""
    given = json.loads(variables.read_text())
    machine = Machine(repository, folder, given["build"], given["secrets"])
    try:
        for word, rest in instructions(layerfile.read_text()):
            if code := machine.do(word, rest):
                print(f"== the Layerfile failed: exit code {code}")
                return code
    except Refused as error:
        print(f"Layerfile: {error}")
        return 1
    finally:
        machine.commands.end()
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:5])))
