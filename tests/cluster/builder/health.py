"""Whether the cluster that is there is well."""

from __future__ import annotations

import json

from . import tekton
from .places import CLUSTER_NAME, ClusterError, cache, kubeconfig
from .progress import attempt
from .sources import Source

NODE = f"{CLUSTER_NAME}-control-plane"
STATE = "{{.State.Running}} {{.State.StartedAt}} {{.Config.Image}}"


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
    inspected = attempt(["docker", "container", "inspect", "--format", STATE, NODE])
    if inspected.returncode != 0:
        return "there is no cluster"
    running, started, image = inspected.stdout.split()
    if _without_tag(image) != _without_tag(source.node_image):
        return f"its node is of another image ({image})"
    if running != "true":
        return "its node is stopped"
    if not kubeconfig().exists():
        _write_kubeconfig(source)
    kubectl = kubectl_of(source)
    try:
        return node_unready(kubectl) or _unsettled(kubectl, started)
    except (ClusterError, ValueError, KeyError) as error:
        return f"it does not answer ({str(error).splitlines()[-1][:200]})"


def _without_tag(image: str) -> str:
    """Name an image by its digest where it has one, as kind does."""
    name, at, digest = image.partition("@")
    return f"{name.rsplit(':', 1)[0]}@{digest}" if at else image


def _write_kubeconfig(source: Source) -> None:
    """Ask kind for the kubeconfig again, when another cache folder was in use or it was deleted."""
    attempt([source.kind, "export", "kubeconfig", "--name", CLUSTER_NAME, "--kubeconfig", kubeconfig()])


def node_unready(kubectl: tekton.Kubectl) -> str | None:
    """Say what is wrong with the node, or return None."""
    try:
        nodes = json.loads(kubectl("get", "nodes", "--output", "json"))["items"]
    except ClusterError as error:
        return str(error).splitlines()[-1][:200]
    for node in nodes:
        conditions = {condition["type"]: condition["status"] for condition in node["status"]["conditions"]}
        if conditions.get("Ready") != "True":
            return "the node is not ready"
    return None if nodes else "there are no nodes"


def _unsettled(kubectl: tekton.Kubectl, since: str) -> str | None:
    """Name a pod of the system that is not ready, or whose state is from before the node was started.

    A node that crashed comes back with everything noted as ready, as it was, until the kubelet has looked.
    """
    for namespace in ("kube-system", *tekton.NAMESPACES):
        for pod in json.loads(kubectl("get", "pods", "--namespace", namespace, "--output", "json"))["items"]:
            if pod["metadata"].get("deletionTimestamp") or pod["status"].get("phase") in ("Succeeded", "Failed"):
                continue
            containers = pod["status"].get("containerStatuses", [])
            begun = [container.get("state", {}).get("running", {}).get("startedAt", "") for container in containers]
            ready = containers and all(container["ready"] for container in containers)
            if not ready or min(begun)[:19] < since[:19]:
                return f"{namespace}/{pod['metadata']['name']} is not ready"
    return None
