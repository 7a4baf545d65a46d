"""A test that is skipped without an agreed reason is a failed test.

The agreed ones are the rows (test, reason) of the table in README.md under "Tests that may be skipped"; `…` stands for
any text in both. So a machine that lacks something cannot quietly test less.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
TITLE = "Tests that may be skipped"


def pattern(cell: str) -> re.Pattern[str]:
    """Return what a cell of the table matches."""
    return re.compile(".*".join(re.escape(part) for part in cell.strip().strip("`").split("…")))


def agreed(readme: str) -> list[tuple[re.Pattern[str], re.Pattern[str]]]:
    """Return the rows of the README's table: which test may be skipped for which reason."""
    section = re.search(rf"(?ms)^#+ {TITLE}\n(.*?)(?=^#|\Z)", readme)
    rows = re.findall(r"(?m)^\|([^|\n]+)\|([^|\n]+)\|$", section[1]) if section else []
    return [(pattern(test), pattern(reason)) for test, reason in rows[2:]]  # below the head and its line


def is_agreed(test: str, reason: str) -> bool:
    """Return whether the README allows to skip this test for this reason."""
    text = README.read_text(encoding="utf-8") if README.is_file() else ""
    return any(tests.fullmatch(test) and reasons.fullmatch(reason) for tests, reasons in agreed(text))


def refuse(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a report of a skip into a failure, unless its reason is agreed (or the test is expected to fail)."""
    if report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    where = report.longrepr
    reason = str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")
    if not is_agreed(report.nodeid, reason):
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
