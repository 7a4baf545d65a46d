"""The one list of outputs: what a step hands to the steps after it."""

from __future__ import annotations

import json

from reflect_ci.model import Outcome
from reflect_ci.reports.text import counted, safe_url, verdict

# Systems that hand variables on by a file get only these; a step after it would take REFLECT_EXECUTIONS or
# REFLECT_REPORT_DIR for inputs.
VARIABLES = {
    "REFLECT_VERDICT": "verdict",
    "REFLECT_EXECUTION_ID": "execution-id",
    "REFLECT_EXECUTION_URL": "execution-url",
    "REFLECT_EXIT_CODE": "exit-code",
}


def outputs(outcome: Outcome, report_dir: str = "") -> dict[str, str]:
    """Return the outputs by name; execution-id and execution-url are those of the first execution started."""
    started = [execution for execution in outcome.executions if execution.id]
    first = started[0] if started else None
    counts = counted(outcome.executions)
    return {
        "verdict": verdict(outcome),
        "exit-code": str(outcome.exit.code),
        "execution-id": first.id if first else "",
        "execution-url": safe_url(first.url) if first else "",
        "executions": json.dumps(
            [
                {
                    "suite": execution.suite,
                    "id": execution.id,
                    "url": safe_url(execution.url),
                    "verdict": execution.exit.word if execution.exit else "unfinished",
                }
                for execution in outcome.executions
            ],
            separators=(",", ":"),
        ),
        "report-dir": report_dir,
        "passed": str(counts["passed"]),
        "failed": str(counts["failed"]),
        "total": str(counts["total"]),
    }


def variables(outcome: Outcome) -> dict[str, str]:
    """Return the outputs for systems that hand on environment variables."""
    values = outputs(outcome)
    return {name: values[output] for name, output in VARIABLES.items()}
