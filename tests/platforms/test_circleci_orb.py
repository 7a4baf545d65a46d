"""The orb: packed it keeps the schema, its parameters are checked, and its script keeps text as text."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.inputs import BY_NAME
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute, path_with_runner
from tests.platforms.circleci import orb, run
from tests.platforms.tools import tool

FOLDER = orb.SOURCE.parent
CONFIGS = sorted([*(FOLDER / "samples").glob("*.yml"), *(FOLDER / ".circleci").glob("*.yml")])
SCRIPT = orb.SOURCE / "scripts" / "reflect-run.sh"
# The parameters of reflect/reflect@1.0.0, with their types.
OFFICIAL = {
    "suite_id": "string",
    "api_key": "env_var_name",
    "overrides": "string",
    "variables": "string",
    "wait_for_test_results": "boolean",
}


def schema(path: Path) -> tuple[int, str]:
    """Check a file against the published schema of configurations and orbs."""
    return tool("check-jsonschema", "--builtin-schema", "vendor.circle-ci", path)


def jobs(parameters: dict[str, Any], job: str = "reflect/run") -> list[dict[str, Any]]:
    """Return the expanded job of a configuration with these parameters."""
    config = {"orbs": {"reflect": "reflect-ci/reflect@0.1.0"}, "workflows": {"w": {"jobs": [{job: parameters}]}}}
    return orb.workflows(config)["w"]


def seen_by_runner(tmp: Path, **environment: str) -> dict[str, str]:
    """Run the orb's script with a stand-in for the runner; return the variables that it is started with."""
    stand_in = tmp / "reflect-ci"
    stand_in.write_text("#!/bin/sh\nprintf '%s\\0' \"ARGV=$*\"\nexec env -0\n")
    stand_in.chmod(0o755)
    done = subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", SCRIPT.read_text()],
        env={"PATH": f"{tmp}:/usr/bin:/bin", "HOME": str(tmp), "PARAM_RUNNER": "installed", **environment},
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    return dict(pair.split("=", 1) for pair in done.stdout.decode().rstrip("\0").split("\0"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_configuration_is_valid(path: Path) -> None:
    """A configuration that users copy keeps the schema."""
    code, output = schema(path)
    assert code == 0, output


def test_packed_orb_is_valid(tmp_path: Path) -> None:
    """What is published keeps the schema."""
    path = tmp_path / "orb.yml"
    path.write_text(yaml.safe_dump(orb.pack(), allow_unicode=True))
    code, output = schema(path)
    assert code == 0, output


@pytest.mark.parametrize(
    ("old", "new"), [("env_var_name", "secret"), ("steps:", "stepz:"), ("    type: boolean", "    type: bool")]
)
def test_schema_refuses(old: str, new: str, tmp_path: Path) -> None:
    """The schema refuses a type that does not exist and a command without steps."""
    packed = orb.pack()
    text = yaml.safe_dump(packed["commands"]["run_tests"], allow_unicode=True)
    assert old in text or old.strip() in text
    packed["commands"]["run_tests"] = yaml.safe_load(text.replace(old.strip(), new.strip()))
    path = tmp_path / "orb.yml"
    path.write_text(yaml.safe_dump(packed, allow_unicode=True))
    code, output = schema(path)
    assert code != 0, output


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"suites": "a", "on_timeout": "later"}, "one of cancel, leave"),
        ({"suites": "a", "wait": "yes"}, "boolean"),
        ({"suites": "a", "concurrency": "2"}, "integer"),
        ({"suites": "a", "api_key": "not a name"}, "env_var_name"),
        ({"suite": "a"}, "unexpected argument"),
        ({"suites": "a", "executor": "other"}, "unknown executor"),
    ],
)
def test_bad_parameter_runs_no_job(parameters: dict[str, Any], sentence: str) -> None:
    """A parameter that is wrong by its name or type is refused before any job runs."""
    with pytest.raises(orb.ConfigError, match=sentence):
        jobs(parameters)


@pytest.mark.parametrize("text", ["<< parameters.typo >>", "x<<parameters.typo>>y"])
def test_expander_refuses_unknown_names(text: str) -> None:
    """The expander refuses a parameter that does not exist, so the files' spelling is really checked."""
    with pytest.raises(orb.ConfigError, match="unknown"):
        orb.substitute({"a": [text]}, {"parameters.real": 1})


def test_expander_keeps_types_and_escapes() -> None:
    """Alone a parameter keeps its type, in a text it becomes text, and an escaped << stays."""
    names = {"parameters.yes": True, "parameters.n": 3}
    given = ["<<parameters.yes>>", "<< parameters.n >>", "n=<<parameters.n>>,<<parameters.yes>>", "cat \\<< EOF"]
    assert orb.substitute(given, names) == [True, 3, "n=3,true", "cat << EOF"]


def test_official_parameters() -> None:
    """Command run_tests and job run have the parameters of the official orb, of the same types."""
    packed = orb.pack()
    for declared in (packed["commands"]["run_tests"]["parameters"], packed["jobs"]["run"]["parameters"]):
        assert {name: declared[name]["type"] for name in OFFICIAL} == OFFICIAL
        assert all("default" in declared[name] for name in OFFICIAL)
    assert packed["jobs"]["run"]["parameters"]["cimg_tag"]["type"] == "string"


