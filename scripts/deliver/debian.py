"""Files of Debian packages without installing them: `apt-get download`, `dpkg-deb --extract`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"


class DebianError(Exception):
    """This machine cannot give the packages; the message says what to do."""


@dataclass(frozen=True)
class Package:
    """One package as apt knows it on this machine: name, file name (which holds the version) and digest."""

    name: str
    file_name: str
    digest: str


def architecture() -> str:
    """Debian's name of this machine's processor, which is also Docker's and Go's for those that matter here."""
    return _run(["dpkg", "--print-architecture"]).strip()


def require_suite() -> None:
    """Refuse other releases than the one whose package names the lists here are of."""
    release = Path("/etc/os-release")
    text = release.read_text() if release.exists() else ""
    if not re.search(rf"^VERSION_CODENAME=\"?{SUITE}\"?$", text, re.MULTILINE):
        raise DebianError(
            f"this needs Debian {SUITE} (its packages are the parts); elsewhere use a registry: scripts/image/Dockerfile"
        )


def candidates(names: Sequence[str]) -> list[Package]:
    """Find which version of each package apt would take now; asks apt's lists, not the network."""
    try:
        return _candidates(names)
    except DebianError:
        if os.getuid() != 0:
            raise
        _run(["apt-get", "update", "-qq"])  # apt's lists may be missing or old
        return _candidates(names)


def _candidates(names: Sequence[str]) -> list[Package]:
    found = []
    for line in _run(["apt-get", "download", "--print-uris", "-qq", *names]).splitlines():
        match = re.match(r"'(?P<url>[^']+)' (?P<file>\S+) \d+ (?P<digest>\S+)", line)
        if match:
            found.append(Package(match["file"].split("_")[0], match["file"], match["digest"]))
    missing = set(names) - {package.name for package in found}
    if missing:
        raise DebianError(f"apt knows no package {', '.join(sorted(missing))}; run apt-get update as root first")
    return sorted(found, key=lambda package: package.name)


def extract(packages: Sequence[Package], store: Path, target: Path) -> None:
    """Download what the store does not have yet and unpack everything below the target folder."""
    store.mkdir(parents=True, exist_ok=True)
    # apt's own user for downloads may not write to this folder; root downloads then, which apt only remarks on.
    wanted = [package.name for package in packages if not (store / package.file_name).exists()]
    if wanted:
        _run(["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *wanted], cwd=store)
    target.mkdir(parents=True, exist_ok=True)
    for package in packages:
        _run(["dpkg-deb", "--extract", str(store / package.file_name), str(target)])


def _run(command: Sequence[str], cwd: Path | None = None) -> str:
    if not shutil.which(command[0]):
        raise DebianError(f"there is no {command[0]} here; this needs Debian {SUITE}, elsewhere use a registry")
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise DebianError(f"{' '.join(command[:3])} … failed: {last} (apt-get update as root often cures it)")
    return done.stdout
