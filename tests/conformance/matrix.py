"""The conformance matrix: which promise is tested on which platform, and on which engine.

`.venv/bin/python -m tests.conformance.matrix` writes MATRIX.md; a test compares it with what is tested.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.conformance.frame import Adapter, adapters
from tests.conformance.scenarios import SCENARIOS, Scenario

MATRIX = Path(__file__).with_name("MATRIX.md")

HEAD = """\
# Conformance matrix

Written by `.venv/bin/python -m tests.conformance.matrix`; a test fails when it is out of date. Every cell is a test:
the platform's own file, as users copy it, is run on the engine named below against the simulated service
(`tests/conformance/`).

✓ the promise is tested there; a number: it cannot hold or be observed there, for the reason below.
"""


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first row being its head."""
    head, *body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def render(columns: Sequence[Adapter], scenarios: Sequence[Scenario]) -> str:
    """Return the whole document."""
    known = {scenario.id for scenario in scenarios}
    for adapter in columns:
        if unknown := set(adapter.cannot) - known:
            raise ValueError(f"{adapter.platform} gives reasons for scenarios that do not exist: {sorted(unknown)}")
    reasons = list(dict.fromkeys((a.platform, reason) for a in columns for reason in a.cannot.values()))
    number = {pair: str(index) for index, pair in enumerate(reasons, 1)}
    grid = [["promise", *(adapter.platform for adapter in columns)]]
    for scenario in scenarios:
        cells = (
            number[adapter.platform, adapter.cannot[scenario.id]] if scenario.id in adapter.cannot else "✓"
            for adapter in columns
        )
        grid.append([f"`{scenario.id}`<br>{' '.join(scenario.promise.split())}", *cells])
    engines = [["platform", "engine", "needs a container engine"]]
    engines += [[a.platform, a.engine, "yes" if a.needs_engine else "no"] for a in columns]
    parts = [HEAD, "## Engines\n", table(engines), "", "## Promises\n", table(grid)]
    if reasons:
        parts += ["", "## Reasons\n"]
        parts += [f"{number[pair]}. {pair[0]}: {pair[1]}" for pair in reasons]
    return "\n".join(parts) + "\n"


def main() -> None:
    """Write MATRIX.md."""
    MATRIX.write_text(render(adapters(), SCENARIOS), encoding="utf-8")


if __name__ == "__main__":
    main()
