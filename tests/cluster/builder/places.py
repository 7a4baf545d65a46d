"""Where things are kept, what the parts' versions are, and how inputs become keys."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
HERE = ROOT / "tests" / "cluster"
MODULES = HERE / "modules"

CLUSTER_NAME = "reflect-ci"
KUBERNETES_VERSION = "v1.34.4"
PIPELINE_VERSION = "v1.9.0"  # a long-term support release
TRIGGERS_VERSION = "v0.34.0"
KIND_VERSION = "v0.33.0"


class ClusterError(Exception):
    """The cluster cannot be had; the message says why and what to do."""


def home() -> Path:
    """Give the home folder, also where HOME is not set."""
    return Path(os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir)


def cache() -> Path:
    """Give the folder that everything built is kept in, outside of the clone."""
    chosen = os.environ.get("REFLECT_CI_CACHE")
    if chosen:
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or home() / ".cache") / "reflect-ci-catalog"


def kubeconfig() -> Path:
    """Give the kubeconfig of the cluster, which is not the user's own."""
    return cache() / "cluster" / "kubeconfig"


def environment() -> dict[str, str]:
    """Give the environment of child processes: the caller's, with a home in any case, without surprises for Go."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("GOFLAGS", "GOWORK", "KUBECONFIG"))
    }
    env["HOME"] = str(home())
    env["PATH"] = f"{env.get('PATH') or os.defpath}:/usr/local/sbin:/usr/sbin:/sbin"
    return env


def fingerprint(*parts: Path | str | bytes) -> str:
    """Hash texts, files and folders (names and contents, not times) to a short key."""
    digest = hashlib.sha256()
    for part in parts:
        for name, content in _contents(part):
            digest.update(f"{name}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:12]


def _contents(part: Path | str | bytes) -> Iterable[tuple[str, bytes]]:
    if isinstance(part, bytes):
        return [("", part)]
    if isinstance(part, str):
        return [("", part.encode())]
    if part.is_dir():
        files = sorted(path for path in part.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
        return [(path.relative_to(part).as_posix(), path.read_bytes()) for path in files]
    return [(part.name, part.read_bytes())]


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Let one process at a time through; the lock ends with the process, however that ends."""
    folder = cache() / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
