"""Bitbucket's files are valid, and each validator refuses what is broken; the pipe's entry point keeps text as text."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.platforms.bitbucket import bbrun, pipe
from tests.platforms.tools import tool

SAMPLES = sorted((bbrun.FOLDER / "samples").glob("*.yml"))
VENDOR = (
    "pipelines:\n  branches:\n    master:\n      - step:\n          name: Regression Tests\n          script:\n"
    '            - curl -X POST --data "{}" -H "x-api-key: <API-KEY>" https://api.reflect.run/v1/suites/<suite-id>/executions\n'
)


def schema(path: Path) -> tuple[int, str]:
    """Check a file against the published schema of pipelines."""
    return tool("check-jsonschema", "--builtin-schema", "vendor.bitbucket-pipelines", path)


@pytest.fixture(scope="module")
def entry() -> ModuleType:
    """The pipe's entry point as a module."""
    spec = importlib.util.spec_from_file_location("reflect_pipe", pipe.FOLDER / "pipe.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_sample_is_valid(path: Path) -> None:
    """A pipeline that users copy keeps the schema."""
    code, output = schema(path)
    assert code == 0, output


def test_schema_refuses(tmp_path: Path) -> None:
    """The schema refuses the vendor's snippet, whose unquoted header makes a mapping of the script's line."""
    path = tmp_path / "bitbucket-pipelines.yml"
    path.write_text(VENDOR)
    code, output = schema(path)
    assert code != 0
    assert "script" in output


def test_script_is_clean() -> None:
    """shellcheck has no finding in the script that users keep in their repository."""
    code, output = tool("shellcheck", bbrun.FOLDER / "reflect-run.sh")
    assert code == 0, output


def test_shellcheck_refuses(tmp_path: Path) -> None:
    """shellcheck refuses an unquoted variable."""
    (tmp_path / "broken.sh").write_text("#!/bin/sh\nrm -rf $FOLDER/reports\n")
    code, output = tool("shellcheck", tmp_path / "broken.sh")
    assert code != 0
    assert "SC2086" in output


def test_dockerfile_is_clean() -> None:
    """hadolint has no finding in the pipe's Dockerfile."""
    code, output = tool("hadolint", pipe.FOLDER / "Dockerfile")
    assert code == 0, output


def test_hadolint_refuses(tmp_path: Path) -> None:
    """hadolint refuses an image without a version."""
    (tmp_path / "Dockerfile").write_text("FROM reflect-ci\nENTRYPOINT reflect-ci\n")
    code, output = tool("hadolint", tmp_path / "Dockerfile")
    assert code != 0
    assert "DL3006" in output


@pytest.mark.parametrize("value", ["007", "yes", "1.10", "null", "a: b", "[x]", "{}", " x ", "$HOME", "'"])
def test_value_stays_text(entry: ModuleType, value: str) -> None:
    """A variable reaches the runner to the letter, whatever YAML would make of it."""
    assert entry.runner_environment({"VARIABLES": value})["REFLECT_VARIABLES"] == value


def test_list_becomes_lines(entry: ModuleType) -> None:
    """A YAML list arrives in numbered variables and becomes one element a line; an empty list is not given."""
    environ = {"SUITES_COUNT": "2", "SUITES_0": "checkout", "SUITES_1": "login", "HOSTS_COUNT": "0"}
    result = entry.runner_environment(environ)
    assert result["REFLECT_SUITES"] == "checkout\nlogin"
    assert result.get("REFLECT_HOSTS", "") == ""


def test_reports_are_where_bitbucket_looks(entry: ModuleType) -> None:
    """Without REPORT_DIR, or with an empty one, the pipe writes where Bitbucket finds tests; its own spelling wins."""
    assert entry.runner_environment({})["REFLECT_REPORT_DIR"] == "test-results/reflect"
    assert entry.runner_environment({"REPORT_DIR": ""})["REFLECT_REPORT_DIR"] == "test-results/reflect"
    both = {"REPORT_DIR": "test-reports/x", "REFLECT_REPORT_DIR": "elsewhere"}
    assert entry.runner_environment(both)["REFLECT_REPORT_DIR"] == "test-reports/x"


def test_key_is_taken_by_its_own_name_only(entry: ModuleType) -> None:
    """A variable API_KEY, which may be another product's, is not taken for Reflect's key."""
    assert "REFLECT_API_KEY" not in entry.runner_environment({"API_KEY": "x"})
