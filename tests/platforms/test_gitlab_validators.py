"""GitLab's files are valid, and what a user writes into an input arrives as it is, by GitLab's own rule."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT, Case, execute, path_with_runner
from tests.platforms.gitlab import local

FOLDER = ROOT / "tasks" / "gitlab"
TEMPLATES = sorted((FOLDER / "templates").glob("*.yml"))
PIPELINES = sorted([FOLDER / ".gitlab-ci.yml", *(FOLDER / "samples").glob("*.yml")])
BLOCK = re.compile(r"\$\[\[\s*inputs\.([\w-]+)\s*\]\]")


def schema(path: Path, cwd: Path) -> tuple[int, str]:
    """Check a file against the published schema of pipelines."""
    run = subprocess.run(
        ["check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", str(path)],
        cwd=cwd,
        env={"PATH": path_with_runner(), "HOME": str(cwd)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return run.returncode, run.stdout + run.stderr


def interpolated(template: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return a component's job as GitLab makes it of these inputs.

    GitLab puts the values into the text and reads the result as YAML: text as it is, everything else as JSON.
    """
    header, _, body = template.read_text().partition("\n---\n")
    spec = yaml.safe_load(header)["spec"]["inputs"]
    values = {name: (row or {}).get("default") for name, row in spec.items()} | dict(inputs)
    for name, value in values.items():
        row = spec[name]
        if isinstance(value, str) and "regex" in row:
            assert re.fullmatch(row["regex"], value), f"GitLab refuses {name}: {value!r}"

    def text(match: re.Match[str]) -> str:
        value = values[match[1]]
        return value if isinstance(value, str) else json.dumps(value)

    (job,) = yaml.safe_load(BLOCK.sub(text, body)).values()
    assert isinstance(job, dict)
    return job


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.name)
def test_pipeline_is_valid(path: Path, tmp_path: Path) -> None:
    """A pipeline that users copy keeps the schema."""
    code, output = schema(path, tmp_path)
    assert code == 0, output


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_component_is_valid(path: Path, tmp_path: Path) -> None:
    """Both documents of a component keep the schema: the header, and the job with its inputs filled in."""
    header, _, _ = path.read_text().partition("\n---\n")
    (tmp_path / "header.yml").write_text(header)
    (tmp_path / "job.yml").write_text(
        yaml.safe_dump({"reflect": interpolated(path, {"suites": "passes"} if "run" in path.name else {})})
    )
    for name in ("header.yml", "job.yml"):
        code, output = schema(tmp_path / name, tmp_path)
        assert code == 0, output


def test_schema_refuses(tmp_path: Path) -> None:
    """The schema refuses the vendor's snippet, in which an unquoted header makes a mapping of the script's line."""
    path = tmp_path / "vendor.yml"
    path.write_text(
        "regression_tests:\n  stage: deploy\n  script:\n"
        '    - curl -X POST --data "{}" -H "x-api-key: <API-KEY>" https://api.reflect.run/v1/suites/<suite-id>/executions\n'
    )
    code, output = schema(path, tmp_path)
    assert code != 0
    assert "script" in output


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "",
        "a: b # c",
        'it\'s "quoted" \\ and $HOME',
        '{"USER": "ada", "ROLE": "admin: all"}',
        "[x, y]",
        "*star",
        "&anchor",
        "!tag",
        "@file",
        "%percent",
        "`tick`",
        "- dash",
        "? key",
        "| pipe",
        "> fold",
        "yes",
        "0123",
        "null",
        "--- x",
    ],
)
def test_text_arrives_as_it_is(value: str) -> None:
    """Whatever one line of text a user writes, the job's variable is that text."""
    names = [row.name for row in BY_NAME.values() if row.kind in ("text", "list", "pairs", "json") and not row.secret]
    for template in TEMPLATES:
        spec = yaml.safe_load(template.read_text().partition("\n---\n")[0])["spec"]["inputs"]
        inputs = {name: value for name in names if name in spec}
        job = interpolated(template, {"suites": "passes", **inputs} if "suites" in spec else inputs)
        for name in inputs:
            assert job["variables"][BY_NAME[name].env] == value, name


def test_line_end_is_refused() -> None:
    """Text of two lines, which could add keys to the job, is refused by the input itself."""
    for template in TEMPLATES:
        spec = yaml.safe_load(template.read_text().partition("\n---\n")[0])["spec"]["inputs"]
        for name, row in spec.items():
            if name in BY_NAME and row.get("type", "string") == "string" and "options" not in row:
                with pytest.raises(AssertionError, match="GitLab refuses"):
                    interpolated(template, {"suites": "passes", name: "one\n    image: evil"})


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"suites": "passes", "on-timeout": "later"}, "allowed options"),
        ({"suites": "passes", "wait": "perhaps"}, "boolean"),
        ({"suites": "passes", "concurrency": "many"}, "number"),
        ({"suites": "passes\nimage: evil"}, "regex"),
        ({}, "suites"),
    ],
)
def test_bad_input_makes_no_pipeline(inputs: dict[str, str], sentence: str, tmp_path: Path) -> None:
    """An input that is wrong by its type, its options or its pattern, or that is missing, is refused before any job."""
    pipeline = {"include": [{"component": local.COMPONENT.format("run"), "inputs": inputs}]}
    shop = local.project(tmp_path, yaml.safe_dump(pipeline), {})
    with Simulator() as sim:
        code, log = execute(
            local.command(["--list"]), Case(), sim, env=local.environ(tmp_path), cwd=shop, log=tmp_path / "gitlab.log"
        )
    assert code != 0
    assert sentence in log


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_scripts_are_clean(path: Path, tmp_path: Path) -> None:
    """shellcheck has no finding in a component's scripts, the bootstrap included."""
    job = interpolated(path, {"suites": "passes"} if "run" in path.name else {})
    for key in ("before_script", "script", "after_script"):
        if key not in job:
            continue
        script = tmp_path / f"{key}.sh"
        script.write_text("#!/bin/sh\n" + "\n".join(job[key]) + "\n")
        run = subprocess.run(
            ["shellcheck", str(script)],
            env={"PATH": path_with_runner()},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert run.returncode == 0, run.stdout


def test_shellcheck_refuses(tmp_path: Path) -> None:
    """shellcheck is really there and refuses an unquoted variable."""
    script = tmp_path / "broken.sh"
    script.write_text("#!/bin/sh\nrm -rf $FOLDER/reports\n")
    run = subprocess.run(["shellcheck", str(script)], env={"PATH": path_with_runner()}, capture_output=True, text=True)
    assert run.returncode != 0
    assert "SC2086" in run.stdout


def test_component_project_is_whole() -> None:
    """The folder holds what the root of a component project needs, with this repository's licence."""
    assert (FOLDER / "README.md").is_file()
    assert (FOLDER / "LICENSE.md").read_text() == (ROOT / "LICENSE").read_text()
    # GitLab publishes at most thirty components of a project.
    assert 0 < len(TEMPLATES) <= 30
    assert sorted(path.name for path in FOLDER.iterdir()) == [
        ".gitlab-ci.yml",
        "LICENSE.md",
        "README.md",
        "samples",
        "templates",
    ]
