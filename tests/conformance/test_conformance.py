"""Every scenario on every platform, by the very files that users copy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.frame import Adapter, Bench, adapters
from tests.conformance.scenarios import SCENARIOS, Scenario


def cells() -> list[object]:
    """Return a parameter set for every cell of the matrix that can hold."""
    return [
        pytest.param(
            adapter,
            scenario,
            id=f"{adapter.platform}-{scenario.id}",
            marks=[pytest.mark.engine] if adapter.needs_engine else [],
        )
        for adapter in adapters()
        for scenario in SCENARIOS
        if scenario.id not in adapter.cannot
    ]


@pytest.mark.parametrize(("adapter", "scenario"), cells())
def test_promise(adapter: Adapter, scenario: Scenario, tmp_path: Path) -> None:
    """The platform's file keeps the scenario's promise."""
    with adapter.service(tmp_path) as sim:
        scenario.play(Bench(adapter, sim, tmp_path))
