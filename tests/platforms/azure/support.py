"""What the tests of the Azure files share: agents that see the runner, samples pointed at a simulated service."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.adapters.azure import PREDEFINED
from tests.conformance.frame import KEY, ROOT, path_with_runner
from tests.platforms.azure.agent import Agent
from tests.platforms.azure.expander import Loader, expand_pipeline
from tests.platforms.azure.pipeline import Build, Seen

FOLDER = ROOT / "tasks" / "azure-devops"
TEMPLATES = FOLDER / "templates"
SAMPLES = FOLDER / "samples"
# The suites that the samples name; each test says what they do.
SUITES: dict[str, Any] = {"checkout": {}, "login": {}}


def environ(home: Path) -> dict[str, str]:
    """Return what an agent's own environment has."""
    return {"PATH": path_with_runner(), "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8"}


def agents(
    root: Path, *, secrets: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None
) -> Callable[[Path], Agent]:
    """Return a maker of agents that have the secret ReflectApiKey."""

    def make(home: Path) -> Agent:
        home.mkdir(parents=True, exist_ok=True)
        return Agent(
            home=home,
            environ=environ(root),
            variables={**PREDEFINED, **(variables or {})},
            secrets={"ReflectApiKey": KEY} if secrets is None else secrets,
        )

    return make


def pointed(path: Path, target: Path, sim: Simulator, **parameters: object) -> Path:
    """Copy a pipeline with the public parameters apiUrl and runner added to each template that takes them."""
    document = yaml.load(path.read_text(), Loader)

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            name = str(node.get("template", ""))
            declared = template_parameters(name)
            if declared:
                wanted = {"apiUrl": sim.url, "runner": "installed", **parameters}
                node.setdefault("parameters", {}).update(
                    {key: value for key, value in wanted.items() if key in declared}
                )
            for value in list(node.values()):
                visit(value)
        elif isinstance(node, list):
            for value in node:
                visit(value)

    visit(document)
    target.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))
    return target


def template_parameters(reference: str) -> set[str]:
    """Return the names of the parameters of one of the catalog's templates, none for anything else."""
    path = ROOT / reference.partition("@")[0]
    if not reference.endswith("@reflect") or not path.is_file():
        return set()
    return {row["name"] for row in yaml.load(path.read_text(), Loader)["parameters"]}


def expanded(path: Path, root: Path = ROOT) -> dict[str, Any]:
    """Expand a pipeline whose resource `reflect` is this repository."""
    return expand_pipeline(path, repositories={"reflect": root})


def build_sample(name: str, sim: Simulator, tmp: Path, *, build: Build | None = None, **parameters: object) -> Seen:
    """Run one of the samples as it stands but for where the service is."""
    document = expanded(pointed(SAMPLES / name, tmp / name, sim, **parameters))
    build = build or Build(home=tmp / "build", agent=agents(tmp))
    return build.run(copy.deepcopy(document))
