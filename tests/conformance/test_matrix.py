"""The matrix in the repository says what is really tested."""

from __future__ import annotations

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import Adapter, Case, Seen, adapters
from tests.conformance.matrix import MATRIX, render
from tests.conformance.scenarios import SCENARIOS


def test_matrix_is_up_to_date() -> None:
    """MATRIX.md equals what the scenarios and adapters give."""
    assert MATRIX.read_text(encoding="utf-8") == render(adapters(), SCENARIOS), (
        "out of date: .venv/bin/python -m tests.conformance.matrix"
    )


def test_scenarios_have_distinct_ids() -> None:
    """No two scenarios share an id, which would hide one of them."""
    ids = [scenario.id for scenario in SCENARIOS]
    assert len(ids) == len(set(ids)) >= 30


class Lame(Adapter):
    """An adapter for this test alone."""

    platform = "lame"
    engine = "none"
    cannot = {SCENARIOS[0].id: "It has one leg."}  # noqa: RUF012  the base class declares it a ClassVar

    def run(self, case: Case, sim: Simulator, tmp: object) -> Seen:
        """Run nothing."""
        raise NotImplementedError


def test_reason_is_printed() -> None:
    """A cell that cannot hold is written with its reason."""
    text = render([Lame()], SCENARIOS)
    assert "1. lame: It has one leg." in text
    assert text.count("| 1 |") == 1


def test_reason_for_an_unknown_scenario_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reason whose scenario was renamed is an error, not a silently tested cell."""
    monkeypatch.setattr(Lame, "cannot", {"no-such-scenario": "x"})
    with pytest.raises(ValueError, match="no-such-scenario"):
        render([Lame()], SCENARIOS)
