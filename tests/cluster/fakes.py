"""Pretended docker, kind and kubectl: they keep their state in a folder and write down how they were called."""

from __future__ import annotations

import json
import sys
from pathlib import Path

KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: u, user: {}}]
contexts: [{name: k, context: {cluster: c, user: u}}]
current-context: k
"""


def install(folder: Path, state: Path) -> None:
    """Write the three programs into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    state.mkdir(parents=True, exist_ok=True)
    for name in ("docker", "kind", "kubectl"):
        program = folder / name
        program.write_text(f"#!{sys.executable} -SE\nimport sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n")
        with program.open("a") as stream:
            stream.write(f"import fakes, pathlib\nfakes.{name}(pathlib.Path({str(state)!r}), sys.argv[1:])\n")
        program.chmod(0o755)


def log(state: Path) -> list[str]:
    """Give the calls so far."""
    path = state / "log"
    return path.read_text().splitlines() if path.exists() else []


def _note(state: Path, name: str, arguments: list[str]) -> None:
    with (state / "log").open("a") as stream:
        stream.write(" ".join([name, *arguments]) + "\n")


def docker(state: Path, arguments: list[str]) -> None:
    """Know one container, which exists as long as the file `node` does."""
    _note(state, "docker", arguments)
    node = state / "node"
    if arguments[:2] == ["container", "inspect"]:
        if not node.exists():
            sys.exit(1)
        print(node.read_text())
    elif arguments[:1] == ["rm"]:
        node.unlink(missing_ok=True)
        (state / "mark").unlink(missing_ok=True)
    elif arguments[:1] == ["info"]:
        print("20.10")


def kind(state: Path, arguments: list[str]) -> None:
    """Create the container with the image that is asked for."""
    _note(state, "kind", arguments)
    options = dict(part.split("=", 1) for part in arguments if part.startswith("--") and "=" in part)
    if arguments[:2] == ["get", "clusters"] and (state / "node").exists():
        print("reflect-ci")
    elif arguments[:2] == ["create", "cluster"]:
        (state / "node").write_text(f"true 2026-01-01T00:00:00.5Z {options['--image']}")
        Path(options["--kubeconfig"]).write_text(KUBECONFIG)
    elif arguments[:2] == ["export", "kubeconfig"]:
        Path(arguments[arguments.index("--kubeconfig") + 1]).write_text(KUBECONFIG)


def kubectl(state: Path, arguments: list[str]) -> None:
    """Answer as a cluster on which everything is ready; keep the ConfigMap that marks what is installed."""
    arguments = arguments[4:]  # --kubeconfig FILE --cache-dir FOLDER
    _note(state, "kubectl", arguments)
    if (state / "silent").exists():
        print("connection refused", file=sys.stderr)
        sys.exit(1)
    if arguments[0] == "apply":
        for text in sys.stdin.read().split("\n---\n"):
            document = json.loads(text)
            _note(state, "applied", [document["kind"], document["metadata"]["name"]])
            if document["metadata"]["name"] == "reflect-ci-cluster":
                (state / "mark").write_text(json.dumps(document))
    elif arguments[:2] == ["get", "nodes"]:
        print(json.dumps({"items": [{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}]}))
    elif arguments[:2] == ["get", "configmap"]:
        print((state / "mark").read_text() if (state / "mark").exists() else "")
    elif arguments[:2] == ["get", "pods"]:
        # The state of the second look on is of after a restart.
        looked = state / "looked"
        begun = "2026-01-01T00:00:09Z" if looked.exists() or not (state / "stale").exists() else "2025-12-31T00:00:00Z"
        if (state / "stale").exists():
            looked.touch()
        status = {
            "phase": "Running",
            "containerStatuses": [{"ready": True, "state": {"running": {"startedAt": begun}}}],
        }
        print(json.dumps({"items": [{"metadata": {"name": "p"}, "status": status}]}))
    elif arguments[:2] == ["get", "deployments"]:
        ready = {"observedGeneration": 1, "readyReplicas": 1}
        item = {"metadata": {"name": "d", "generation": 1}, "spec": {"replicas": 1}, "status": ready}
        print(json.dumps({"items": [item]}))
    elif arguments[0] == "get":
        print(json.dumps({"webhooks": [{"clientConfig": {"caBundle": "x"}}]}))
