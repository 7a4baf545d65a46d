"""The CI system that the runner finds itself in: detection, and that system's own output.

`detect` reads one table (`systems.py`). `native` returns the output that the system understands; a system without one
gets `Native`, which writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module

from reflect_ci.ci.native import Native
from reflect_ci.ci.outputs import VARIABLES, outputs
from reflect_ci.ci.systems import System, detect

__all__ = ["VARIABLES", "Native", "System", "detect", "native", "outputs"]

# By name, so that a call loads only the one that it needs.
_NATIVE = {
    "github": ("github", "GitHub"),
    "gitlab": ("files", "GitLab"),
    "azure": ("azure", "Azure"),
    "circleci": ("files", "CircleCI"),
    "bitbucket": ("files", "Bitbucket"),
    "travis": ("plain", "Travis"),
    "teamcity": ("teamcity", "TeamCity"),
    "buildkite": ("plain", "Buildkite"),
    "codefresh": ("files", "Codefresh"),
    "tekton": ("files", "Tekton"),
}


def native(system: System, environ: Mapping[str, str], write: Callable[[str], None]) -> Native:
    """Return the output of this system. write takes one line without its end, and must not change it (masks!)."""
    if system.name not in _NATIVE:
        return Native(system, environ, write)
    module, name = _NATIVE[system.name]
    made: Native = getattr(import_module(f"reflect_ci.ci.{module}"), name)(system, environ, write)
    return made
