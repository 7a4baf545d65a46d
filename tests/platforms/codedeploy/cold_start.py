"""How long a cold start of the hook takes until its first request reaches the service, in the emulator.

    .venv/bin/python -m tests.platforms.codedeploy.cold_start [ROUNDS]

prints the median and the best, and beside them how long a bare Python takes to import boto3: how busy the machine is. The
time counts from the call of the function: start of Python, imports, the secret, the request.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

from deliver.codedeploy import PACKAGE
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, path_with_runner
from tests.platforms.codedeploy import emulator
from tests.platforms.codedeploy.aws import SECRET, Aws

BAR_SECONDS, BAR_BYTES = 1.0, 3_000_000


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


def bare() -> float:
    """Return the seconds that Python takes to start and to import boto3, which is Lambda's own."""
    began = time.time()
    subprocess.run([sys.executable, "-c", "import boto3"], env={"PATH": path_with_runner()}, check=True)
    return time.time() - began


def main(arguments: list[str]) -> int:
    """Print what was measured; 1 when a bar was missed."""
    rounds = int(arguments[0]) if arguments else 7
    with tempfile.TemporaryDirectory(prefix="cold-start-") as folder:
        size = (emulator.unpacked(Path(folder)).parent / "built" / PACKAGE).stat().st_size
        measured = [(once(Path(folder)), bare()) for _ in range(rounds)]
    seconds, bares = zip(*measured, strict=True)
    median = statistics.median(seconds)
    print("| what | measured | bar |\n|---|---|---|")
    print(f"| cold start to the first request, median of {rounds} (best) | {median:.2f} s ({min(seconds):.2f} s) | 1 s |")
    print(f"| of it a bare Python with boto3, median (best) | {statistics.median(bares):.2f} s ({min(bares):.2f} s) | |")
    print(f"| package | {size / 1e6:.1f} MB | 3 MB |")
    return 0 if median <= BAR_SECONDS and size <= BAR_BYTES else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
