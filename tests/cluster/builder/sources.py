"""Where the cluster's parts come from: built here (the default), or from registries and release pages."""

from __future__ import annotations

import json
import os
import platform
import shutil
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import tekton
from .nodeimage import node_image, tools
from .parts import BUSYBOX_IMAGE
from .places import (
    KIND_VERSION,
    KUBERNETES_VERSION,
    PIPELINE_VERSION,
    TRIGGERS_VERSION,
    ClusterError,
    cache,
    environment,
)
from .progress import say

# Each base address can be exchanged for a mirror's.
KIND_RELEASES = "https://kind.sigs.k8s.io/dl"
KUBECTL_RELEASES = "https://dl.k8s.io/release"
TEKTON_RELEASES = "https://infra.tekton.dev/tekton-releases"
# The one that this version of kind was released with. Hosts with control groups of version 1 need an older one.
NODE_IMAGE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
BUSYBOX_PUBLIC = "busybox:1.36"


@dataclass(frozen=True)
class Source:
    """Everything that a cluster is made of."""

    name: str
    kind: Path
    kubectl: Path
    node_image: str
    busybox: str  # an image with a small shell, for steps of tests
    manifests: Callable[[], list[tekton.Document]]


def chosen() -> Source:
    """Give what REFLECT_CLUSTER_SOURCE chooses: `built` (the default) or `registry`."""
    name = os.environ.get("REFLECT_CLUSTER_SOURCE") or "built"
    if name == "built":
        image = node_image()
        folder = tools(image)
        manifests = folder / "tekton.json"
        return Source(
            name,
            folder / "kind",
            folder / "kubectl",
            image,
            BUSYBOX_IMAGE,
            lambda: list(json.loads(manifests.read_text())),
        )
    if name == "registry":
        return Source(
            name, _kind(), _kubectl(), os.environ.get("REFLECT_NODE_IMAGE") or NODE_IMAGE, BUSYBOX_PUBLIC, _published
        )
    raise ClusterError(f"REFLECT_CLUSTER_SOURCE is {name!r}; it may be `built` or `registry`")


def _kind() -> Path:
    base = os.environ.get("REFLECT_KIND_RELEASES") or KIND_RELEASES
    return _program("kind", KIND_VERSION, f"{base}/{KIND_VERSION}/kind-linux-{_machine()}")


def _kubectl() -> Path:
    base = os.environ.get("REFLECT_KUBECTL_RELEASES") or KUBECTL_RELEASES
    return _program("kubectl", KUBERNETES_VERSION, f"{base}/{KUBERNETES_VERSION}/bin/linux/{_machine()}/kubectl")


def _published() -> list[tekton.Document]:
    base = os.environ.get("REFLECT_TEKTON_RELEASES") or TEKTON_RELEASES
    addresses = [
        f"{base}/pipeline/previous/{PIPELINE_VERSION}/release.yaml",
        f"{base}/triggers/previous/{TRIGGERS_VERSION}/release.yaml",
        f"{base}/triggers/previous/{TRIGGERS_VERSION}/interceptors.yaml",
    ]
    return tekton.parse(_fetch(address).decode() for address in addresses)


def _program(name: str, version: str, address: str) -> Path:
    """Use the program on the PATH, else the published one, which is kept."""
    there = shutil.which(name, path=environment()["PATH"])
    if there:
        return Path(there)
    kept = cache() / "published" / f"{name}-{version}"
    if not kept.exists():
        content = _fetch(address)
        kept.parent.mkdir(parents=True, exist_ok=True)
        partial = kept.with_name(f"{kept.name}.{os.getpid()}")
        partial.write_bytes(content)
        partial.chmod(0o755)
        partial.rename(kept)
    return kept


def _fetch(address: str) -> bytes:
    say(f"fetching {address}")
    try:
        with urllib.request.urlopen(address, timeout=120) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, OSError) as error:
        raise ClusterError(
            f"{address} cannot be read ({error}); unset REFLECT_CLUSTER_SOURCE to build without a registry"
        ) from error
    return content


def _machine() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
