"""The Kubernetes objects in the Tekton folder, for the rules on them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.rule import Finding
from catalog.tree import Tree

PACKAGES = ("Task", "StepAction", "Pipeline")
FOLDER = "tasks/tekton"
PARAM = re.compile(r"\$\(params(?:\.([\w.-]+?)|\[['\"]([^'\"]+)['\"]\])(?:\[[^\]]*\])?\)")


def text_of(value: Any) -> str:
    """Return everything inside as one text, to search in."""
    return json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class Manifest:
    """One object of a file."""

    path: Path
    object: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.object.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.object.get("metadata", {}).get("name", ""))

    @property
    def spec(self) -> dict[str, Any]:
        """Its spec."""
        return self.object.get("spec") or {}

    @property
    def steps(self) -> list[dict[str, Any]]:
        """The steps of a Task; a StepAction is one itself."""
        return [self.spec] if self.kind == "StepAction" else list(self.spec.get("steps") or [])

    def finding(self, message: str) -> Finding:
        """Return a finding that names the object."""
        return Finding(self.path, f"{self.kind} {self.name}: {message}")


def manifests(tree: Tree, *kinds: str) -> Iterator[Manifest]:
    """Yield the objects of these kinds (default: all) below tasks/tekton."""
    for path in tree.files(FOLDER, suffixes=(".yaml", ".yml")):
        for document in tree.documents(path):
            if isinstance(document, dict) and (not kinds or document.get("kind") in kinds):
                yield Manifest(path, document)


def packages(tree: Tree) -> Iterator[Manifest]:
    """Yield the objects that are published: those in task/, stepaction/ and pipeline/."""
    for each in manifests(tree, *PACKAGES):
        if each.path.relative_to(tree.root / FOLDER).parts[0] in ("task", "stepaction", "pipeline"):
            yield each
