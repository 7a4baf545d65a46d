"""The cluster itself: what is in it, that it is shared and reused, and that its pieces do what tests rely on."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from pytest_kind import KindCluster  # type: ignore[import-untyped] # it comes without types

from deliver import image
from reflect_ci.simulate import Simulator
from tests.cluster.builder.places import cache
from tests.cluster.namespace import Namespace
from tests.cluster.session import Cluster

pytestmark = pytest.mark.engine
ROOT = Path(__file__).resolve().parents[2]


def taskrun(name: str, step: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A TaskRun of one step that a `restricted` namespace admits."""
    secure = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    task = {"steps": [{"name": "step", "securityContext": secure, **step}], **spec.pop("taskSpec", {})}
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "TaskRun",
        "metadata": {"name": name},
        "spec": {"taskSpec": task, **spec},
    }


def script(cluster: Cluster, text: str) -> dict[str, Any]:
    """A step that runs a shell script."""
    return {"image": cluster.busybox, "script": f"#!/bin/sh\nset -eu\n{text}\n"}


def test_tekton_is_installed_and_ready(cluster: Cluster) -> None:
    """All deployments of Pipelines and Triggers are ready, in the versions that are promised."""
    versions = {}
    for namespace in ("tekton-pipelines", "tekton-pipelines-resolvers"):
        for item in json.loads(cluster.kubectl("get", "deployments", "-n", namespace, "-o", "json").stdout)["items"]:
            versions[item["metadata"]["name"]] = item["metadata"]["labels"].get("app.kubernetes.io/version")
            assert item["status"].get("readyReplicas", 0) >= 1, item["metadata"]["name"]
    assert versions["tekton-pipelines-controller"] == "v1.9.0"
    assert versions["tekton-pipelines-webhook"] == "v1.9.0"
    assert versions["tekton-triggers-controller"] == "v0.34.0"
    assert versions["tekton-triggers-core-interceptors"] == "v0.34.0"


def test_the_kubernetes_client_talks_to_it(cluster: Cluster) -> None:
    """The client package sees one ready node."""
    (node,) = cluster.core.list_node().items
    assert node.status
    conditions = {condition.type: condition.status for condition in node.status.conditions or []}
    assert conditions["Ready"] == "True"
    flags = cluster.core.read_namespaced_config_map("feature-flags", "tekton-pipelines").data
    assert flags
    assert flags["set-security-context"] == "true"


def test_pytest_kind_has_the_same_cluster(kind_cluster: KindCluster, cluster: Cluster, tmp_path: Path) -> None:
    """pytest-kind's fixture was given our kind, kubectl and node image, and made or found this very cluster."""
    assert kind_cluster is cluster.kind
    assert kind_cluster.name == "reflect-ci"
    assert Path(kind_cluster.kind_path) == cluster.ready.source.kind
    assert kind_cluster.image == cluster.ready.source.node_image
    assert "tekton-pipelines" in kind_cluster.kubectl("get", "namespaces", "--cache-dir", str(tmp_path))


def test_no_image_came_from_a_registry(cluster: Cluster) -> None:
    """Everything that runs was built here: the node was never told to pull."""
    if cluster.ready.source.name != "built":
        pytest.skip("this cluster is made of published images")
    events = cluster.core.list_event_for_all_namespaces(field_selector="reason=Pulling").items
    ours = [event for event in events if not (event.involved_object.namespace or "").startswith("test-")]
    assert [event.message for event in ours] == []


