"""The node's image: Debian's root file system, kind's files, and everything that was built.

The image also carries what this side needs to use it (kind, kubectl, Tekton's manifests). So whoever has the image in the
Docker engine needs nothing else of what was built, not even the cache folder.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from deliver import debian

from . import parts, tekton
from .gomodules import ALL, built, module_source
from .places import HERE, KUBERNETES_VERSION, cache, fingerprint, lock
from .progress import attempt, run, say, work

PACKAGES = (
    "systemd,dbus,containerd,runc,iptables,iproute2,conntrack,ethtool,socat,util-linux,mount,ebtables,kmod,"
    "ca-certificates,procps,jq,hostname,curl"
)
NOT_NEEDED = ("var/cache/apt/*", "var/lib/apt/lists/*", "usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*")


def mirror() -> list[str]:
    """Give debootstrap's argument for another Debian mirror than its own default."""
    return [address] if (address := os.environ.get("REFLECT_DEBIAN_MIRROR")) else []


def node_key() -> str:
    """Key of everything that the node's image depends on."""
    modules = [ALL[name].key for name in sorted(ALL)]
    sources = [Path(__file__), Path(parts.__file__), Path(tekton.__file__), HERE / "node"]
    return fingerprint(*sources, repr(modules))


def node_image() -> str:
    """Give the name of the node's image, after building it when the Docker engine does not have it."""
    image = f"{parts.LOCAL}/node:{node_key()}"
    if attempt(["docker", "image", "inspect", image]).returncode != 0:
        with lock("node-image"):
            if attempt(["docker", "image", "inspect", image]).returncode != 0:
                _build(image)
    return image


def tools(image: str) -> Path:
    """Give a folder with `kind`, `kubectl` and `tekton.json` that came with the node's image."""
    folder = cache() / "cluster" / f"tools-{image.rsplit(':', 1)[1]}"
    if not folder.is_dir():
        with lock("tools"):
            if not folder.is_dir():
                partial = folder.with_suffix(".partial")
                shutil.rmtree(partial, ignore_errors=True)
                partial.parent.mkdir(parents=True, exist_ok=True)
                container = run(["docker", "create", image]).strip()
                try:
                    run(["docker", "cp", f"{container}:/kind/host", str(partial)])
                    run(["docker", "cp", f"{container}:/usr/bin/kubectl", str(partial / "kubectl")])
                finally:
                    run(["docker", "rm", container])
                partial.rename(folder)
    return folder


def _build(image: str) -> None:
    debian.require_suite()
    for name in ALL:
        built(name)
    base = _base_image()
    context = cache() / "node" / "context"
    shutil.rmtree(context, ignore_errors=True)
    try:
        _lay_out(context)
        arguments = ["--build-arg", f"BASE={base}", "--build-arg", f"KUBERNETES_VERSION={KUBERNETES_VERSION}"]
        work(
            "building the node's image",
            ["docker", "build", *arguments, "--tag", image, str(context)],
            env={"DOCKER_BUILDKIT": "0"},  # the classic builder needs no image of its own
        )
    finally:
        shutil.rmtree(context, ignore_errors=True)


def _lay_out(context: Path) -> None:
    files = context / "files"
    shutil.copytree(module_source("kind", "sigs.k8s.io/kind") / "images" / "base" / "files", files)
    for path in (context, *context.rglob("*")):  # Go keeps modules read-only
        path.chmod(path.stat().st_mode | 0o200)
    config = files / "etc/containerd/config.toml"
    text = config.read_text()
    pause = next(line for line in text.splitlines() if line.strip().startswith("sandbox_image"))
    text = text.replace(pause, f'  sandbox_image = "{parts.pause_image()}"')
    config.write_text(text.replace("restrict_oom_score_adj = false", "restrict_oom_score_adj = true"))
    unit = files / "etc/systemd/system/containerd.service"
    unit.write_text(unit.read_text().replace("/usr/local/bin/containerd", "/usr/bin/containerd"))
    for name in ("units", "bin", "manifests", "images"):
        (context / name).mkdir()
    node = HERE / "node"
    shutil.copy(node / "Dockerfile", context)
    shutil.copy(node / "10-bridge.conflist", context)
    for path in node.glob("*.service"):
        shutil.copy(path, context / "units")
    for path in node.glob("default-*.yaml"):
        shutil.copy(path, context / "manifests")
    shutil.copytree(built("cni"), context / "cni")
    for name in ("kubeadm", "kubelet", "kubectl"):
        os.link(built("kubernetes") / name, context / "bin" / name)
    (context / "host").mkdir()
    shutil.copy(built("kind") / "kind", context / "host")
    (context / "host" / "tekton.json").write_text(json.dumps(tekton.built_manifests()))
    for kind in ("kubernetes", "tekton"):
        parts.write_images(kind, context / "images" / f"{kind}.tar")


def _base_image() -> str:
    image = f"{parts.LOCAL}/node-base:{fingerprint(PACKAGES, debian.SUITE, repr(NOT_NEEDED))}"
    if attempt(["docker", "image", "inspect", image]).returncode == 0:
        return image
    folder = cache() / "node"
    archive = folder / f"{image.rsplit(':', 1)[1]}.tar"
    if not archive.exists():
        _bootstrap(folder / "root", archive)
    say("importing the node's root file system")
    run(["docker", "import", archive, image])
    return image


def _bootstrap(root: Path, archive: Path) -> None:
    """Install Debian into a folder; that takes root's rights, the rest of the build does not."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    try:
        work(
            "installing the node's root file system",
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", debian.SUITE, root, *mirror()],
        )
        partial = archive.with_suffix(".partial")
        excluded = [f"--exclude=./{pattern}" for pattern in NOT_NEEDED]
        run(["tar", "--create", "--numeric-owner", "--file", partial, *excluded, "--directory", root, "."])
        partial.rename(archive)
    finally:
        shutil.rmtree(root, ignore_errors=True)
