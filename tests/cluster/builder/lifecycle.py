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
from .places import CLUSTER_NAME, ROOT, ClusterError, cache, fingerprint, kubeconfig, lock
from .progress import attempt, run, say, wait_until
from .sources import Source, chosen

NODE = f"{CLUSTER_NAME}-control-plane"
MARK = "reflect-ci-cluster"  # a ConfigMap that says what has been installed
PATIENCE = 90.0  # for a cluster that may just be coming back with its engine


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
        wait_until("the node", lambda: _node_unready(kubectl), 480)
        mark = _mark(kubectl)
        # What would be installed is known from its inputs, without reading it all again.
        wanted = fingerprint(*tekton.sources(), source.name, source.node_image)
        if mark.get("tekton") != wanted:
            tekton.install(kubectl, source.manifests())
            mark["tekton"] = wanted
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


def kubectl_of(source: Source) -> tekton.Kubectl:
    """Give a function that runs kubectl against the cluster."""

    def kubectl(*arguments: str, input: str | None = None) -> str:
        places = ["--kubeconfig", str(kubeconfig()), "--cache-dir", str(cache() / "cluster" / "discovery")]
        done = attempt([source.kubectl, *places, *arguments], input=input, seconds=300)
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(arguments[:4])}: {done.stderr.strip()[-2000:]}")
        return done.stdout

    return kubectl


def trouble(source: Source) -> str | None:
    """Say what is wrong with the cluster that is there, or return None."""
    inspected = attempt(["docker", "container", "inspect", "--format", "{{.State.Running}} {{.Config.Image}}", NODE])
    if inspected.returncode != 0:
        return "there is no cluster"
    running, _, image = inspected.stdout.strip().partition(" ")
    if _without_tag(image) != _without_tag(source.node_image):
        return f"its node is of another image ({image})"
    if running != "true":
        return "its node is stopped"
    if not kubeconfig().exists():
        _write_kubeconfig(source)
    kubectl = kubectl_of(source)
    try:
        return _node_unready(kubectl) or ("tekton" in _mark(kubectl) and tekton.unready(kubectl, tekton.NAMESPACES)) or None
    except (ClusterError, ValueError, KeyError) as error:
        return f"it does not answer ({str(error).splitlines()[-1][:200]})"


def _without_tag(image: str) -> str:
    """Name an image by its digest where it has one, as kind does."""
    name, at, digest = image.partition("@")
    return f"{name.rsplit(':', 1)[0]}@{digest}" if at else image


def _wait_or_discard(source: Source) -> None:
    began = time.monotonic()
    while (wrong := trouble(source)) is not None:
        # An engine that came back starts its containers again; a stopped node is not worth waiting for.
        if time.monotonic() - began > PATIENCE or "image" in wrong or "stopped" in wrong:
            say(f"replacing the cluster: {wrong}")
            run(["docker", "rm", "--force", "--volumes", NODE])
            return
        time.sleep(3)


def _write_kubeconfig(source: Source) -> None:
    """Ask kind for the kubeconfig again, when another cache folder was in use or it was deleted."""
    attempt([source.kind, "export", "kubeconfig", "--name", CLUSTER_NAME, "--kubeconfig", kubeconfig()])


def _node_unready(kubectl: tekton.Kubectl) -> str | None:
    try:
        nodes = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    except ClusterError as error:
        return str(error).splitlines()[-1][:200]
    for node in nodes:
        conditions = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
        if conditions.get("Ready") != "True":
            return "the node is not ready"
    return None if nodes else "there are no nodes"


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
