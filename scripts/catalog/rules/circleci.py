"""CircleCI's review rules for orbs (RC001 to RC012), and rules of our own on the orb and the configurations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes
from reflect_ci import __version__

FOLDER = "tasks/circleci"
SOURCE = f"{FOLDER}/src"
PARTS = ("commands", "jobs", "executors", "examples")
# RC009: a command of more than 64 characters is a script of its own.
LONGEST = 64
OWN = re.compile(r"reflect-ci/reflect@(\S+)")


def orb(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the orb's head."""
    for path in tree.files(SOURCE, suffixes=("@orb.yml",)):
        for document in tree.documents(path):
            yield path, document


def parts(tree: Tree, *kinds: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the files of these parts of the orb."""
    for kind in kinds or PARTS:
        for path in tree.files(f"{SOURCE}/{kind}", suffixes=(".yml",)):
            for document in tree.documents(path):
                yield path, document


def runs(document: Any) -> Iterator[Any]:
    """Yield every `run` step."""
    for key, node in nodes(document):
        if key == "run" and isinstance(node, (dict, str)):
            yield node


@rule("circleci-rc001")
def rc001(tree: Tree) -> Iterator[Finding]:
    """The orb names its source (source_url)."""
    for path, head in orb(tree):
        if not (head.get("display") or {}).get("source_url"):
            yield Finding(path, "no display.source_url")


@rule("circleci-rc002")
def rc002(tree: Tree) -> Iterator[Finding]:
    """Every part of the orb, and every parameter, has a description."""
    for path, document in parts(tree):
        if not document.get("description"):
            yield Finding(path, "no description")
        for name, row in (document.get("parameters") or {}).items():
            if not row.get("description"):
                yield Finding(path, f"the parameter {name} has no description")


@rule("circleci-rc003")
def rc003(tree: Tree) -> Iterator[Finding]:
    """The orb has at least one example."""
    for path, _ in orb(tree):
        if not list(parts(tree, "examples")):
            yield Finding(path, "no example: add src/examples/NAME.yml")


@rule("circleci-rc004")
def rc004(tree: Tree) -> Iterator[Finding]:
    """No example has the word example in its name."""
    for path, _ in parts(tree, "examples"):
        if "example" in path.stem.lower():
            yield Finding(path, "name it by what it shows")


@rule("circleci-rc005")
def rc005(tree: Tree) -> Iterator[Finding]:
    """The orb's description has at least 64 characters."""
    for path, head in orb(tree):
        length = len(str(head.get("description", "")).strip())
        if length < 64:
            yield Finding(path, f"the description has {length} characters")


@rule("circleci-rc006")
def rc006(tree: Tree) -> Iterator[Finding]:
    """The orb's source_url is an address of the web (that it answers is not asked here, for want of a network)."""
    for path, head in orb(tree):
        url = str((head.get("display") or {}).get("source_url", ""))
        if url and not re.fullmatch(r"https://[\w.-]+/\S+", url):
            yield Finding(path, f"source_url is {url}")


@rule("circleci-rc007")
def rc007(tree: Tree) -> Iterator[Finding]:
    """The orb has a home_url, and it is an address of the web."""
    for path, head in orb(tree):
        url = str((head.get("display") or {}).get("home_url", ""))
        if not re.fullmatch(r"https://[\w.-]+/\S+", url):
            yield Finding(path, f"home_url is {url or 'missing'}")


@rule("circleci-rc008")
def rc008(tree: Tree) -> Iterator[Finding]:
    """Every run step of the orb has a name."""
    for path, document in parts(tree, "commands", "jobs"):
        for step in runs(document):
            if isinstance(step, str) or not step.get("name"):
                yield Finding(path, "a run step without a name")


@rule("circleci-rc009")
def rc009(tree: Tree) -> Iterator[Finding]:
    """A long command of the orb is a file of its own, included: only there it can be checked and tested."""
    for path, document in parts(tree, "commands", "jobs"):
        for step in runs(document):
            command = step if isinstance(step, str) else str(step.get("command", ""))
            if len(command) > LONGEST and not re.fullmatch(r"<<\s*include\([^)]+\)\s*>>", command.strip()):
                yield Finding(path, "a long command: put it into src/scripts and <<include(…)>> it")


@rule("circleci-rc010")
def rc010(tree: Tree) -> Iterator[Finding]:
    """Parts and parameters of the orb are in snake_case."""
    good = re.compile(r"[a-z][a-z0-9_]*")
    for path, document in parts(tree):
        for name in (path.stem, *(document.get("parameters") or {})):
            if not good.fullmatch(name):
                yield Finding(path, f"{name} is not snake_case")


@rule("circleci-rc011")
def rc011(tree: Tree) -> Iterator[Finding]:
    """Examples and samples use the orb in this very version."""
    files = [*parts(tree, "examples")]
    files += [
        (path, document)
        for path in tree.files(f"{FOLDER}/samples", suffixes=(".yml",))
        for document in tree.documents(path)
    ]
    for path, document in files:
        for key, node in nodes(document):
            match = OWN.fullmatch(node) if isinstance(node, str) else None
            if match and match[1] != __version__:
                yield Finding(path, f"{key}: version {match[1]}; this is {__version__}")


@rule("circleci-rc012")
def rc012(tree: Tree) -> Iterator[Finding]:
    """A parameter that stands for a secret is of the type env_var_name, and its default is a name in capitals."""
    for path, document in parts(tree, "commands", "jobs"):
        for name, row in (document.get("parameters") or {}).items():
            # missing_key says what to do without a key.
            secret = name != "missing_key" and re.search(r"(^|_)(key|token|secret|password)$", name)
            if secret and row.get("type") != "env_var_name":
                yield Finding(path, f"{name} would hold a secret: type env_var_name")
            if row.get("type") == "env_var_name" and not re.fullmatch(r"[A-Z][A-Z0-9_]*", str(row.get("default", "X"))):
                yield Finding(path, f"the default of {name} is no name of a variable: {row['default']}")


@rule("circleci-environment")
def environment(tree: Tree) -> Iterator[Finding]:
    """Parameters reach a script as PARAM_… variables of its step, and every one of them does."""
    for path, document in parts(tree, "commands"):
        used = {
            match[1]
            for key, node in nodes(document.get("steps"))
            if key.startswith("PARAM_") and isinstance(node, str)
            for match in [re.fullmatch(r"<<\s*parameters\.(\w+)\s*>>", node)]
            if match and key == f"PARAM_{match[1].upper()}"
        }
        for name in sorted(set(document.get("parameters") or {}) - used):
            yield Finding(
                path, f"the parameter {name} reaches no script: write PARAM_{name.upper()}: <<parameters.{name}>>"
            )


@rule("circleci-no-command-run")
def no_command_run(tree: Tree) -> Iterator[Finding]:
    """No command of the orb is named like a step of CircleCI's own, which would be taken for it."""
    own = {"run", "checkout", "when", "unless", "store_artifacts", "store_test_results", "save_cache", "restore_cache"}
    for path, _ in parts(tree, "commands"):
        if path.stem in own:
            yield Finding(path, f"a command named {path.stem}")
