"""What is measured: each case returns rows (what, ours, beside it, bar)."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmark.process import PYTHON, RUNNER, environment, median, run
from reflect_ci.simulate import Simulator

# A bare script with the same request: what any client in Python pays at the least.
BARE = """
import os, requests
requests.get(os.environ["REFLECT_API_URL"] + "/suites/passes/executions", headers={"X-API-KEY": os.environ["REFLECT_API_KEY"]})
"""
# The vendor's page: start by curl, then poll every five seconds, reading with grep so that jq is not needed here.
PAGE = """
id=$(curl -s -X POST -H "X-API-KEY: $REFLECT_API_KEY" -d '{}' "$REFLECT_API_URL/suites/SUITE/executions" | grep -o '"executionId": *[0-9]*' | grep -o '[0-9]*$')
while curl -s -H "X-API-KEY: $REFLECT_API_KEY" "$REFLECT_API_URL/suites/SUITE/executions/$id" | grep -q '"isFinished": *false'; do sleep PAUSE; done
"""


@dataclass
class Row:
    """One line of the table."""

    what: str
    ours: str
    beside: str
    bar: str
    good: bool


@contextmanager
def workplace() -> Iterator[Path]:
    """Yield a folder for reports."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "report"


def start_up() -> Iterator[Row]:
    """--help, and the time to the first request."""
    with Simulator() as sim, workplace() as reports:
        environ = environment(sim.url, reports)
        bare = median(lambda: run([PYTHON, "-c", "pass"], environ).seconds, 20)
        ours = median(lambda: run([RUNNER, "--help"], environ).seconds, 20)
        more = (ours - bare) * 1000
        yield Row(
            "`reflect-ci --help`",
            f"{ours * 1000:.0f} ms",
            f"`python3 -c pass` {bare * 1000:.0f} ms",
            f"at most 45 ms more: {more:.0f} ms",
            more <= 45,
        )

        def first(argv: list[str]) -> float:
            known = len(sim.calls)
            begun = time.time()
            run(argv, environ)
            return sim.calls[known].at - begun

        bare = median(lambda: first([PYTHON, "-c", BARE]), 10)
        ours = median(lambda: first([RUNNER, "run", "passes"]), 10)
        more = (ours - bare) * 1000
        yield Row(
            "process start to first request",
            f"{ours * 1000:.0f} ms",
            f"a bare script with `requests` {bare * 1000:.0f} ms",
            f"at most 50 ms more: {more:.0f} ms",
            more <= 50,
        )


def one_suite(length: int, most: int) -> Iterator[Row]:
    """A suite of this many seconds: how long after its end the step ends, by how many requests."""
    with Simulator() as sim, workplace() as reports:
        environ = environment(sim.url, reports)
        suite = f"takes-{length}"
        took, late, calls = _late(sim, [RUNNER, "run", suite], environ, length)
        others = []
        for name, pause in (("the page's loop of 5 s", "5"), ("a loop of 10 s", "10")):
            script = PAGE.replace("SUITE", suite).replace("PAUSE", pause)
            _other, other_late, other_calls = _late(sim, ["sh", "-c", script], environ, length)
            others.append(f"{name} {other_late:.1f} s, {other_calls}")
        limit = 0.35 + length / 10
        yield Row(
            f"a suite of {length} s: exit after its end, requests",
            f"{late:.2f} s, {calls}",
            "; ".join(others),
            f"at most {limit:.2f} s and {most}",
            late <= limit and calls <= most,
        )
        yield Row(f"peak memory of that run ({length} s)", f"{took:.0f} MB", "", "at most 40 MB", took <= 40)


def _late(sim: Simulator, argv: list[str], environ: dict[str, str], length: int) -> tuple[float, float, int]:
    known = len(sim.calls)
    took = run(argv, environ)
    start = next(call for call in sim.calls[known:] if call.method == "POST")
    return took.megabytes, took.ended - (start.at + length), len(sim.calls) - known


def thousand(number: int = 1000) -> Iterator[Row]:
    """So many executions of 20 to 60 s in one process, against a simulated service in another."""
    suites: dict[str, dict[str, Any]] = {
        f"suite-{n}": {"takes": 20 + 40 * n / (number - 1), "tests": 1, "status": "failed" if n % 50 == 7 else "passed"}
        for n in range(number)
    }
    with workplace() as reports, _service(suites, reports) as url:
        environ = environment(url, reports)
        begun = time.time()
        took = run([RUNNER, "run", *suites, "--timeout", "10m"], environ, sockets=True)
        result = json.loads((reports / "result.json").read_text())
        right = all(
            (each["verdict"] == "failed") == (suites[each["suite"]]["status"] == "failed")
            for each in result["executions"]
        )
        last = max(_started(each) + suites[each["suite"]]["takes"] for each in result["executions"])
        late = took.ended - last
        share = late / (last - begun) * 100
        yield Row(
            f"{number:,} executions of 20 to 60 s: after the last end",
            f"{late:.1f} s ({share:.0f} %)",
            "",
            "within 10 %, all verdicts right",
            share <= 10 and right and took.code == 1,
        )
        yield Row("their peak memory", f"{took.megabytes:.0f} MB", "", "at most 120 MB", took.megabytes <= 120)
        yield Row("their connections at once", str(took.connections), "", "at most 16", took.connections <= 16)


def _started(execution: dict[str, str]) -> float:
    return datetime.fromisoformat(execution["startedAt"].replace("Z", "+00:00")).timestamp()


@contextmanager
def _service(suites: dict[str, dict[str, Any]], reports: Path) -> Iterator[str]:
    reports.parent.mkdir(parents=True, exist_ok=True)
    file = reports.parent / "scenarios.json"
    file.write_text(json.dumps({"suites": suites}))
    process = subprocess.Popen(
        [RUNNER, "simulate", "--port", "0", "--scenarios", str(file), "--log", str(reports.parent / "calls.log")],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout
    try:
        for line in process.stdout:
            found = re.search(r"http://[\w.:]+/v1", line)
            if found:
                yield found[0]
                break
    finally:
        process.terminate()
        process.wait(30)


def platforms() -> Iterator[Row]:
    """Job start to first request on the platforms' engines, with the runner installed, beside the vendor's curl line."""
    from tests.platforms import first_request, first_request_scripts

    for name, engine in {**first_request.ENGINES, **first_request_scripts.ENGINES}.items():
        curl, ours, _bare = (min(times) for times in first_request.measure(engine, 5))
        more = ours - curl
        yield Row(
            f"{name}: job start to first request",
            f"{ours:.2f} s",
            f"the vendor's curl line {curl:.2f} s",
            f"at most 0.5 s more: {more:.2f} s",
            more <= 0.5,
        )


def lambda_hook() -> Iterator[Row]:
    """A cold start of the CodeDeploy hook in Lambda's emulator until its first request, and the package's size."""
    from tests.platforms.codedeploy import cold_start

    seconds, megabytes = cold_start.measure(7)
    yield Row(
        "CodeDeploy's Lambda hook: cold start to first request",
        f"{statistics.median(seconds):.2f} s",
        "",
        "at most 1 s",
        statistics.median(seconds) <= 1,
    )
    yield Row("its package", f"{megabytes:.2f} MB", "", "at most 3 MB", megabytes <= 3)
