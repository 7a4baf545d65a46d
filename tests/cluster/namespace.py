"""One namespace of the cluster, and the simulated service in it."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .builder import simulator

if TYPE_CHECKING:
    from .session import Cluster, Manifest


@dataclass(frozen=True)
class Finished:
    """The end of a TaskRun or PipelineRun."""

    condition: tuple[str, str]
    """Status and reason of the condition Succeeded."""
    message: str
    results: dict[str, Any]
    object: dict[str, Any]


class Namespace:
    """A namespace that belongs to one test."""

    def __init__(self, cluster: Cluster, name: str):
        self.cluster = cluster
        self.name = name
        self.simulator = InnerSimulator(self)

    def kubectl(
        self, *arguments: str, input: str | None = None, check: bool = True, seconds: float = 180
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl("--namespace", self.name, *arguments, input=input, check=check, seconds=seconds)

    def apply(self, what: Manifest, *options: str) -> subprocess.CompletedProcess[str]:
        """Apply manifests to this namespace."""
        return self.cluster.apply(what, self.name, *options)

    def secret(self, name: str, values: dict[str, str]) -> None:
        """Make a Secret of texts."""
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values})

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Read an object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output", "json").stdout)
        return found

    def get_all(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Read all objects of a kind that carry the labels."""
        labels = ["--selector", selector] if selector else []
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *labels, "--output", "json").stdout)["items"]
        return found

    def finished(self, kind: str, name: str, seconds: float = 300) -> Finished:
        """Wait for the end of a TaskRun or PipelineRun, good or bad."""
        deadline = time.monotonic() + seconds
        while True:
            found = self.get(kind, name)
            status = found.get("status", {})
            for condition in status.get("conditions", []):
                if condition["type"] == "Succeeded" and condition["status"] in ("True", "False"):
                    results = {result["name"]: result["value"] for result in status.get("results", [])}
                    end = (condition["status"], condition.get("reason", ""))
                    return Finished(end, condition.get("message", ""), results, found)
            if time.monotonic() > deadline:
                pods = self.kubectl("get", "pods,events", check=False).stdout
                raise AssertionError(f"{kind} {name} has not ended after {seconds:.0f} s: {status}\n{pods}")
            time.sleep(0.5)

    def logs(self, taskrun: str) -> str:
        """Give what the steps of a TaskRun wrote; empty when its pod is gone."""
        pod = self.get("taskrun", taskrun).get("status", {}).get("podName")
        found = self.kubectl("get", "pod", pod, "--output", "json", check=False) if pod else None
        if found is None or found.returncode != 0:
            return ""
        names = [container["name"] for container in json.loads(found.stdout)["spec"]["containers"]]
        steps = [name for name in names if name.startswith("step-")]
        return "".join(self.kubectl("logs", pod, "--container", step, check=False).stdout for step in steps)

    def wait_for(self, predicate: Callable[[], object], seconds: float = 120) -> bool:
        """Poll until the predicate holds; say whether it did before the time was over."""
        deadline = time.monotonic() + seconds
        while not predicate():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.5)
        return True


class InnerSimulator:
    """The simulated service inside of a namespace, asked from the test through the API server."""

    def __init__(self, namespace: Namespace):
        self.namespace = namespace
        self.url = f"http://{simulator.NAME}.{namespace.name}/v1"
        self._raw = f"/api/v1/namespaces/{namespace.name}/services/{simulator.NAME}:80/proxy/_simulate/"

    def calls(self) -> list[dict[str, Any]]:
        """All calls that reached the service."""
        return self._get("calls")

    def started(self) -> list[dict[str, Any]]:
        """All executions that were started."""
        return self._get("started")

    def running(self) -> list[dict[str, Any]]:
        """Those of the started executions that are not finished."""
        return self._get("running")

    def wait_for(self, predicate: Callable[[InnerSimulator], object], seconds: float = 60) -> bool:
        """Poll until the predicate holds; say whether it did before the time was over."""
        return self.namespace.wait_for(lambda: predicate(self), seconds)

    def reset(self) -> None:
        """Forget all calls and executions."""
        self.namespace.cluster.kubectl("create", "--raw", self._raw + "reset", "--filename", "-", input="{}")

    def _get(self, what: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.namespace.cluster.kubectl("get", "--raw", self._raw + what).stdout
        )
        return found
