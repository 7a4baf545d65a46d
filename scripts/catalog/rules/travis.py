"""Rules on Travis CI's files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes

FOLDER = "tasks/travis"
CALL = re.compile(r"\breflect-run\.sh(?:\s+(run|wait|cancel))?")
# Phases whose exit codes change nothing about the job.
DEAF = ("after_success", "after_failure", "after_deploy", "after_script")
# A job on Travis ends after so many minutes.
LONGEST = 50


def builds(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the folder's builds."""
    for path in tree.files(FOLDER, suffixes=(".yml",)):
        for document in tree.documents(path):
            if isinstance(document, dict):
                yield path, document


def commands(document: Any, *phases: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of these phases, with the phase."""
    for key, node in nodes(document):
        if key in phases and isinstance(node, str):
            yield key, node


@rule("travis-verdict-counts")
def verdict_counts(tree: Tree) -> Iterator[Finding]:
    """A verdict is asked for in `script`; elsewhere only with `|| travis_terminate 1`, because Travis ignores what those phases end with."""
    for path, document in builds(tree):
        for phase, command in commands(document, *DEAF):
            match = CALL.search(command)
            if match and match[1] != "cancel" and not re.search(r"\|\|\s*travis_terminate\s+[1-9]", command):
                yield Finding(path, f"Travis ignores what {phase} ends with: use a stage, or add || travis_terminate 1")


@rule("travis-no-exec")
def no_exec(tree: Tree) -> Iterator[Finding]:
    """No command is an exec or an exit: all commands of a job share one shell, which would end there."""
    for path, document in builds(tree):
        for phase, command in commands(document, "script", "install", "before_install", "before_script", *DEAF):
            if re.search(r"(^|[;&|]\s*)(exec|exit)\b", command):
                yield Finding(path, f"{command!r} in {phase} would end the job's own shell")


@rule("travis-text-commands")
def text_commands(tree: Tree) -> Iterator[Finding]:
    """Every command is text: unquoted, a `: ` in it makes a mapping."""
    for path, document in builds(tree):
        for key, node in nodes(document):
            if isinstance(node, list) and key in ("script", *DEAF):
                for command in node:
                    if not isinstance(command, str):
                        yield Finding(path, f"a command of {key} is no text: put it into quotes: {str(command)[:60]}")


@rule("travis-deadline")
def deadline(tree: Tree) -> Iterator[Finding]:
    """The deadline is below the 50 minutes after which Travis takes the machine of a public repository away, with the tests still running."""
    minutes = re.compile(r"REFLECT_TIMEOUT=\"?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
    for path, document in builds(tree):
        for _, command in commands(document, "script", *DEAF):
            match = minutes.search(command)
            if match and int(match[1] or 0) * 60 + int(match[2] or 0) + int(match[3] or 0) / 60 >= LONGEST:
                yield Finding(path, f"{command}: Travis ends a job after {LONGEST} minutes")


@rule("travis-python")
def python(tree: Tree) -> Iterator[Finding]:
    """A build names its Python and skips the default installation, which would look for a requirements.txt."""
    for path, document in builds(tree):
        if document.get("language") != "python" or not document.get("python"):
            yield Finding(path, "write language: python and the version under python")
        if "install" not in document:
            yield Finding(path, "write install: skip")
