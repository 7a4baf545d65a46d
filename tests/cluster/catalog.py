"""What the tests of the Tekton files share: the catalog in a namespace, runs of it, and a volume that they can read."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from .builder.progress import run
from .namespace import Namespace
from .session import Cluster

ROOT = Path(__file__).resolve().parents[2]
TEKTON = ROOT / "tasks" / "tekton"
# The image that the files name; the node gets the one that was just built under this name, so the files stay as they are.
IMAGE = "ghcr.io/reflect-ci/reflect-ci:0.1.0"
KEY = "K3yThatMustNotLeakAnywhere0123456789abcd"


def give_image(cluster: Cluster) -> None:
    """Give the runner's image to the node under the name that users' files have; it is there already, so this is quick."""
    here = f"docker.io/library/{cluster.image}"
    run(
        [
            "docker",
            "exec",
            f"{cluster.name}-control-plane",
            "ctr",
            "--namespace",
            "k8s.io",
            "images",
            "tag",
            "--force",
            here,
            IMAGE,
        ]
    )


def install(namespace: Namespace) -> None:
    """Apply the kustomization that users apply, and make the Secret of the key."""
    give_image(namespace.cluster)
    namespace.apply(TEKTON)
    namespace.secret("reflect-api-key", {"api-key": KEY})


def kustomized(namespace: Namespace, sample: str, *replaced: tuple[str, str]) -> str:
    """Return what a sample's kustomization gives, for this namespace, with texts replaced that must be there."""
    text = namespace.kubectl("kustomize", str(TEKTON / "samples" / sample)).stdout
    documents = []
    for document in yaml.safe_load_all(text):
        if document["kind"] == "ClusterRoleBinding":  # the only object outside of the namespace: one for each test
            document["metadata"]["name"] += f"-{namespace.name}"
        if document["metadata"].get("namespace") == "reflect":
            document["metadata"]["namespace"] = namespace.name
        for subject in document.get("subjects", []):
            subject["namespace"] = namespace.name
        documents.append(json.dumps(document, ensure_ascii=False))
    done = "\n---\n".join(documents)
    for old, new in replaced:
        assert old in done, old
        done = done.replace(old, new)
    return done


def forget_cluster_role_bindings(namespace: Namespace, *names: str) -> None:
    """Delete what a trigger left outside of its namespace."""
    for name in names:
        namespace.cluster.kubectl(
            "delete", "clusterrolebinding", f"{name}-{namespace.name}", "--ignore-not-found", check=False
        )


def params(values: Mapping[str, str | list[str]]) -> list[dict[str, Any]]:
    """Return params as a run lists them."""
    return [{"name": name, "value": value} for name, value in values.items()]


def taskrun(name: str, task: str, values: Mapping[str, str | list[str]], **spec: Any) -> dict[str, Any]:
    """Return a TaskRun."""
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {"name": name},
        "spec": {"taskRef": {"name": task, "kind": "Task"}, "params": params(values), **spec},
    }


def pipelinerun(name: str, pipeline: str, values: Mapping[str, str | list[str]], **spec: Any) -> dict[str, Any]:
    """Return a PipelineRun."""
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": {"pipelineRef": {"name": pipeline}, "params": params(values), **spec},
    }


def exit_code(taskrun: Mapping[str, Any]) -> int | None:
    """Return the exit code of a TaskRun's only step, None when it never ran."""
    steps = taskrun.get("status", {}).get("steps") or [{}]
    terminated = steps[0].get("terminated") or {}
    code = terminated.get("exitCode")
    return None if code is None else int(code)


@dataclass(frozen=True)
class Volume:
    """A claim in a namespace, readable from the test."""

    namespace: Namespace
    name: str = "reflect-reports"

    @property
    def workspace(self) -> dict[str, Any]:
        """The workspace `reports`, bound to it."""
        return {"name": "reports", "persistentVolumeClaim": {"claimName": self.name}}

    def make(self) -> None:
        """Make the claim; the folder comes with the first pod that mounts it."""
        self.namespace.apply(
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": self.name},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}},
            }
        )

    def copy(self, folder: str, target: Path) -> Path | None:
        """Copy a folder of the volume here; None when it does not exist."""
        claim = self.namespace.get("persistentvolumeclaim", self.name)
        volume = self.namespace.get("persistentvolume", claim["spec"].get("volumeName") or "none")
        source = (volume["spec"].get("hostPath") or volume["spec"].get("local"))["path"]
        shutil.rmtree(target, ignore_errors=True)
        node = f"{self.namespace.cluster.name}-control-plane"
        done = subprocess.run(
            ["docker", "cp", f"{node}:{source}/{folder}", str(target)],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        return target if done.returncode == 0 else None
