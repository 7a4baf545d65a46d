"""What tests do with the cluster: kubectl, API clients, namespaces with a simulated service. README.md explains it."""

from __future__ import annotations

import functools
import json
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from kubernetes import client, config
from pytest_kind import KindCluster  # type: ignore[import-untyped] # it comes without types

from .builder import lifecycle, simulator
from .builder.places import CLUSTER_NAME, cache, kubeconfig
from .builder.progress import attempt, run
from .namespace import Namespace
from .relay import relay

Manifest = str | Path | dict[str, Any] | Sequence[dict[str, Any]]


class Cluster:
    """The cluster `reflect-ci`, ready for use."""

    def __init__(self, ready: lifecycle.Ready, kind: KindCluster):
        self.ready = ready
        self.kind = kind
        self.name = CLUSTER_NAME
        self.kubeconfig = kubeconfig()
        self.image = ready.runner
        self.busybox = ready.source.busybox
        self.api = config.new_client_from_config(str(self.kubeconfig))  # type: ignore[no-untyped-call] # as it is upstream
        self.core = client.CoreV1Api(self.api)
        self.custom = client.CustomObjectsApi(self.api)

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True, seconds: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl; a failure is an AssertionError that shows what it said, unless `check` is false."""
        places = ["--kubeconfig", str(self.kubeconfig), "--cache-dir", str(cache() / "cluster" / "discovery")]
        done = attempt([self.ready.source.kubectl, *places, *arguments], input=input, seconds=seconds)
        if check and done.returncode != 0:
            raise AssertionError(f"kubectl {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
        return done

    def apply(self, what: Manifest, namespace: str | None = None, *options: str) -> subprocess.CompletedProcess[str]:
        """Apply a file, a folder with a kustomization, a text, an object or a list of objects."""
        arguments = ["apply", *options, *(["--namespace", namespace] if namespace else [])]
        if isinstance(what, Path):
            kustomized = what.is_dir() and (what / "kustomization.yaml").exists()
            return self.kubectl(*arguments, "--kustomize" if kustomized else "--filename", str(what))
        if isinstance(what, dict):
            what = [what]
        text = what if isinstance(what, str) else "\n---\n".join(json.dumps(document) for document in what)
        return self.kubectl(*arguments, "--filename", "-", input=text)

    def load_image(self, name: str) -> None:
        """Give an image of the Docker engine to the node."""
        run([self.ready.source.kind, "load", "docker-image", name, "--name", self.name])

    @contextmanager
    def fresh_namespace(
        self, prefix: str = "test", pod_security: str = "restricted", simulator: bool = True
    ) -> Iterator[Namespace]:
        """Make a namespace with a name of its own, and delete it afterwards."""
        namespace = Namespace(self, f"{prefix}-{uuid.uuid4().hex[:8]}")
        try:
            self._fill(namespace, pod_security, simulator)
            yield namespace
        finally:
            self.kubectl("delete", "namespace", namespace.name, "--wait=false", "--ignore-not-found", check=False)

    def _fill(self, namespace: Namespace, pod_security: str, with_simulator: bool) -> None:
        manifests = [simulator.namespace_manifest(namespace.name, pod_security)]
        if with_simulator:
            manifests += simulator.manifests(namespace.name, self.image)
        self.apply(manifests)
        if with_simulator:
            deployment = f"deployment/{simulator.NAME}"
            namespace.kubectl("rollout", "status", deployment, "--timeout=180s", seconds=200)

    @contextmanager
    def reachable(self, url: str) -> Iterator[str]:
        """Yield an URL under which pods reach a server of this machine's loopback."""
        parts = urlsplit(url)
        assert parts.port, f"{url} has no port"
        network = json.loads(run(["docker", "network", "inspect", "kind"]))[0]
        gateway = next(entry["Gateway"] for entry in network["IPAM"]["Config"] if "." in entry.get("Gateway", ""))
        with relay(gateway, parts.port) as port:
            yield urlunsplit((parts.scheme, f"{gateway}:{port}", parts.path, parts.query, ""))


@functools.cache
def shared() -> Cluster:
    """Give the cluster to code that has no fixtures; made or connected to once a process."""
    ready = lifecycle.ensure()
    return Cluster(ready, ready.kind)
