"""Rules on webapp.io's Layerfiles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.rule import Finding, rule
from catalog.tree import Tree

RUNS = re.compile(r"RUN\b(?!\s+BACKGROUND).*\breflect-(run\.sh|ci)\b")
# A new run of the same commit has another of these.
CHANGING = {"JOB_ID", "LAYERCI_JOB_ID"}


def _runs(tree: Tree) -> Iterator[tuple[Path, int, list[str]]]:
    """Yield each RUN that calls the runner, with the lines before it."""
    for path in tree.files("tasks/webapp-io", suffixes=("Layerfile",)):
        lines = [line for _, line in tree.lines(path)]
        for number, line in enumerate(lines, 1):
            if RUNS.match(line):
                yield path, number, lines[: number - 1]


def _names(before: list[str], word: str) -> set[str]:
    return {name for line in before if line.startswith(word + " ") for name in line.split()[2:]}


@rule("webapp-io-snapshot")
def webapp_io_snapshot(tree: Tree) -> Iterator[Finding]:
    """A RUN that runs suites comes after a BUILD ENV that changes with each run, else a snapshot skips it and all looks green."""
    for path, number, before in _runs(tree):
        if not CHANGING & _names(before, "BUILD ENV"):
            yield Finding(path, "no `BUILD ENV JOB_ID` before it: where nothing changed the suites do not run", number)


@rule("webapp-io-secret")
def webapp_io_secret(tree: Tree) -> Iterator[Finding]:
    """The key is a SECRET ENV that stands before the RUN that needs it."""
    for path, number, before in _runs(tree):
        if "REFLECT_API_KEY" not in _names(before, "SECRET ENV"):
            yield Finding(path, "no `SECRET ENV REFLECT_API_KEY` before it", number)


@rule("webapp-io-website")
def webapp_io_website(tree: Tree) -> Iterator[Finding]:
    """A RUN that runs suites comes after the EXPOSE WEBSITE of the website that they test."""
    for path, number, before in _runs(tree):
        if not any(line.startswith("EXPOSE WEBSITE ") for line in before):
            yield Finding(path, "no EXPOSE WEBSITE before it: there is no website to test", number)
