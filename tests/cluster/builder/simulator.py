"""The simulated Reflect service inside of the cluster: the runner's image with another command."""

from __future__ import annotations

from . import tekton

NAME = "reflect-simulator"
NAMESPACE = "reflect-sim"
PORT = 8080


def manifests(namespace: str, image: str) -> list[tekton.Document]:
    """A Deployment and a Service that a `restricted` namespace admits."""
    labels = {"app.kubernetes.io/name": NAME}
    container = {
        "name": "simulator",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["simulate", "--host", "0.0.0.0", "--port", str(PORT)],
        "ports": [{"containerPort": PORT}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1, "failureThreshold": 60},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    pod = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": PORT}]},
        },
    ]


def namespace_manifest(name: str, pod_security: str = "restricted") -> tekton.Document:
    """A namespace that enforces a level of Pod Security."""
    labels = {"pod-security.kubernetes.io/enforce": pod_security, "app.kubernetes.io/part-of": "reflect-ci"}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def deploy(kubectl: tekton.Kubectl, image: str) -> None:
    """Make sure that the service that people use is there: http://reflect-simulator.reflect-sim/v1."""
    tekton.apply(kubectl, [namespace_manifest(NAMESPACE), *manifests(NAMESPACE, image)])
