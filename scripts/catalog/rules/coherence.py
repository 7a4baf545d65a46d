"""Rules on coherence.yml files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree


def _tests(tree: Tree) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    for path in tree.files("tasks/coherence", suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            for name, entry in (document if isinstance(document, dict) else {}).items():
                if isinstance(entry, dict) and entry.get("type") == "integration_test":
                    yield path, name, entry


@rule("coherence-command")
def coherence_command(tree: Tree) -> Iterator[Finding]:
    """An integration test has what the vendor documents and nothing else: an image, and a command that is a list of words."""
    for path, name, entry in _tests(tree):
        if set(entry) != {"type", "image", "command"}:
            yield Finding(path, f"{name}: type, image and command are documented, not {', '.join(sorted(entry))}")
        command = entry.get("command")
        if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
            yield Finding(path, f"{name}: command is no list of words")


@rule("coherence-host")
def coherence_host(tree: Tree) -> Iterator[Finding]:
    """An integration test that runs suites tests the environment's own host, by COHERENCE_BASE_URL."""
    for path, name, entry in _tests(tree):
        text = "\n".join(map(str, entry.get("command") or []))
        if "reflect" in text and "COHERENCE_BASE_URL" not in text:
            yield Finding(path, f"{name}: the recorded host would be tested: replace it by COHERENCE_BASE_URL")
