"""The images that the node brings with it: Kubernetes' own under the names that kubeadm asks for, and Tekton's."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from deliver import debian
from deliver.image_archive import Entry, Image, folder_entries, write_archive

from .gomodules import built
from .places import KUBERNETES_VERSION, PIPELINE_VERSION, TRIGGERS_VERSION, cache
from .progress import run, say

LOCAL = "reflect-ci.local"  # no registry has this name: what is not in the node already is never pulled by mistake
PATHS = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/ko-app"}
TEKTON_USER = "65532"  # as in the published images
BUSYBOX_IMAGE = f"{LOCAL}/busybox:1.35"
APPLETS = "ash cat chmod cp date echo env false find grep head id ln ls mkdir mktemp mv pwd rm sed sh sleep sort tail tar test touch tr true wc wget"

# kube-proxy calls iptables; these are the packages that it needs of Debian, and nothing else of it.
IPTABLES = "iptables libc6 libip4tc2 libip6tc2 libmnl0 libnetfilter-conntrack3 libnfnetlink0 libnftnl11 libxtables12"
SMALL = "busybox-static tini"

PIPELINE = "controller entrypoint events nop resolvers sidecarlogresults webhook workingdirinit"
TRIGGERS = "controller eventlistenersink interceptors webhook"


def tekton_image(project: str, command: str) -> str:
    """Name the local image of one of Tekton's commands."""
    version = PIPELINE_VERSION if project == "pipeline" else TRIGGERS_VERSION
    return f"{LOCAL}/tekton-{project}-{command}:{version}"


def kubernetes_images(scratch: Path) -> list[Image]:
    """The images of the control plane, named as `kubeadm config images list` says."""
    programs = built("kubernetes")
    names = {name.rsplit("/", 1)[1].split(":")[0]: name for name in names_of_kubeadm()}
    images = [
        _program(names[name], programs / name)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    ]
    proxy = _unpacked(IPTABLES, scratch / "iptables")
    for name in ("iptables", "ip6tables"):  # what update-alternatives would make
        for suffix in ("", "-save", "-restore"):
            proxy.append(Entry(f"/usr/sbin/{name}{suffix}", link="xtables-nft-multi", mode=0o777))
    proxy.append(Entry("/usr/local/bin/kube-proxy", source=programs / "kube-proxy"))
    images.append(Image([names["kube-proxy"]], proxy, env=PATHS))
    images.append(_program(names["etcd"], built("etcd") / "etcd"))
    images.append(_program(names["coredns"], built("coredns") / "coredns", at="/coredns", entrypoint=True))
    images.append(_program(names["pause"], built("pause") / "pause", at="/pause", entrypoint=True, user="65535:65535"))
    images.append(_program(f"{LOCAL}/volumes:built", built("volumes") / "volumes", entrypoint=True))
    return images


def pause_image() -> str:
    """Name the image of a pod's first process, which containerd's configuration must name too."""
    return next(name for name in names_of_kubeadm() if "/pause:" in name)


def names_of_kubeadm() -> list[str]:
    """List the names under which kubeadm looks for the control plane's images."""
    kubeadm = str(built("kubernetes") / "kubeadm")
    return run([kubeadm, "config", "images", "list", "--kubernetes-version", KUBERNETES_VERSION]).split()


def tekton_images(scratch: Path) -> list[Image]:
    """Tekton's images, and a small one with a shell that steps of tests use."""
    small = scratch / "small"
    entries = _unpacked(SMALL, small)
    busybox = next(entry for entry in entries if entry.path == "/bin/busybox")
    tini = next(entry for entry in entries if entry.path == "/usr/bin/tini-static")
    images = []
    for project, commands in (("pipeline", PIPELINE), ("triggers", TRIGGERS)):
        programs = built(f"tekton-{project}")
        for command in commands.split():
            extra = [Entry("/sbin/tini", source=tini.source)] if command == "resolvers" else []
            images.append(
                _program(
                    tekton_image(project, command),
                    programs / command,
                    at=f"/ko-app/{command}",
                    entrypoint=True,
                    user=TEKTON_USER,
                    extra=[*extra, Entry("/tmp", mode=0o1777)],
                )
            )
    links = [Entry(f"/bin/{name}", link="busybox", mode=0o777) for name in APPLETS.split()]
    shell = [Entry("/bin/busybox", source=busybox.source), *links, Entry("/tmp", mode=0o1777)]
    # Not root by default: Tekton's own containers of this image say runAsNonRoot (set-security-context).
    images.append(Image([BUSYBOX_IMAGE], shell, env=PATHS, entrypoint=["/bin/sh"], user=TEKTON_USER))
    return images


def write_images(kind: str, target: Path) -> None:
    """Write the archive of the images of one kind, `kubernetes` or `tekton`."""
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        images = kubernetes_images(Path(name)) if kind == "kubernetes" else tekton_images(Path(name))
        say(f"packing {len(images)} images of {kind}")
        write_archive(images, target, debian.architecture())


def _program(
    name: str,
    program: Path,
    at: str = "",
    entrypoint: bool = False,
    user: str = "",
    extra: list[Entry] | None = None,
) -> Image:
    where = at or f"/usr/local/bin/{program.name}"
    entries = [Entry(where, source=program), *(extra or [])]
    return Image([name], entries, env=PATHS, user=user, entrypoint=[where] if entrypoint else [])


def _unpacked(packages: str, target: Path) -> list[Entry]:
    debian.extract(debian.candidates(packages.split()), cache() / "debs", target)
    return list(_without_documents(folder_entries(target)))


def _without_documents(entries: Iterator[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if not entry.path.startswith(("/usr/share/", "/var/", "/etc/")))
