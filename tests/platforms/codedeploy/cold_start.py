"""How long a cold start of the hook takes until its first request reaches the service, in the emulator.

`./scripts/bench lambda` measures it. The time counts from the call of the function: start of Python, imports, the secret,
the request.
"""

from __future__ import annotations

import tempfile
import time
import uuid
from pathlib import Path

from deliver.codedeploy import PACKAGE
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY
from tests.platforms.codedeploy import emulator
from tests.platforms.codedeploy.aws import SECRET, Aws


def once(tmp: Path) -> float:
    """Return the seconds from the call to the first request, in a new sandbox."""
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        environ = {
            "REFLECT_API_URL": sim.url, "REFLECT_SUITES": "passes", "REFLECT_SECRET_ARN": SECRET,
            "REFLECT_REPORT_DIR": str(tmp / "reports"),
            **aws.environ,
        }  # fmt: skip
        with emulator.function("codedeploy_hook.handler", environ, tmp) as function:
            began = time.time()
            function.call({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": uuid.uuid4().hex})
        assert [each["status"] for each in aws.statuses] == ["Succeeded"]
        return sim.calls[0].at - began


def measure(rounds: int) -> tuple[list[float], float]:
    """Return the seconds of each round, and the package's size in MB."""
    with tempfile.TemporaryDirectory(prefix="cold-start-") as folder:
        size = (emulator.unpacked(Path(folder)).parent / "built" / PACKAGE).stat().st_size
        return [once(Path(folder)) for _ in range(rounds)], size / 1e6
