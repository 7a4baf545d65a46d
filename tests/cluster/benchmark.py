"""`./scripts/bench-tekton [--write] [CASE …]`: the Task's overhead, and fifty suites at once on the one-node cluster."""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kubernetes import client, watch

from .builder.places import HERE
from .catalog import install, pipelinerun, taskrun
from .memory import Peaks
from .namespace import Namespace
from .session import Cluster, shared

ROUNDS = 5
VERDICTS = {"passes": "passed", "fails": "failed", "empty": "empty", "canceled": "canceled", "takes-2": "passed"}
FIFTY = [*["takes-2"] * 20, *["passes"] * 10, *["fails"] * 10, *["empty"] * 5, *["canceled"] * 5]


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    measured: str
    bar: str
    good: bool


def seconds(cluster: Cluster, namespace: Namespace, run: dict[str, Any]) -> float:
    """Create a TaskRun and time it until it is seen to have ended, to the instant and not to the status' whole seconds."""
    place = ("tekton.dev", "v1", namespace.name, "taskruns")
    name = run["metadata"]["name"]
    began = time.monotonic()
    cluster.custom.create_namespaced_custom_object(*place, body=run)
    stream = watch.Watch().stream(  # type: ignore[no-untyped-call] # as it is upstream
        client.CustomObjectsApi(cluster.api).list_namespaced_custom_object,
        *place,
        field_selector=f"metadata.name={name}",
        timeout_seconds=120,
    )
    for event in stream:
        for condition in event["object"].get("status", {}).get("conditions", []):
            if condition["type"] == "Succeeded" and condition["status"] != "Unknown":
                assert condition["status"] == "True", condition
                return time.monotonic() - began
    raise AssertionError(f"{name} has not ended")


def bare(cluster: Cluster, name: str) -> dict[str, Any]:
    """Give what the Task is compared with: a step that sleeps two seconds and writes a result, without a script."""
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    step = {
        "name": "sleep",
        "image": cluster.busybox,
        "command": ["sh", "-c", "sleep 2; echo -n done >$(results.word.path)"],
        "securityContext": {**secure, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    spec = {"taskSpec": {"results": [{"name": "word"}], "steps": [step]}}
    return {"apiVersion": "tekton.dev/v1", "kind": "TaskRun", "metadata": {"name": name}, "spec": spec}


def overhead(cluster: Cluster) -> Iterator[Row]:
    """A TaskRun of a suite that takes two seconds against a bare one, in turns."""
    ours, theirs = [], []
    with cluster.fresh_namespace("bench") as namespace:
        install(namespace)
        values: dict[str, str | list[str]] = {"suites": "takes-2", "api-url": namespace.simulator.url}
        for number in range(ROUNDS + 1):
            theirs.append(seconds(cluster, namespace, bare(cluster, f"bare-{number}")))
            ours.append(seconds(cluster, namespace, taskrun(f"ours-{number}", "reflect-run", values)))
            print(f"round {number}: bare {theirs[-1]:.2f} s, reflect-run {ours[-1]:.2f} s", file=sys.stderr)
    one, other = statistics.median(ours[1:]), statistics.median(theirs[1:])  # the first round warms up
    measured = f"{one:.2f} s against {other:.2f} s: {one - other:+.2f} s"
    what = "TaskRun of a suite that takes 2 s, against one of a bare `sleep 2` with a result (median of 5)"
    yield Row(what, measured, "at most 1.0 s more", one - other <= 1.0)


def fifty(cluster: Cluster) -> Iterator[Row]:
    """Fifty suites of mixed verdicts by the Pipeline's matrix, all at once."""
    with cluster.fresh_namespace("bench") as namespace:
        install(namespace)
        values: dict[str, str | list[str]] = {"suites": FIFTY, "api-url": namespace.simulator.url}
        began = time.monotonic()
        with Peaks("/usr/local/bin/reflect-ci", "run") as peaks:
            namespace.apply(pipelinerun("fifty", "deploy-and-test", values))
            finished = namespace.finished("pipelinerun", "fifty", seconds=1200)
        took = time.monotonic() - began
        right, runs = 0, namespace.get_all("taskruns", "tekton.dev/pipelineTask=test")
        for run in runs:
            given = {param["name"]: param["value"] for param in run["spec"]["params"]}
            results = {result["name"]: result["value"] for result in run["status"].get("results", [])}
            right += results.get("verdict") == VERDICTS[given["suites"]]
        started = len(namespace.simulator.started())
    assert finished.condition[0] == "False", "a Pipeline with failed suites must not be green"
    yield Row(
        f"50 suites by matrix ({took:.0f} s)",
        f"{right} verdicts right, {started} executions",
        "all",
        right == started == 50,
    )
    found = peaks.all()
    greatest = f"{found[0] / 1e6:.1f} MB of {len(found)} seen" if found else "none seen"
    yield Row("… greatest working set of a container", greatest, "at most 40 MB", bool(found) and found[0] <= 40e6)


CASES: dict[str, Callable[[Cluster], Iterator[Row]]] = {"overhead": overhead, "fifty": fifty}


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = [f"| {row.what} | {row.measured} | {row.bar}{'' if row.good else ' **(missed)**'} |" for row in rows]
    return "\n".join(["| what | measured | bar |", "|---|---|---|", *lines])


def main() -> int:
    """Return 1 when a bar was missed."""
    parser = argparse.ArgumentParser(prog="bench-tekton", description="Measure the Tekton Task on the test cluster.")
    parser.add_argument(
        "case", nargs="*", choices=[*CASES, []], metavar="CASE", help=f"{' or '.join(CASES)}; all when none is named"
    )
    parser.add_argument("--write", action="store_true", help="keep the table in tests/cluster/README.md")
    args = parser.parse_args()
    cluster = shared()
    rows = [row for name in args.case or CASES for row in CASES[name](cluster)]
    print(table(rows))
    if args.write:
        readme = HERE / "README.md"
        begin, end = "<!-- bench:begin -->", "<!-- bench:end -->"
        text = re.sub(
            f"{begin}.*{end}", lambda _: f"{begin}\n{table(rows)}\n{end}", readme.read_text(), flags=re.DOTALL
        )
        readme.write_text(text)
    return 0 if all(row.good for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
