"""Rules on Bitbucket's files: pipelines (samples) and the pipe."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import Tree, nodes
from reflect_ci import __version__

FOLDER = "tasks/bitbucket"
PIPE_FIELDS = ("name", "image", "description", "category", "repository", "vendor", "maintainer", "tags", "variables")
PIPE_SECTIONS = ("YAML Definition", "Variables", "Details", "Prerequisites", "Examples", "Support")
# Below a folder of one of these names Bitbucket takes every *.xml for a test report.
REPORTS = re.compile(r"(^|/)(test-results|test-reports|surefire-reports|failsafe-reports|TestResults)(/|$)")
WAITS = re.compile(r"reflect-run\.sh(\s+(run|wait))?\s*$")


def steps(tree: Tree) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every step of every pipeline."""
    for path in tree.files(FOLDER, suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            for key, node in nodes(document):
                if key == "step" and isinstance(node, dict) and "script" in node:
                    yield path, node


@rule("bitbucket-script-text")
def bitbucket_script_text(tree: Tree) -> Iterator[Finding]:
    """Every line of a script is text or a pipe: unquoted, a `: ` in it makes a mapping, and Bitbucket refuses the file."""
    for path, step in steps(tree):
        for key in ("script", "after-script"):
            for line in step.get(key) or []:
                if not isinstance(line, str) and not (isinstance(line, dict) and "pipe" in line):
                    yield Finding(path, f"a line of {key} is no text: put it into quotes: {str(line)[:60]}")


@rule("bitbucket-max-time")
def bitbucket_max_time(tree: Tree) -> Iterator[Finding]:
    """A step that waits for suites has a max-time, else Bitbucket lets it run for its 120 minutes."""
    for path, step in steps(tree):
        script = step["script"]
        texts = [line for line in script if isinstance(line, str)]
        waits = any(WAITS.search(line) for line in texts) or any(isinstance(line, dict) for line in script)
        starts_only = any("REFLECT_WAIT=" in line and "false" in line for line in texts)
        if waits and not starts_only and "max-time" not in step:
            yield Finding(path, f"the step {step.get('name', '')!r} has no max-time: write one above its timeout")


@rule("bitbucket-reports")
def bitbucket_reports(tree: Tree) -> Iterator[Finding]:
    """Reports go where Bitbucket looks for tests: below test-results/ or another folder that it knows."""
    for path in tree.files(FOLDER):
        if path.suffix == ".md":
            continue
        for number, line in tree.lines(path):
            match = re.search(r"\bREFLECT_REPORT_DIR(?:=|:=)\"?([\w./-]+)", line)
            if match and not REPORTS.search(match[1]):
                yield Finding(path, f"Bitbucket finds no tests in {match[1]}: write test-results/…", number)


@rule("bitbucket-pipe")
def bitbucket_pipe(tree: Tree) -> Iterator[Finding]:
    """The pipe says all that Bitbucket's list of pipes asks for, its image has the catalog's version, and the key has no default."""
    for path in tree.files(f"{FOLDER}/pipe", suffixes=("pipe.yml",)):
        for document in tree.documents(path):
            for name in PIPE_FIELDS:
                if not document.get(name):
                    yield Finding(path, f"no {name}")
            for name in ("vendor", "maintainer"):
                if set(document.get(name) or {}) != {"name", "website"}:
                    yield Finding(path, f"{name} has a name and a website, and nothing else")
            tag = str(document.get("image", "")).partition(":")[2]
            if tag != __version__:
                yield Finding(path, f"the image has the tag {tag or '(none)'}; this is version {__version__}")
            for row in document.get("variables") or []:
                if row.get("name") == "REFLECT_API_KEY" and "default" in row:
                    yield Finding(path, "REFLECT_API_KEY has a default: pass it on purpose, as $REFLECT_API_KEY")


@rule("bitbucket-pipe-readme")
def bitbucket_pipe_readme(tree: Tree) -> Iterator[Finding]:
    """The pipe's README has Bitbucket's sections, names every variable, and its CHANGELOG begins with this version."""
    for path in tree.files(f"{FOLDER}/pipe", suffixes=("pipe.yml",)):
        readme, changes = path.with_name("README.md"), path.with_name("CHANGELOG.md")
        text = tree.text(readme) if readme.is_file() else ""
        found = re.findall(r"(?m)^## +(.+?) *$", text or "")
        if found != list(PIPE_SECTIONS):
            yield Finding(readme, f"the sections are {', '.join(found) or 'none'}; write {', '.join(PIPE_SECTIONS)}")
        for document in tree.documents(path):
            for row in document.get("variables") or []:
                default = f" `{row['default']}` " if row.get("default") else " "
                if not re.search(rf"(?m)^\| {row['name']}(?: \(\*\))? \|{re.escape(default)}\|", text or ""):
                    yield Finding(readme, f"no row `| {row['name']} |{default}| … |`")
        first = re.search(r"(?m)^## (\S+)", (tree.text(changes) or "") if changes.is_file() else "")
        if not first or first[1] != __version__:
            yield Finding(changes, f"its first version is {first[1] if first else 'missing'}; this is {__version__}")
