"""doctor and suites: each line with its cure."""

from __future__ import annotations

from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import Call


def test_all_is_well(sim: Simulator, call: Call) -> None:
    """With a good key and a known suite it ends with 0."""
    ended = call(sim.url, "doctor", "passes")
    assert ended.code == 0, ended.text
    assert "A run would work." in ended.text
    assert sim.started == []


def test_misspelt_suite(sim: Simulator, call: Call) -> None:
    """An unknown suite is code 4, with the suite that was meant."""
    ended = call(sim.url, "doctor", "Passes")
    assert ended.code == 4
    assert "Did you mean passes? Case matters." in ended.text


def test_wrong_key(sim: Simulator, call: Call) -> None:
    """A refused key is code 3."""
    assert call(sim.url, "doctor", key="wrong-key").code == 3


def test_missing_key(sim: Simulator, call: Call) -> None:
    """Without a key it says where the CI system that it runs on keeps one."""
    ended = call(sim.url, "doctor", key="", GITLAB_CI="true", CI="true", CI_SERVER_URL="https://gitlab.com")
    assert ended.code == 2
    assert "Settings > CI/CD > Variables" in ended.text


def test_no_network(call: Call) -> None:
    """A service that does not answer is code 5 with what to check."""
    with Simulator() as sim:
        url = sim.url
    ended = call(url, "doctor")
    assert ended.code == 5
    assert "Check api-url" in ended.text


def test_suites(sim: Simulator, call: Call) -> None:
    """suites prints an id a line."""
    ended = call(sim.url, "suites")
    assert ended.code == 0
    assert "passes" in [line.split()[0] for line in ended.text.splitlines()]


def test_suites_in_the_newer_shape(call: Call) -> None:
    """The newer list shape with slugs is understood too."""
    with Simulator(
        {"suites": {"checkout": {}}, "shape": {"suites": "flat", "ids": "text", "words": {"canceled": "cancelled"}}}
    ) as sim:
        ended = call(sim.url, "suites")
    assert ended.code == 0, ended.text
    assert "checkout" in ended.text
