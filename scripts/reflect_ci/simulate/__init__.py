"""The simulated Reflect service: pipelines can be tried, and tested, without an account.

    with Simulator() as sim:
        run("reflect-ci", "run", "passes", REFLECT_API_URL=sim.url)
        assert [one.suite for one in sim.started] == ["passes"]

`scenarios` describes the format of a scenario file, `builtin` holds the suites that are always there.
"""

from __future__ import annotations

from reflect_ci.simulate.scenarios import ScenarioError
from reflect_ci.simulate.server import Simulator
from reflect_ci.simulate.world import Call, Started

__all__ = ["Call", "ScenarioError", "Simulator", "Started"]
