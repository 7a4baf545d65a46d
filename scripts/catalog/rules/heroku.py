"""Rules on Heroku's files: Procfile and app.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes

FOLDER = "tasks/heroku"
RUNS = re.compile(r"\breflect-ci\b|reflect/(?!release\.sh)[\w-]+\.sh|api\.reflect\.run")


@rule("heroku-release-gate")
def heroku_release_gate(tree: Tree) -> Iterator[Finding]:
    """A release phase starts suites by release.sh only: whatever else runs there tests the old release."""
    for path in tree.files(FOLDER, suffixes=("Procfile",)):
        for number, line in tree.lines(path):
            if line.startswith("release:") and RUNS.search(line):
                yield Finding(
                    path, "the release phase tests the old release: call reflect/release.sh, the gate", number
                )


def _apps(tree: Tree) -> Iterator[tuple[Path, Any]]:
    for path in tree.files(FOLDER, suffixes=("app.json",)):
        for document in tree.documents(path):
            yield path, document


@rule("heroku-app-json")
def heroku_app_json(tree: Tree) -> Iterator[Finding]:
    """An app.json that tests review apps takes the key from the pipeline's config vars, and says which host is replaced."""
    for path, document in _apps(tree):
        scripts = [text for key, text in nodes(document) if key == "postdeploy" and isinstance(text, str)]
        if not any("reflect/" in text for text in scripts):
            continue
        if not all("reflect/postdeploy.sh" in text for text in scripts):
            yield Finding(path, "postdeploy runs another script of reflect/: call reflect/postdeploy.sh")
        variables = {
            name: row
            for key, node in nodes(document)
            if key == "env" and isinstance(node, dict)
            for name, row in node.items()
        }
        key = variables.get("REFLECT_API_KEY")
        if not isinstance(key, dict) or not key.get("required") or "value" in key:
            yield Finding(path, 'REFLECT_API_KEY is {"required": true}, without a value')
        if not {"REFLECT_ORIGINAL_HOST", "REFLECT_HOSTS"} & set(variables):
            yield Finding(path, "no REFLECT_ORIGINAL_HOST: which host does the review app stand in for?")
