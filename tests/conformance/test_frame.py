"""The frame itself: no scenario can hold for a step that does not keep its promise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests

from reflect_ci import exits
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, REPORTS, Adapter, Bench, Case, Seen, adapters
from tests.conformance.scenarios import SCENARIOS, Scenario


class Idle(Adapter):
    """A step that does nothing, and is green or red as it is told."""

    platform = "idle"
    engine = "none"

    def __init__(self, green: bool):
        self.green = green

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:  # noqa: ARG002  an adapter's signature
        """Do nothing."""
        return Seen(self.green, "", 0 if self.green else 1)


class Snippet(Adapter):
    """The vendor's line: one POST a suite, green whatever it is answered."""

    platform = "snippet"
    engine = "requests"

    def run(self, case: Case, sim: Simulator, tmp: Path) -> Seen:  # noqa: ARG002  an adapter's signature
        """Send it, and look away."""
        for suite in case.inputs.get("suites", "").split():
            try:
                requests.post(
                    f"{sim.url}/suites/{suite}/executions", json={}, headers={"x-api-key": case.key or ""}, timeout=5
                )
            except requests.RequestException:
                continue
        return Seen(True, f"sent to {sim.url}", 0)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
@pytest.mark.parametrize("adapter", [Idle(True), Idle(False)], ids=["green", "red"])
def test_a_step_that_does_nothing_fails(adapter: Idle, scenario: Scenario, tmp_path: Path) -> None:
    """Doing nothing keeps no promise, whatever the colour."""
    with Simulator() as sim, pytest.raises((AssertionError, IndexError)):
        bench = Bench(adapter, sim, tmp_path)
        # Nobody will ever start anything here, so there is no use in waiting for it.
        sim.wait_for = lambda question, seconds=0: question(sim)  # type: ignore[assignment, method-assign]  # noqa: ARG005
        scenario.play(bench)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.id)
def test_the_vendors_snippet_keeps_no_promise(scenario: Scenario, tmp_path: Path) -> None:
    """What this catalog replaces fails every scenario."""
    with Simulator() as sim:
        bench = Bench(Snippet(), sim, tmp_path)
        sim_wait = sim.wait_for
        sim.wait_for = lambda question, seconds=0: sim_wait(question, seconds=min(seconds, 1))  # type: ignore[assignment, method-assign]
        with pytest.raises((AssertionError, KeyError, IndexError)):
            scenario.play(bench)


def reports(folder: Path, text: str = "passed") -> Path:
    """Write whole reports that hold the text."""
    folder.mkdir()
    for name in REPORTS:
        (folder / name).write_text("<testsuites/>" if name == "junit.xml" else json.dumps({"verdict": text}))
    return folder


@pytest.mark.parametrize(
    "seen",
    [
        Seen(True, f"the key is {KEY}"),
        Seen(True, "", outputs={"verdict": KEY}),
        Seen(True, "", reports=Path("reports")),
    ],
    ids=["log", "output", "report"],
)
def test_leak_is_seen(seen: Seen, tmp_path: Path) -> None:
    """The key is found wherever a user could read it."""
    if seen.reports:
        seen.reports = reports(tmp_path / "reports", f"… {KEY}")
    with Simulator() as sim, pytest.raises(AssertionError, match="the key is in"):
        Bench(Idle(True), sim, tmp_path).no_key(KEY, seen)


@pytest.mark.parametrize("name", REPORTS)
def test_missing_report_is_seen(name: str, tmp_path: Path) -> None:
    """Each report is asked for."""
    folder = reports(tmp_path / "reports")
    with Simulator() as sim:
        bench = Bench(Idle(True), sim, tmp_path)
        bench.reported(Seen(True, "", reports=folder), "passed")
        (folder / name).unlink()
        with pytest.raises(AssertionError, match=name):
            bench.reported(Seen(True, "", reports=folder), "passed")


@pytest.mark.parametrize(
    ("seen", "exit_"),
    [
        (Seen(True, ""), exits.FAILED),
        (Seen(False, ""), exits.PASSED),
        (Seen(False, "", 5), exits.FAILED),
        (Seen(False, "Traceback (most recent call last):", 1), exits.FAILED),
    ],
)
def test_wrong_end_is_seen(seen: Seen, exit_: exits.Exit, tmp_path: Path) -> None:
    """Colour, code and a traceback are looked at."""
    with Simulator() as sim, pytest.raises(AssertionError):
        Bench(Idle(True), sim, tmp_path).ends(seen, exit_)


def test_what_is_left_running_is_seen(tmp_path: Path) -> None:
    """An execution that goes on after the job is named."""
    with Simulator() as sim:
        requests.post(f"{sim.url}/suites/never-ends/executions", json={}, headers={"x-api-key": KEY}, timeout=30)
        sim.wait_for = lambda question, seconds=0: question(sim)  # type: ignore[assignment, method-assign]  # noqa: ARG005
        with pytest.raises(AssertionError, match="never-ends/1"):
            Bench(Idle(True), sim, tmp_path).nothing_running()


def test_every_platform_has_an_adapter() -> None:
    """The shell's adapter is found, and no two have the same platform."""
    names = [adapter.platform for adapter in adapters()]
    assert "shell" in names
    assert len(names) == len(set(names))
