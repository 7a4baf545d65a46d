"""Rules on the Jenkins library and its samples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from catalog.rule import Finding, rule
from catalog.tree import Tree

FOLDER = "tasks/jenkins"
GROOVY = (".groovy", "Jenkinsfile")
SCRIPT_STEP = re.compile(r"""\b(?:sh|bat|powershell|pwsh)\b[ \t]*\(?[^'"\n]*"(?:""|[^"\n]*\$)""")
SECRET_IN_TEXT = re.compile(r'"[^"\n]*\$\{?[^"\n}]*(?:KEY|SECRET|TOKEN|PASSWORD)\b')
CLASS = re.compile(r"(?m)^(?:final |abstract )*class (\w+)([^{]*)\{")
# What the sandbox of a folder's library refuses, or an administrator would have to approve.
FORBIDDEN = {
    r"\bJsonSlurperClassic\b": "use JsonSlurper and copy what it returns into plain maps",
    r"\bnew\s+(?:java\.io\.)?File\(": "use readFile, writeFile and fileExists: the library runs on the controller",
    r"\bnew\s+(?:java\.net\.)?URL\(": "requests are the runner's, on the agent",
    r"\bSystem\.(?:getenv|getProperty|exit)\b": "use env",
    r"\.execute\(\)": "use sh: this would run on the controller",
    r"\bJenkins\.(?:instance|get\()": "the library needs no administrative access",
    r"@Grab\b": "the controller would download it",
    r"\bas (?:List|Set|Map|String)\b": "use toList(), toSet(), a loop or toString()",
    r"\bThread\b": "use parallel and sleep",
}


def _without_comments(text: str) -> str:
    """Blank out comments, so that lines keep their numbers."""
    return re.sub(r"(?s)/\*.*?\*/|(?m:^\s*//.*$)", lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def _code(tree: Tree, *folders: str) -> Iterator[tuple[Path, str]]:
    """Yield the Groovy files of the platform with their text."""
    for path in tree.files(*(f"{FOLDER}/{folder}" for folder in folders), suffixes=GROOVY):
        yield path, _without_comments(tree.text(path) or "")


@rule("jenkins-single-quotes")
def jenkins_single_quotes(tree: Tree) -> Iterator[Finding]:
    """A script for the agent stands in single quotes: in double quotes Groovy puts values, and secrets, into its text."""
    for path, text in _code(tree, ""):
        for number, line in enumerate(text.splitlines(), 1):
            if SCRIPT_STEP.search(line):
                yield Finding(path, "a script in double quotes: write '…' and pass values by withEnv", number)
            if SECRET_IN_TEXT.search(line):
                yield Finding(path, "a secret in a Groovy string: leave it in the environment", number)


@rule("jenkins-help")
def jenkins_help(tree: Tree) -> Iterator[Finding]:
    """Every step in vars/ has the help that Jenkins shows, a .txt file of the same name."""
    for path in tree.files(f"{FOLDER}/vars", suffixes=(".groovy",)):
        if not path.with_suffix(".txt").is_file():
            yield Finding(path, f"no {path.stem}.txt beside it")
        if not re.fullmatch(r"[a-z][A-Za-z0-9]*", path.stem):
            yield Finding(path, "a step's name is camelCase, as it is called in a Jenkinsfile")


@rule("jenkins-serializable")
def jenkins_serializable(tree: Tree) -> Iterator[Finding]:
    """Every class in src/ is Serializable and says so: a Pipeline is written to disk at each step."""
    for path, text in _code(tree, "src"):
        for match in CLASS.finditer(text):
            number = text.count("\n", 0, match.start()) + 1
            if "Serializable" not in match[2]:
                yield Finding(path, f"write `class {match[1]} implements Serializable`", number)
            if "serialVersionUID" not in text:
                yield Finding(path, f"{match[1]} has no serialVersionUID", number)


@rule("jenkins-sandbox")
def jenkins_sandbox(tree: Tree) -> Iterator[Finding]:
    """The library keeps to what the Groovy sandbox allows, so that a folder may load it without any approval."""
    for path, text in _code(tree, "src", "vars"):
        for number, line in enumerate(text.splitlines(), 1):
            for pattern, cure in FORBIDDEN.items():
                if re.search(pattern, line):
                    yield Finding(path, cure, number)


@rule("jenkins-no-links")
def jenkins_no_links(tree: Tree) -> Iterator[Finding]:
    """There is no symbolic link in the library: Jenkins refuses to load one that has any."""
    for path in sorted((tree.root / FOLDER).rglob("*")):
        if path.is_symlink():
            yield Finding(path, "a symbolic link: put the file itself there")
