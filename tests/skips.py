"""A test that is skipped without an agreed reason is a failed test.

The agreed reasons are the first column of the table in README.md under "Tests that may be skipped"; `…` in a reason
stands for any text. So a machine that lacks something cannot quietly test less.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
TITLE = "Tests that may be skipped"


def agreed(readme: str) -> list[re.Pattern[str]]:
    """Return the reasons that the README's table allows."""
    match = re.search(rf"(?ms)^#+ {TITLE}\n(.*?)(?=^#|\Z)", readme)
    rows = re.findall(r"(?m)^\| *`([^`]+)` *\|", match[1]) if match else []
    return [re.compile(".*".join(re.escape(part) for part in row.split("…"))) for row in rows]


def is_agreed(reason: str) -> bool:
    """Return whether the README allows a skip for this reason."""
    text = README.read_text(encoding="utf-8") if README.is_file() else ""
    return any(pattern.fullmatch(reason) for pattern in agreed(text))


def refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a report of a skip into a failure, unless its reason is agreed (or the test is expected to fail)."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    where = report.longrepr
    reason = str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")
    if not is_agreed(reason):
        report.outcome = "failed"
        report.longrepr = f"skipped, but README.md ({TITLE}) does not allow it: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Look at every test's report."""
    report = yield
    refuse(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Look at every module's report: a whole module can be skipped, too."""
    report = yield
    refuse(report)
    return report