def test_a_step_with_a_result_and_a_claimed_volume(cluster: Cluster, namespace: Namespace) -> None:
    """A TaskRun in a `restricted` namespace runs a script, gives a result and keeps a file for the next TaskRun."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Mi"}}}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "shared"}, "spec": claim}
    namespace.apply(kind)
    more = {"workspaces": [{"name": "shared", "persistentVolumeClaim": {"claimName": "shared"}}]}
    declared = {"workspaces": [{"name": "shared"}], "results": [{"name": "word"}]}
    for name, text in (
        ("write", 'echo -n kept >"$(workspaces.shared.path)/file"; echo -n written >"$(results.word.path)"'),
        ("read", 'cp "$(workspaces.shared.path)/file" "$(results.word.path)"'),
    ):
        namespace.apply(taskrun(name, script(cluster, text), taskSpec=declared, **more))
        finished = namespace.finished("taskrun", name)
        assert finished.condition == ("True", "Succeeded"), finished.message
        assert finished.results == {"word": {"write": "written", "read": "kept"}[name]}


def test_a_restricted_namespace_refuses_what_it_must(cluster: Cluster, namespace: Namespace) -> None:
    """A step that runs as root is not admitted, so what is admitted elsewhere proves something."""
    run = taskrun("root", script(cluster, "true"))
    run["spec"]["taskSpec"]["steps"][0]["securityContext"] = {"runAsUser": 0, "privileged": True}
    namespace.apply(run)
    finished = namespace.finished("taskrun", "root")
    assert finished.condition[0] == "False"
    assert "PodSecurity" in finished.message


def test_pods_reach_the_simulated_service_and_the_test_reads_it(cluster: Cluster, namespace: Namespace) -> None:
    """What a pod sends to the service of its namespace shows in its call log, and can be forgotten."""
    line = f"wget -qO- --header 'x-api-key: k' {namespace.simulator.url}/suites"
    namespace.apply(taskrun("ask", script(cluster, line)))
    assert namespace.finished("taskrun", "ask").condition == ("True", "Succeeded")
    assert "passes" in namespace.logs("ask")
    assert [call["path"] for call in namespace.simulator.calls()] == ["/suites"]
    namespace.simulator.reset()
    assert namespace.simulator.calls() == []


def test_pods_reach_a_server_of_the_test(cluster: Cluster, namespace: Namespace) -> None:
    """A simulated service in the test's own process is reachable, also for a key that is refused."""
    with Simulator() as simulator, cluster.reachable(simulator.url) as url:
        lines = f"wget -qO- --header 'x-api-key: k' {url}/suites\nwget -qO- --header 'x-api-key: wrong-key' {url}/suites || echo that key is not taken"
        namespace.apply(taskrun("ask", script(cluster, lines)))
        assert namespace.finished("taskrun", "ask").condition == ("True", "Succeeded")
        assert [call.path for call in simulator.calls] == ["/suites", "/suites"]
        assert "that key is not taken\n" in namespace.logs("ask")  # among what wget says on its own


def test_another_image_can_be_given_to_the_node(cluster: Cluster, namespace: Namespace) -> None:
    """An image that only the Docker engine has runs after load_image, under its own name."""
    name = f"reflect-ci-test:{namespace.name}"
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    subprocess.run(["docker", "load", "--quiet", "--input", image.build().archive], env=env, check=True)
    subprocess.run(["docker", "tag", cluster.image, name], env=env, check=True)
    try:
        cluster.load_image(name)
        namespace.apply(taskrun("other", {"image": name, "command": ["reflect-ci"], "args": ["--version"]}))
        assert namespace.finished("taskrun", "other").condition == ("True", "Succeeded")
    finally:
        subprocess.run(["docker", "rmi", name], env=env, check=True, capture_output=True)


def test_a_second_up_reuses_it_quickly(cluster: Cluster, tmp_path: Path) -> None:
    """`./scripts/cluster up` of a person, from elsewhere, without a home: the same node, well under four minutes."""
    assert cluster.name == "reflect-ci"
    env = {
        name: os.environ[name] for name in ("PATH", "REFLECT_CI_CACHE", "XDG_CACHE_HOME", "HOME") if name in os.environ
    }
    env.setdefault("REFLECT_CI_CACHE", str(cache()))
    env.pop("HOME", None)
    node = ["docker", "container", "inspect", "--format", "{{.Id}}", "reflect-ci-control-plane"]
    before = subprocess.run(node, env=env, capture_output=True, text=True, check=True).stdout
    began = time.monotonic()
    done = subprocess.run(
        [ROOT / "scripts" / "cluster", "up"],
        cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 240
    assert subprocess.run(node, env=env, capture_output=True, text=True, check=True).stdout == before
    assert f"export KUBECONFIG={cluster.kubeconfig}" in done.stdout
    status = subprocess.run(
        [ROOT / "scripts" / "cluster", "status"], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert "node: running" in status.stdout
