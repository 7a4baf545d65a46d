"""Makes the cluster, or makes sure that the one that is there is well; replaces one that is not."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

from pytest_kind import KindCluster  # type: ignore[import-untyped] # it comes without types

from deliver import image as runner_image

from . import simulator, tekton
from .health import NODE, kubectl_of, node_unready, trouble
from .places import CLUSTER_NAME, ROOT, ClusterError, cache, fingerprint, kubeconfig, lock
from .progress import attempt, run, say, wait_until
from .sources import Source, chosen

MARK = "reflect-ci-cluster"  # a ConfigMap that says what has been installed
PATIENCE = 180.0  # for a cluster that may just be coming back with its engine


@dataclass(frozen=True)
class Ready:
    """A cluster that is ready for use."""

    source: Source
    kind: KindCluster
    runner: str  # the runner's image


def engine() -> None:
    """Start the container engine when none answers."""
    done = attempt([ROOT / "scripts" / "engine"], seconds=300)
    if done.returncode != 0:
        raise ClusterError(done.stderr.strip() or f"scripts/engine ended with {done.returncode}")
    for line in done.stdout.splitlines()[:-1]:  # the last one only says that it answers
        say(line)


def create_with_kind(source: Source) -> KindCluster:
    """Create the cluster (or connect to it) as pytest-kind's fixture does."""
    cache().mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(cache()):  # pytest-kind makes a folder where it is
        made = KindCluster(CLUSTER_NAME, kubeconfig(), source.node_image, source.kind, source.kubectl)
        made.create()
    return made


def ensure() -> Ready:
    """Give a healthy cluster with Tekton, the runner's image and a simulated service."""
    engine()
    with lock("cluster"):
        source = chosen()
        kubeconfig().parent.mkdir(parents=True, exist_ok=True)
        if exists():
            _wait_or_discard(source)
        if not exists():
            say(f"creating the cluster {CLUSTER_NAME}")
            kubeconfig().unlink(missing_ok=True)
        kind = create_with_kind(source)
        kubectl = kubectl_of(source)
        wait_until("the node", lambda: node_unready(kubectl), 480)
        mark = _mark(kubectl)
        # What would be installed is known from its inputs, without reading it all again.
        wanted = fingerprint(*tekton.sources(), source.name, source.node_image)
        if mark.get("tekton") != wanted:
            tekton.install(kubectl, source.manifests())
            mark["tekton"] = wanted
        wait_until("the cluster", lambda: trouble(source), 480)
        runner = _load_runner(source, kubectl, mark)
        if mark != _mark(kubectl):
            document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": MARK, "namespace": "kube-system"}}
            tekton.apply(kubectl, [{**document, "data": mark}])
        return Ready(source, kind, runner)


def down() -> None:
    """Delete the cluster; what was built stays."""
    with lock("cluster"):
        if attempt(["docker", "info"], seconds=30).returncode == 0:
            attempt(["docker", "rm", "--force", "--volumes", NODE])
        kubeconfig().unlink(missing_ok=True)


def exists() -> bool:
    """Say whether there is a node, running or not."""
    return attempt(["docker", "container", "inspect", NODE]).returncode == 0


def _wait_or_discard(source: Source) -> None:
    began = time.monotonic()
    while (wrong := trouble(source)) is not None:
        # An engine that came back starts its containers again; a stopped node is not worth waiting for.
        if time.monotonic() - began > PATIENCE or "image" in wrong or "stopped" in wrong:
            say(f"replacing the cluster: {wrong}")
            run(["docker", "rm", "--force", "--volumes", NODE])
            return
        time.sleep(3)


def _mark(kubectl: tekton.Kubectl) -> dict[str, str]:
    got = kubectl("get", "configmap", MARK, "--namespace", "kube-system", "--ignore-not-found", "--output", "json")
    data: dict[str, str] = json.loads(got).get("data", {}) if got.strip() else {}
    return data


def _load_runner(source: Source, kubectl: tekton.Kubectl, mark: dict[str, str]) -> str:
    built = runner_image.build()
    if mark.get("runner") != built.names[1]:
        load_archive(source, built.archive)
        mark["runner"] = built.names[1]
    simulator.deploy(kubectl, built.names[1])
    return built.names[0]


def load_archive(source: Source, archive: Path) -> None:
    """Give the images of an archive to the node."""
    run([source.kind, "load", "image-archive", archive, "--name", CLUSTER_NAME])
