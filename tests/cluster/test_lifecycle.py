"""When the cluster is made, reused or replaced, and where its parts come from: with pretended docker, kind and kubectl."""

from __future__ import annotations

import http.server
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliver.image import Built
from tests.cluster import fakes
from tests.cluster.builder import health, lifecycle, progress, sources
from tests.cluster.builder.places import ClusterError, kubeconfig

RELEASES = {
    "/tekton/pipeline/previous/v1.9.0/release.yaml": """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: hook}
webhooks: []
---
apiVersion: v1
kind: ConfigMap
metadata: {name: feature-flags}
---
apiVersion: v1
kind: Namespace
metadata: {name: tekton-pipelines}
""",
    "/tekton/triggers/previous/v0.34.0/release.yaml": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: triggers}}",
    "/tekton/triggers/previous/v0.34.0/interceptors.yaml": "{kind: ClusterInterceptor, metadata: {name: github}}",
    "/kind/v0.33.0/kind-linux-amd64": "#!/bin/sh\necho kind\n",
    "/kind/v0.33.0/kind-linux-arm64": "#!/bin/sh\necho kind\n",
}


@pytest.fixture
def releases(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve the releases and give the list of what was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            text = RELEASES.get(self.path, "")
            self.send_response(200 if text else 404)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("REFLECT_TEKTON_RELEASES", f"{base}/tekton")
    monkeypatch.setenv("REFLECT_KIND_RELEASES", f"{base}/kind")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, releases: list[str]) -> Path:
    """Put the pretended programs on the PATH and give the folder of their state."""
    assert releases == []
    state = tmp_path / "state"
    fakes.install(tmp_path / "bin", state)
    (tmp_path / "image.tar").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.defpath}")
    monkeypatch.setenv("REFLECT_CI_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REFLECT_CLUSTER_SOURCE", "registry")
    monkeypatch.delenv("REFLECT_NODE_IMAGE", raising=False)
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    built = Built(tmp_path / "image.tar", ("reflect-ci:0.1.0", "reflect-ci:0.1.0-one"))
    monkeypatch.setattr("deliver.image.build", lambda: built)
    return state


def creations(state: Path) -> int:
    """Count how often a cluster was created."""
    return sum(line.startswith("kind create cluster") for line in fakes.log(state))


def test_with_a_registry_published_parts_make_the_cluster(state: Path, releases: list[str]) -> None:
    """With REFLECT_CLUSTER_SOURCE=registry kindest/node is used, and Tekton's releases are applied in a safe order."""
    ready = lifecycle.ensure()
    calls = fakes.log(state)
    assert any(f"--image={sources.NODE_IMAGE}" in call for call in calls if call.startswith("kind create"))
    assert [path for path in releases if "tekton" in path] == [path for path in RELEASES if "tekton" in path]
    applied = [call.split()[1] for call in calls if call.startswith("applied")][:5]
    assert applied == ["Namespace", "ConfigMap", "Deployment", "ValidatingWebhookConfiguration", "ClusterInterceptor"]
    assert any("patch configmap feature-flags" in call and "set-security-context" in call for call in calls)
    assert any(call.startswith("kind load image-archive") for call in calls)
    assert ready.runner == "reflect-ci:0.1.0"
    assert ready.source.busybox == "busybox:1.36"


def test_a_healthy_cluster_is_reused(state: Path) -> None:
    """A second call creates nothing, installs nothing and loads nothing."""
    lifecycle.ensure()
    node = state / "node"  # kind names an image by its digest alone
    node.write_text(node.read_text().replace("kindest/node:v1.37.0@", "kindest/node@"))
    before = len(fakes.log(state))
    lifecycle.ensure()
    later = fakes.log(state)[before:]
    assert creations(state) == 1
    assert not any(call.startswith(("kind create", "kind load")) for call in later)
    assert not any("Deployment triggers" in call for call in later)


def test_a_new_runner_is_loaded_into_the_same_cluster(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another image of the runner replaces the one before without a new cluster."""
    lifecycle.ensure()
    other = Built(state / "image.tar", ("reflect-ci:0.1.0", "reflect-ci:0.1.0-two"))
    monkeypatch.setattr("deliver.image.build", lambda: other)
    lifecycle.ensure()
    assert creations(state) == 1
    assert sum(call.startswith("kind load") for call in fakes.log(state)) == 2


@pytest.mark.parametrize("broken", ["stopped", "other image", "silent"])
def test_a_broken_cluster_is_replaced(state: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """A node that is stopped, of other inputs or does not answer any more gives way to a new one."""
    lifecycle.ensure()
    node = state / "node"
    if broken == "stopped":
        node.write_text(node.read_text().replace("true", "false"))
    elif broken == "other image":
        node.write_text("true 2026-01-01T00:00:00Z kindest/node:v1.0.0")
    else:
        (state / "silent").touch()
        monkeypatch.setattr(lifecycle, "PATIENCE", 0.0)

        def heal(command: list[str]) -> str:
            (state / "silent").unlink()
            return progress.run(command)

        monkeypatch.setattr(lifecycle, "run", heal)
        monkeypatch.setattr(lifecycle, "load_archive", lambda *_: None)
    lifecycle.ensure()
    assert creations(state) == 2


def test_what_was_ready_before_a_crash_is_not_ready_now(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that came back with its old state is waited for until its pods have really started again."""
    lifecycle.ensure()
    (state / "stale").touch()
    said: list[str | None] = []

    def look(source: sources.Source) -> str | None:
        said.append(health.trouble(source))
        return said[-1]

    monkeypatch.setattr(lifecycle, "trouble", look)
    lifecycle.ensure()
    assert said[0] == "kube-system/p is not ready"
    assert said[-1] is None
    assert creations(state) == 1


def test_a_lost_kubeconfig_is_written_again(state: Path) -> None:
    """Another cache folder, or a deleted kubeconfig, costs no cluster."""
    lifecycle.ensure()
    kubeconfig().unlink()
    lifecycle.ensure()
    assert creations(state) == 1
    assert kubeconfig().exists()


def test_down_deletes_the_node(state: Path) -> None:
    """After down there is no cluster, and no kubeconfig that names one."""
    lifecycle.ensure()
    assert lifecycle.exists()
    lifecycle.down()
    assert not lifecycle.exists()
    assert any(call.startswith("docker rm") for call in fakes.log(state))
    assert not kubeconfig().exists()


def test_a_missing_program_is_fetched_once(state: Path, releases: list[str], tmp_path: Path) -> None:
    """Where there is no kind, the published one is fetched, made executable and kept."""
    assert state.exists()
    (tmp_path / "bin" / "kind").unlink()
    if any((Path(folder) / "kind").exists() for folder in os.environ["PATH"].split(":")):
        pytest.skip("this machine has a kind of its own")
    first, second = sources.chosen().kind, sources.chosen().kind
    assert first == second
    assert os.access(first, os.X_OK)
    assert sum(path.startswith("/kind/") for path in releases) == 1


def test_an_unreachable_release_says_what_to_do(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release that cannot be read is named together with the way that needs none."""
    assert state.exists()
    monkeypatch.setenv("REFLECT_TEKTON_RELEASES", "http://127.0.0.1:1/none")
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1:1/none/pipeline.*unset REFLECT_CLUSTER_SOURCE"):
        sources.chosen().manifests()


def test_an_unknown_source_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt REFLECT_CLUSTER_SOURCE is not taken for the default."""
    monkeypatch.setenv("REFLECT_CLUSTER_SOURCE", "registery")
    with pytest.raises(ClusterError, match="`built` or `registry`"):
        sources.chosen()
