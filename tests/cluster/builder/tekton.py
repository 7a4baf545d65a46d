"""Tekton's manifests, from Go's copy of its modules or from its published releases, and how they are installed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from . import parts
from .gomodules import module_source
from .places import PIPELINE_VERSION, TRIGGERS_VERSION
from .progress import say, wait_until

Document = dict[str, Any]
Kubectl = Callable[..., str]  # (*arguments, input=None) -> what it wrote

NAMESPACES = ("tekton-pipelines", "tekton-pipelines-resolvers")
WEBHOOKS = ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration")
# What must be there before what: a namespace and a type before its objects, settings before the pods that read them.
ORDER = (
    *("Namespace", "CustomResourceDefinition", "ServiceAccount", "ClusterRole", "Role", "ClusterRoleBinding"),
    *("RoleBinding", "Secret", "ConfigMap", "Service", "Deployment", "HorizontalPodAutoscaler"),
)

# Tekton's own containers are admitted to a `restricted` namespace only with this.
FLAGS = {"set-security-context": "true"}


def built_manifests() -> list[Document]:
    """Read the manifests in the modules' source and put the images that were built here into them."""
    pipeline = module_source("tekton-pipeline", "github.com/tektoncd/pipeline") / "config"
    triggers = module_source("tekton-triggers", "github.com/tektoncd/triggers") / "config"
    documents = []
    for project, folder, version in (
        ("pipeline", pipeline, PIPELINE_VERSION),
        ("triggers", triggers, TRIGGERS_VERSION),
    ):
        for path in sorted(folder.rglob("*.yaml")):
            documents += _documents(_with_local_images(path.read_text(), project, version))
    return documents


def _with_local_images(text: str, project: str, version: str) -> str:
    lines = []
    for line in text.splitlines():
        if '"-shell-image",' in line:
            line = f'          "-shell-image", "{parts.BUSYBOX_IMAGE}",'
        for command in (parts.PIPELINE if project == "pipeline" else parts.TRIGGERS).split():
            reference = f"ko://github.com/tektoncd/{project}/cmd/{command}"
            # The command's whole name: `controller` must not match within a longer one.
            for end in ('"', ""):
                if line.rstrip().rstrip(",").endswith(reference + end) or f'{reference}",' in line:
                    line = line.replace(reference, parts.tekton_image(project, command))
        lines.append(line.replace('"devel"', f'"{version}"'))
    return "\n".join(lines)


def _documents(text: str) -> list[Document]:
    return [document for document in yaml.safe_load_all(text) if document]


def parse(texts: Iterable[str]) -> list[Document]:
    """Read manifests from texts."""
    return [document for text in texts for document in _documents(text)]


def install(kubectl: Kubectl, documents: list[Document]) -> None:
    """Apply the manifests in an order that no webhook can trip over, and wait until everything is ready."""
    first = sorted((d for d in documents if d["kind"] in ORDER), key=lambda d: ORDER.index(d["kind"]))
    hooks = [d for d in documents if d["kind"] in WEBHOOKS]
    rest = [d for d in documents if d["kind"] not in (*ORDER, *WEBHOOKS)]
    say(f"installing Tekton: {len(documents)} objects")
    apply(kubectl, first)
    wait_until("Tekton's pods", lambda: unready(kubectl, NAMESPACES), 300)
    # The hooks come when somebody answers them; before that each change of a ConfigMap would be refused.
    apply(kubectl, hooks)
    wait_until("Tekton's webhooks", lambda: _without_certificate(kubectl, hooks), 120)
    retried(kubectl, rest)
    flags = json.dumps({"data": FLAGS})
    wait_until("Tekton's settings", lambda: _refused(kubectl, "patch", "configmap", "feature-flags", "-p", flags), 120)


def apply(kubectl: Kubectl, documents: list[Document]) -> None:
    """Apply documents as one."""
    if documents:
        text = "\n---\n".join(json.dumps(document) for document in documents)
        kubectl("apply", "--server-side", "--force-conflicts", "--filename", "-", input=text)


def retried(kubectl: Kubectl, documents: list[Document]) -> None:
    """Apply what a webhook has to admit, which may still need a moment."""

    def refused() -> str | None:
        try:
            apply(kubectl, documents)
        except Exception as error:  # whatever it is, the last one is told after the time is over
            return str(error).splitlines()[-1]
        return None

    wait_until("Tekton's interceptors", refused, 120)


def unready(kubectl: Kubectl, namespaces: Iterable[str]) -> str | None:
    """Name a deployment that is not ready yet, or return None."""
    for namespace in namespaces:
        found = json.loads(kubectl("get", "deployments", "--namespace", namespace, "--output", "json"))["items"]
        if not found:
            return f"{namespace} has no deployments"
        for deployment in found:
            status = deployment.get("status", {})
            current = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
            if not current or status.get("readyReplicas", 0) < deployment["spec"].get("replicas", 1):
                return f"{namespace}/{deployment['metadata']['name']} is not ready"
    return None


def _without_certificate(kubectl: Kubectl, hooks: list[Document]) -> str | None:
    for hook in hooks:
        now = json.loads(kubectl("get", hook["kind"], hook["metadata"]["name"], "--output", "json"))
        if not all(entry["clientConfig"].get("caBundle") for entry in now["webhooks"]):
            return f"{hook['metadata']['name']} has no certificate yet"
    return None


def _refused(kubectl: Kubectl, *arguments: str) -> str | None:
    try:
        kubectl("--namespace", NAMESPACES[0], *arguments)
    except Exception as error:
        return str(error).splitlines()[-1]
    return None


def sources() -> list[Path]:
    """Files of ours that decide what is installed."""
    return [Path(__file__)]
