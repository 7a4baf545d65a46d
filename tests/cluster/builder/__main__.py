"""`./scripts/cluster up | down | status | kubeconfig`."""

from __future__ import annotations

import argparse
import json
import sys
import time

from deliver.debian import DebianError

from . import lifecycle, simulator
from .health import NODE
from .places import CLUSTER_NAME, ClusterError, kubeconfig
from .progress import attempt, say

HELP = """A kind cluster with Tekton, made without any container registry.

up          build what is missing, make the cluster or reuse the one that is there
down        delete the cluster; what was built is kept
status      say what is there; exit code 0 when the cluster is well, 1 when it is not
kubeconfig  print the path of the kubeconfig

Variables: REFLECT_CI_CACHE (folder of everything built), REFLECT_CLUSTER_SOURCE=registry (kindest/node and published
releases instead of building), REFLECT_DEBIAN_MIRROR. tests/cluster/README.md says more.
"""


def main() -> int:
    """Do what the one argument says."""
    parser = argparse.ArgumentParser(
        prog="cluster", description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=["up", "down", "status", "kubeconfig"])
    command = parser.parse_args().command
    try:
        return {"up": up, "down": down, "status": status, "kubeconfig": path}[command]()
    except (ClusterError, DebianError) as error:
        print(f"cluster: {error}", file=sys.stderr)
        return 1


def up() -> int:
    """Make or reuse the cluster, and say how to use it."""
    began = time.monotonic()
    ready = lifecycle.ensure()
    say(f"{CLUSTER_NAME} is ready after {time.monotonic() - began:.0f} s, with the image {ready.runner}")
    print(f"export KUBECONFIG={kubeconfig()}")
    print(f"# kubectl: {ready.source.kubectl}")
    print(f"# simulated service, for the pods: http://{simulator.NAME}.{simulator.NAMESPACE}/v1 (any key)")
    return 0


def down() -> int:
    """Delete the cluster."""
    lifecycle.down()
    say(f"{CLUSTER_NAME} is deleted; what was built is kept")
    return 0


def status() -> int:
    """Say whether there is a cluster, and whether its node runs and answers; builds nothing."""
    if attempt(["docker", "info"], seconds=30).returncode != 0:
        print("no Docker engine answers")
        return 1
    inspected = attempt(["docker", "container", "inspect", NODE])
    if inspected.returncode != 0:
        print(f"there is no cluster {CLUSTER_NAME}")
        return 1
    node = json.loads(inspected.stdout)[0]
    print(f"node: {node['State']['Status']}, of {node['Config']['Image']}")
    tool = ["docker", "exec", NODE, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "get"]
    pods = attempt([*tool, "pods", "--all-namespaces", "--output", "json"], seconds=60)
    if pods.returncode != 0:
        print(f"Kubernetes does not answer: {pods.stderr.strip()[-300:]}")
        return 1
    well = True
    for pod in json.loads(pods.stdout)["items"]:
        states = pod["status"].get("containerStatuses", [])
        if pod["status"]["phase"] == "Running" and not (states and all(state["ready"] for state in states)):
            print(f"not ready: {pod['metadata']['namespace']}/{pod['metadata']['name']}")
            well = False
    print("all running pods are ready" if well else "not all running pods are ready")
    return 0 if well else 1


def path() -> int:
    """Print where the kubeconfig is."""
    print(kubeconfig())
    return 0


if __name__ == "__main__":
    sys.exit(main())
