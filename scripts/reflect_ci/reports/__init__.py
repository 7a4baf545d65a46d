"""Reports of a call: junit.xml, result.json, summary.md, report.html and executions.json."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from reflect_ci.model import Outcome

# In the order of their worth, should the disk be full: what was started comes first.
NAMES = ("executions.json", "junit.xml", "result.json", "summary.md", "report.html")


def _renderers() -> dict[str, Callable[[Outcome], Iterable[str]]]:
    # Imported here: --help and a call that ends at once need none of them.
    from reflect_ci.reports import executions, junit, page, result, summary

    return {
        "executions.json": lambda outcome: executions.render(outcome.executions),
        "junit.xml": junit.render,
        "result.json": result.parts,
        "summary.md": summary.render,
        "report.html": page.render,
    }


def write_all(outcome: Outcome, directory: Path, redact: Callable[[str], str]) -> tuple[list[Path], list[str]]:
    """Write every report, each atomically; every text goes through redact.

    Returns the paths written, and a sentence for each report that could not be written. Never raises: a full disk
    must not take the verdict with it.
    """
    from reflect_ci.reports import atomic
    from reflect_ci.reports.text import clean, one_line, redacted

    folder = redact(clean(str(directory)))
    advice = "Choose another folder with --report-dir. The verdict stands."
    try:
        directory.mkdir(parents=True, exist_ok=True)
        safe = redacted(outcome, redact)
    except Exception as error:  # see above
        return [], [redact(one_line(f"No report was written to {folder}: {atomic.reason(error)}. {advice}"))]
    written, problems = [], []
    for name, render in _renderers().items():
        try:
            atomic.write(directory / name, render(safe))
            written.append(directory / name)
        except Exception as error:  # see above
            problems.append(redact(one_line(f"{name} was not written to {folder}: {atomic.reason(error)}. {advice}")))
    return written, problems