def test_every_job_passes_every_parameter_on() -> None:
    """A job gives each of its parameters to the command of the same task, and the command to the script."""
    packed = orb.pack()
    for name, command in (("run", "run_tests"), ("wait", "wait_for_tests"), ("cancel", "cancel_tests")):
        job = packed["jobs"][name]
        ((called, given),) = job["steps"][0].items()
        assert called == command
        assert given == {each: f"<<parameters.{each}>>" for each in job["parameters"] if each != "executor"}
        runs = [step["run"] for step in packed["commands"][command]["steps"] if "run" in step]
        passed = {text for text in runs[-1]["environment"].values() if text.startswith("<<")}
        assert passed == {f"<<parameters.{each}>>" for each in packed["commands"][command]["parameters"]}


def test_script_passes_every_input_on(tmp_path: Path) -> None:
    """Each PARAM_… becomes the runner's input of that name, to the letter; nothing in it is run."""
    nasty = "\"'; touch pwned; $(touch pwned) `touch pwned` $HOME \\ << x\nsecond line"
    names = [
        row.snake.upper() for row in BY_NAME.values() if not row.secret and row.kind != "flag" and row.name != "runner"
    ]
    seen = seen_by_runner(tmp_path, **{f"PARAM_{name}": nasty for name in names})
    assert {name: seen[f"REFLECT_{name}"] for name in names} == dict.fromkeys(names, nasty)
    assert not list(tmp_path.glob("pwned"))


@pytest.mark.parametrize(("given", "expected"), [("1", "true"), ("0", "false"), ("true", "true"), ("false", "false")])
def test_booleans(given: str, expected: str, tmp_path: Path) -> None:
    """A boolean is understood in both spellings in which CircleCI hands it over."""
    seen = seen_by_runner(tmp_path, PARAM_WAIT=given, PARAM_ALLOW_EMPTY=given)
    assert (seen["REFLECT_WAIT"], seen["REFLECT_ALLOW_EMPTY"]) == (expected, expected)


@pytest.mark.parametrize(
    ("wait", "results", "expected"),
    [("1", "1", "true"), ("0", "1", "false"), ("1", "0", "false"), ("1", "false", "false")],
)
def test_wait_by_either_name(wait: str, results: str, expected: str, tmp_path: Path) -> None:
    """false under either name only starts the executions."""
    assert seen_by_runner(tmp_path, PARAM_WAIT=wait, PARAM_WAIT_FOR_TEST_RESULTS=results)["REFLECT_WAIT"] == expected


def test_key_by_the_name_of_its_variable(tmp_path: Path) -> None:
    """The key is that of the variable that is named, whatever REFLECT_API_KEY holds."""
    seen = seen_by_runner(tmp_path, PARAM_API_KEY="SHOP_KEY", SHOP_KEY="of-the-shop", REFLECT_API_KEY="of-another")
    assert seen["REFLECT_API_KEY"] == "of-the-shop"
    assert "REFLECT_API_KEY" not in seen_by_runner(tmp_path, PARAM_API_KEY="SHOP_KEY", REFLECT_API_KEY="of-another")


def test_not_given_leaves_the_variable_of_the_job(tmp_path: Path) -> None:
    """A parameter that is empty leaves REFLECT_… of the job, the project or the context alone."""
    seen = seen_by_runner(tmp_path, PARAM_HOSTS="", REFLECT_HOSTS="a.example.com=b.example.com")
    assert seen["REFLECT_HOSTS"] == "a.example.com=b.example.com"
    assert "REFLECT_TUNNEL" not in seen


def test_suite_id_is_added(tmp_path: Path) -> None:
    """suite_id alone and beside suites."""
    assert seen_by_runner(tmp_path, PARAM_SUITE_ID="a")["REFLECT_SUITES"].split() == ["a"]
    assert seen_by_runner(tmp_path, PARAM_SUITE_ID="a", PARAM_SUITES="b c")["REFLECT_SUITES"].split() == ["b", "c", "a"]


def test_script_is_clean(tmp_path: Path) -> None:
    """shellcheck has no finding in the script, and refuses a broken one."""
    code, output = tool("shellcheck", SCRIPT)
    assert code == 0, output
    (tmp_path / "broken.sh").write_text("#!/bin/sh\nrm -rf $FOLDER/reports\n")
    code, output = tool("shellcheck", tmp_path / "broken.sh")
    assert code != 0
    assert "SC2086" in output


def test_terminated_step_cancels(tmp_path: Path) -> None:
    """A step that gets SIGTERM first cancels its executions: its shell has become the runner."""
    with Simulator() as sim:
        environ = {
            "PATH": path_with_runner(), "HOME": str(tmp_path), "REFLECT_API_KEY": KEY, "PARAM_RUNNER": "installed",
            "PARAM_SUITES": "never-ends", "PARAM_API_URL": sim.url,
        }  # fmt: skip
        command = ["/bin/bash", "-eo", "pipefail", "-c", SCRIPT.read_text()]
        code, log = execute(
            command, Case(cancel_when="started"), sim, env=environ, cwd=tmp_path, log=tmp_path / "step.log"
        )
        assert code == 143, log
        assert sim.running() == []


def test_statuses_of_required_jobs() -> None:
    """A requirement is success unless it says otherwise; terminal stands for every status."""
    job = {"requires": ["a", {"b": "failed"}, {"c": ["canceled", "failed"]}, {"d": "terminal"}]}
    assert run.required(job) == {"a": ["success"], "b": ["failed"], "c": ["canceled", "failed"], "d": run.TERMINAL}
