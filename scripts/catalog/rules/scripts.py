"""Rules on the scripts inside the platforms' files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from catalog.rule import Finding, rule
from catalog.tree import ROOT, Tree, nodes
from sync_bootstrap import COPY, bootstrap, renewed

# The keys below which platforms write scripts.
SCRIPT_KEYS = {
    "run", "script", "before_script", "after_script", "after-script", "command", "commands", "bash", "pwsh",
    "powershell", "inlineScript", "after_deploy", "inline",
}  # fmt: skip
# Template expansions that put a value into the text of a script before a shell reads it.
EXPANSIONS = re.compile(
    r"\$\{\{.*?\}\}"  # GitHub, Azure, Codefresh
    r"|\$\((?:params|workspaces|tasks|context|tt)\.[^)]*\)"  # Tekton
    r"|<<\s*(?:parameters|pipeline)\..*?>>"  # CircleCI
    r"|\$\[\[.*?\]\]"  # GitLab
    r"|\[\[\s*\.Arguments.*?\]\]"  # Codefresh's step types
)
# Filled in by the platform itself with nothing that a user or a pull request could have written.
HARMLESS = re.compile(r"\$\{\{ *github\.action_path *\}\}|\$\(context\.(?:taskRun|pipelineRun)\.(?:name|uid)\)")


def scripts(document: Any) -> Iterator[str]:
    """Yield the scripts of a YAML document: texts (or lists of texts) below one of the keys."""
    for key, value in nodes(document):
        if key in SCRIPT_KEYS and isinstance(value, str):
            yield value


@rule("no-interpolation")
def no_interpolation(tree: Tree) -> Iterator[Finding]:
    """No input is expanded into the text of a script: it reaches the script by the environment, where quotes are only quotes."""
    for path in tree.files(suffixes=(".yml", ".yaml")):
        for document in tree.documents(path):
            for script in scripts(document):
                for match in EXPANSIONS.finditer(script):
                    if not HARMLESS.fullmatch(match.group()):
                        yield Finding(path, f"{match.group()} is expanded into a script: pass it in the environment")


@rule("bootstrap-equal")
def bootstrap_equal(tree: Tree) -> Iterator[Finding]:
    """Every copy of the bootstrap equals tasks/shell/reflect-run.sh, and none lacks its end."""
    source = ROOT / "tasks" / "shell" / "reflect-run.sh"
    script = bootstrap(source.read_text(encoding="utf-8"))
    for path in tree.files():
        text = tree.text(path) or ""
        if path.suffix == ".md" or path == source:
            continue
        if renewed(text, script) != text:
            yield Finding(path, "out of date: scripts/sync_bootstrap.py")
        if text.count("# reflect-bootstrap: begin") != len(COPY.findall(text)):
            yield Finding(path, "a copy has no `# reflect-bootstrap: end` at the same indentation")
