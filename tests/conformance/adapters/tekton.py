"""The Tekton Tasks reflect-run and reflect-cancel, as TaskRuns on a kind cluster."""

from __future__ import annotations

import atexit
import functools
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from reflect_ci.simulate import Simulator
from tests.conformance.frame import PATIENCE, Adapter, Case, Seen

if TYPE_CHECKING:
    from tests.cluster.catalog import Volume
    from tests.cluster.namespace import Namespace

NUMBERS = itertools.count(1)
TASKS = {"run": "reflect-run", "cancel": "reflect-cancel"}


@functools.cache
def place() -> tuple[Namespace, Volume]:
    """Give a `restricted` namespace with the catalog and a volume for reports, one a process."""
    from tests.cluster import catalog, session

    context = session.shared().fresh_namespace("conformance", simulator=False)
    namespace = context.__enter__()
    atexit.register(context.__exit__, None, None, None)
    catalog.install(namespace)
    volume = catalog.Volume(namespace)
    volume.make()
    return namespace, volume


class Tekton(Adapter):
    """Applies the kustomization as users do; a job is a TaskRun, a cancelled job is a cancelled TaskRun."""

    platform: ClassVar[str] = "tekton"
    engine: ClassVar[str] = "Tekton Pipelines v1.9.0 on a kind cluster, Kubernetes v1.34.4"
    needs_engine: ClassVar[bool] = True
    placeholder: ClassVar[str] = "$(params.api-key)"
    cannot: ClassVar[Mapping[str, str]] = {
        "collected-later": "No Task waits for what another one started: a TaskRun that waits costs a pod, and so does one that starts.",
    }

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:
        """Run a TaskRun to its end."""
        from tests.cluster import catalog

        namespace, volume = place()
        name = f"job-{next(NUMBERS)}"
        secret = f"key-of-{name}"
        if case.key is not None:
            namespace.secret(secret, {"api-key": case.key})
        inputs = dict(case.inputs)
        folder = f"{name}/{inputs.pop('report-dir')}" if "report-dir" in inputs else name
        values: dict[str, str | list[str]] = {**inputs, "secret-name": secret}
        spec: dict[str, Any] = {}
        if case.command == "run":
            values["report-dir"] = f"/workspace/reports/{folder}"
            spec["workspaces"] = [volume.workspace]
        with namespace.cluster.reachable(sim.url) as url:
            values["api-url"] = url
            namespace.apply(catalog.taskrun(name, TASKS[case.command], values, **spec))
            log = ""
            if case.cancel_when == "started":
                assert sim.wait_for(lambda service: bool(service.started), seconds=PATIENCE), (
                    f"nothing was started: {namespace.logs(name)}"
                )
                log = namespace.logs(name)  # the pod goes with the cancellation
                patch = json.dumps({"spec": {"status": "TaskRunCancelled"}})
                namespace.kubectl("patch", "taskrun", name, "--type=merge", f"--patch={patch}")
            end = namespace.finished("taskrun", name, PATIENCE)
            log = namespace.logs(name) or log
            if case.cancel_when:
                # The TaskRun says cancelled when its pod is told to stop; the runner has 30 s from then.
                sim.wait_for(lambda service: not service.running(), seconds=40)
        return Seen(
            green=end.condition[0] == "True",
            log=f"{log}\n{end.message}",
            exit_code=None if case.cancel_when else catalog.exit_code(end.object),
            outputs={result: str(value) for result, value in end.results.items()},
            reports=volume.copy(folder, tmp / "reports") if case.command == "run" else None,
        )


ADAPTER = Tekton()
