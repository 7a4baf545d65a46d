"""Linters and parsers on everything in tasks/jenkins; each is shown a mistake, too."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import tree_sitter_powershell
from tree_sitter import Language, Node, Parser

from tests.platforms.jenkins.engine import LIBRARY, ROOT

LINT = ROOT / "scripts" / "tools" / "node_modules" / ".bin" / "npm-groovy-lint"
CONFIG = ROOT / "scripts" / "tools" / "jenkins" / "groovylint.json"
SCRIPTS = sorted((LIBRARY / "resources").rglob("*.sh"))
# The vendor's mistake: single quotes, so the text and not the key is sent.
BROKEN = "node {\n    httpRequest(customHeaders: [[name: 'x-api-key', value: '${API_KEY}']])\n}\n"


def test_groovy_lint(tmp_path: Path) -> None:
    """npm-groovy-lint has nothing to say about the library and the samples, and finds the vendor's mistake."""
    for source in (*LIBRARY.rglob("*.groovy"), *(LIBRARY / "samples").glob("*.Jenkinsfile")):
        # It looks at no file of another suffix.
        target = tmp_path / source.relative_to(LIBRARY).with_suffix(".groovy")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    (tmp_path / "broken.groovy").write_text(BROKEN)
    done = subprocess.run(
        [LINT, "--noserver", "--output", "json", "--config", CONFIG, "--path", tmp_path, "--files", "**/*.groovy"],
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(tmp_path), "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=540,
        check=False,
    )
    result = json.loads(done.stdout[done.stdout.index("{") :])
    found = {
        str(Path(name).relative_to(tmp_path)): [f"{row['rule']}: {row['msg']}" for row in file["errors"]]
        for name, file in result["files"].items()
    }
    assert len(found) >= 13, done.stderr
    broken = found.pop("broken.groovy")
    assert any("GStringExpressionWithinString" in row for row in broken)
    assert {name: rows for name, rows in found.items() if rows} == {}


def mistakes(node: Node) -> list[str]:
    """Return the places that are no PowerShell."""
    own = [f"line {node.start_point.row + 1}"] if node.is_missing or node.type == "ERROR" else []
    return own + [each for child in node.children for each in mistakes(child)]


def test_powershell_parses() -> None:
    """The script of Windows agents is PowerShell, as far as a grammar can tell; half a script is not."""
    parser = Parser(Language(tree_sitter_powershell.language()))
    text = (LIBRARY / "resources" / "reflectci" / "agent.ps1").read_bytes()
    assert mistakes(parser.parse(text).root_node) == []
    assert mistakes(parser.parse(text.replace(b"if ($file", b"if $file", 1)).root_node)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_for_the_agent(path: Path) -> None:
    """A script for the agent begins with an interpreter line (else Jenkins traces it) and exits at the first failure."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "#!/bin/sh"
    assert "set -eu" in lines[:6]
    done = subprocess.run(["sh", "-n", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
