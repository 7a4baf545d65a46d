"""Rules on Codefresh's files: the step type and pipelines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes
from reflect_ci import __version__

FOLDER = "tasks/codefresh"
METADATA = (
    "name", "version", "title", "isPublic", "description", "sources", "stage", "maintainers", "categories", "official",
    "tags", "icon", "examples",
)  # fmt: skip
REFERENCE = re.compile(r"\$\{\{\s*[A-Za-z_]\w*\s*\}\}")
CONTROL = r"[\u0000-\u001f\u007f]"
ACTION = re.compile(r"\[\[-? *(.*?) *-?\]\]")


def _step_types(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in tree.files(FOLDER, suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            if isinstance(document, dict) and document.get("kind") == "step-type":
                yield path, document


@rule("codefresh-metadata")
def codefresh_metadata(tree: Tree) -> Iterator[Finding]:
    """A step type says all that Codefresh's list of steps shows, and has the catalog's version."""
    for path, document in _step_types(tree):
        metadata = document.get("metadata") or {}
        for name in METADATA:
            if name not in metadata:
                yield Finding(path, f"metadata has no {name}")
        if metadata.get("version") != __version__:
            yield Finding(path, f"its version is {metadata.get('version')}; this is {__version__}")


@rule("codefresh-arguments")
def codefresh_arguments(tree: Tree) -> Iterator[Finding]:
    """A step type refuses unknown arguments and control characters, which could add lines to the step that it becomes."""
    for path, document in _step_types(tree):
        try:
            schema = json.loads(document["spec"]["arguments"])
        except (KeyError, TypeError, ValueError) as error:
            yield Finding(path, f"spec.arguments is no JSON text: {error}")
            continue
        if schema.get("additionalProperties") is not False:
            yield Finding(path, "arguments have no `additionalProperties: false`, so a misspelt one is ignored")
        for name, row in schema.get("properties", {}).items():
            closed = "enum" in row or (row.get("not") or {}).get("pattern") == CONTROL
            if row.get("type") != "string" or not closed:
                yield Finding(path, f'{name} is a string with an enum or with {{"not": {{"pattern": "{CONTROL}"}}}}')


@rule("codefresh-quoted")
def codefresh_quoted(tree: Tree) -> Iterator[Finding]:
    """A step type's template writes every argument by printf "%q": a quotation mark in a value stays one."""
    for path, document in _step_types(tree):
        spec = document.get("spec") or {}
        template = str(spec.get("stepsTemplate", ""))
        for action in ACTION.findall(template):
            if ".Arguments" in action and not action.startswith("if ") and not re.search(r'printf "%q"', action):
                yield Finding(path, f'[[ {action} ]] is not quoted by printf "%q"')
        try:
            names = json.loads(spec["arguments"]).get("properties", {})
        except (KeyError, TypeError, ValueError):
            continue  # the rule codefresh-arguments says so
        for name in names:
            if not re.search(rf"printf [^\]]*\.Arguments\.{name}\b", template):
                yield Finding(path, f"the argument {name} is used nowhere in the template")


@rule("codefresh-key")
def codefresh_key(tree: Tree) -> Iterator[Finding]:
    """In a pipeline the key is ${{NAME}} of an encrypted variable."""
    for path in tree.files(FOLDER, suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            if isinstance(document, dict) and document.get("kind") == "step-type":
                continue
            for key, value in nodes(document):
                if key == "environment" and isinstance(value, str) and value.startswith("REFLECT_API_KEY="):
                    value = value.partition("=")[2]
                elif key != "api_key" or not isinstance(value, str):
                    continue
                if not REFERENCE.fullmatch(value):
                    yield Finding(path, "the key is no ${{NAME}}: add it as an encrypted variable of the pipeline")
