"""Codefresh's step type and samples: what they run, what Codefresh's validator and the argument schema refuse, and that no argument adds a line."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT, Case, execute, path_with_runner
from tests.platforms.codefresh.executor import Refused, steps_of_type
from tests.platforms.codefresh.template import quoted, render
from tests.platforms.previews import machine

FOLDER = ROOT / "tasks" / "codefresh"
SAMPLES = FOLDER / "samples"
FREESTYLE = FOLDER / "freestyle.yml"
STEP = yaml.safe_load((FOLDER / "step.yaml").read_text())
SCHEMA = json.loads(STEP["spec"]["arguments"])
TYPE = "reflect-ci/reflect-run:0.1.0"
IDS = ("regression-tests", "checkout-suite")
VALIDATE = """
const Validator = require('@codefresh-io/yaml-validator'), yaml = require('js-yaml'), fs = require('fs');
const text = fs.readFileSync(process.argv[1], 'utf8');
try { Validator.validate(yaml.load(text), 'message', text, {}); console.log('valid'); }
catch (error) { console.log(error.message); process.exit(1); }
"""


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """A simulated service with the samples' suites."""
    with Simulator({"suites": {name: {"tests": 2} for name in IDS}}) as service:
        yield service


def build(
    file: Path | dict[str, Any],
    sim: Simulator,
    tmp: Path,
    *,
    checks: str = "exit 0",
    cancel: bool = False,
    key: str | None = KEY,
    **variables: str,
) -> tuple[int, str, dict[str, str]]:
    """Run a pipeline; every step of ours gets the service's address and the installed runner. Return code, log and variables."""
    document = yaml.safe_load(file.read_text()) if isinstance(file, Path) else file
    steps = dict(document["steps"])
    hook = ((document.get("hooks") or {}).get("on_finish") or {}).get("exec", {})
    for step in (*steps.values(), *hook.get("steps", {}).values()):
        if "type" in step:
            step["arguments"] |= {"api_url": sim.url, "runner": "installed"}
        elif any("reflect-bootstrap" in line for line in step["commands"]):
            step["environment"] += [f"REFLECT_API_URL={sim.url}", "REFLECT_RUNNER=installed"]
    volume = tmp / "volume"
    volume.mkdir(exist_ok=True)
    (volume / "other-checks.sh").write_text(checks + "\n")
    (tmp / "codefresh.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    known = {"CF_BUILD_ID": "0a1b2c", "CF_SHORT_REVISION": "0123456", "CF_PULL_REQUEST_NUMBER": "7", **variables}
    if key is not None:
        known["REFLECT_API_KEY"] = key
    (tmp / "build.json").write_text(json.dumps({"volume": str(volume), "variables": known}))
    code, log = execute(
        machine.module("codefresh.executor", tmp / "codefresh.yml", tmp / "build.json"),
        Case(cancel_when="started" if cancel else None), sim, env=machine.environ(tmp, {}), cwd=tmp, log=tmp / "log",
    )  # fmt: skip
    assert KEY not in log
    exported = volume / "variables.json"
    return code, log, json.loads(exported.read_text()) if exported.is_file() else {}


def suites(sim: Simulator) -> list[str]:
    """Return the suites that were started."""
    return sorted(started.suite for started in sim.started)


# --- the files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_freestyle(status: str, tmp_path: Path) -> None:
    """The freestyle step as it stands is as green as its suite, and hands its verdict on."""
    with Simulator({"suites": {"regression-tests": {"status": status}}}) as sim:
        code, log, variables = build(FREESTYLE, sim, tmp_path)
        (started,) = sim.started
        assert started.body["overrides"]["hostnames"] == [
            {"original": "www.example.com", "replacement": "staging.example.com"}
        ]
    assert (code == 0) == (status == "passed"), log
    assert variables["REFLECT_VERDICT"] == status
    assert (tmp_path / "volume" / "reflect-report" / "junit.xml").is_file()


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_after_deploy(status: str, tmp_path: Path) -> None:
    """The sample "after-deploy.yml" deploys production only when staging passed, and knows the verdict and the link there."""
    with Simulator({"suites": {"regression-tests": {"tests": 1}, "checkout-suite": {"status": status}}}) as sim:
        code, log, _ = build(SAMPLES / "after-deploy.yml", sim, tmp_path)
        assert suites(sim) == ["checkout-suite", "regression-tests"]
        assert sim.started[0].body["variables"] == {"BUILD": "0123456"}
    assert (code == 0) == (status == "passed"), log
    assert ("staging was passed, see https://" in log) == (status == "passed")


def test_pull_request(sim: Simulator, tmp_path: Path) -> None:
    """The sample "pull-request.yml" tests the address that the deploying step exported, once it answers."""
    document = yaml.safe_load((SAMPLES / "pull-request.yml").read_text())
    preview = sim.url.removesuffix("/v1") + "/_simulate/started?"
    (line,) = document["steps"]["deploy_preview"]["commands"]
    document["steps"]["deploy_preview"]["commands"] = [line.replace("https://preview-", preview)]
    code, log, _ = build(document, sim, tmp_path)
    assert code == 0, log
    host = sim.url.removeprefix("http://").removesuffix("/v1")
    assert sim.started[0].body["overrides"]["hostnames"] == [{"original": "www.example.com", "replacement": host}]


def test_pull_request_of_a_fork(sim: Simulator, tmp_path: Path) -> None:
    """Without a key, whose reference then stays text, it is skipped with a notice."""
    code, log, _ = build(SAMPLES / "pull-request.yml", sim, tmp_path, key=None)
    assert code == 0, log
    assert "skip" in log.lower()
    assert sim.calls == []


def test_start_then_collect(sim: Simulator, tmp_path: Path) -> None:
    """The sample "start-then-collect.yml" starts each suite once and has their verdict; its hook is no error then."""
    code, log, variables = build(SAMPLES / "start-then-collect.yml", sim, tmp_path)
    assert code == 0, log
    assert suites(sim) == ["checkout-suite", "regression-tests"]
    assert variables["REFLECT_VERDICT"] == "passed"
    assert "cancel failed" not in log


@pytest.mark.parametrize("cancel", [False, True])
def test_hook_cancels(cancel: bool, tmp_path: Path) -> None:
    """When other checks fail or the build is terminated between, the hook cancels what was started."""
    with Simulator({"suites": {name: {"status": "never"} for name in IDS}}) as sim:
        checks = "sleep 60" if cancel else "exit 3"
        code, log, _ = build(SAMPLES / "start-then-collect.yml", sim, tmp_path, checks=checks, cancel=cancel)
        assert code == 1, log
        assert len(sim.started) == 2 or cancel, log
        assert sim.wait_for(lambda service: not service.running(), seconds=30), log


def test_key_under_another_name(sim: Simulator, tmp_path: Path) -> None:
    """api_key takes the key from a variable of another name."""
    step = {"type": TYPE, "arguments": {"suites": "regression-tests", "api_key": "${{MY_KEY}}"}}
    code, log, _ = build({"steps": {"a": step}}, sim, tmp_path, key=None, MY_KEY=KEY)
    assert code == 0, log
    assert sim.started[0].suite == "regression-tests"


def test_step_type_gets_no_other_variable(sim: Simulator, tmp_path: Path) -> None:
    """A variable of the pipeline that happens to be an input's does not reach the step type."""
    step = {"type": TYPE, "arguments": {"suites": "regression-tests"}}
    code, log, _ = build({"steps": {"a": step}}, sim, tmp_path, REFLECT_WAIT="false")
    assert code == 0, log
    assert "passed" in log.lower()


def test_every_sample_is_tested() -> None:
    """There is no sample that no test of this file runs."""
    source = Path(__file__).read_text()
    for path in SAMPLES.iterdir():
        assert f'"{path.name}"' in source, path.name


def test_examples_of_the_step_type() -> None:
    """The examples that Codefresh shows have arguments that the schema takes."""
    for example in STEP["metadata"]["examples"]:
        for step in example["workflow"].values():
            assert step["type"] == TYPE
            jsonschema.Draft7Validator(SCHEMA).validate(step["arguments"])


def test_returns_are_what_the_runner_exports(sim: Simulator, tmp_path: Path) -> None:
    """The step type's returns are the variables that it exports, no more and no less."""
    _, _, variables = build(FREESTYLE, sim, tmp_path)
    exported = {name for name in variables if name.startswith("REFLECT_")} - {"REFLECT_API_KEY"}
    assert set(json.loads(STEP["spec"]["returns"])["properties"]) == exported


# --- validators ----------------------------------------------------------------------------------------------------


def validate(path: Path) -> tuple[int, str]:
    """Check a pipeline by Codefresh's own validator."""
    tools = ROOT / "scripts" / "tools"
    run = subprocess.run(
        ["node", "-e", VALIDATE, path],
        cwd=tools, env={"PATH": path_with_runner(), "HOME": "/nonexistent", "NODE_PATH": str(tools / "node_modules")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return run.returncode, run.stdout + run.stderr


@pytest.mark.parametrize("path", [FREESTYLE, *sorted(SAMPLES.iterdir())], ids=lambda path: path.name)
def test_pipeline_is_valid(path: Path) -> None:
    """Codefresh's validator takes the pipeline (it knows no step types but its own; their arguments have a schema of their own)."""
    code, output = validate(path)
    lines = [line for line in output.splitlines() if f"no schema found for step type '{TYPE}'" not in line]
    assert (code, lines) == (0, ["valid"])


def test_expanded_step_is_valid(tmp_path: Path) -> None:
    """Codefresh's validator takes the freestyle step that the step type becomes."""
    (step,) = steps_of_type({"type": TYPE, "arguments": {"suites": "a", "hosts": 'a="b"'}})
    path = tmp_path / "codefresh.yml"
    path.write_text(yaml.safe_dump({"version": "1.0", "steps": {"main": step}}))
    assert validate(path)[0] == 0


@pytest.mark.parametrize(("old", "new"), [("    image: ", "    no_image: "), ("stage: postdeploy", "stage: elsewhere")])
def test_validator_refuses(old: str, new: str, tmp_path: Path) -> None:
    """The validator refuses a step without an image, and a stage that is not declared."""
    path = tmp_path / "codefresh.yml"
    path.write_text(FREESTYLE.read_text().replace(old, new))
    code, output = validate(path)
    assert code == 1
    assert "function" not in output, "the validator itself broke"


def test_script_is_clean(tmp_path: Path) -> None:
    """shellcheck has no finding in the scripts of both forms."""
    (step,) = steps_of_type({"type": TYPE, "arguments": {"suites": "a"}})
    (free,) = yaml.safe_load(FREESTYLE.read_text())["steps"].values()
    for (commands,) in (step["commands"], free["commands"]):
        path = tmp_path / "script.sh"
        path.write_text("#!/bin/sh\n" + commands)
        run = subprocess.run(
            ["shellcheck", path],
            env=machine.environ(tmp_path, {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stdout


def test_script_names_no_variable() -> None:
    """Nothing in the scripts looks like a reference or an action, which Codefresh would expand in them."""
    for commands in (STEP["spec"]["stepsTemplate"].split("commands:")[1], FREESTYLE.read_text().split("commands:")[1]):
        assert "${{" not in commands
        assert "[[" not in commands
        assert "]]" not in commands


# --- arguments -----------------------------------------------------------------------------------------------------

NASTY = [
    'a"\n    - EVIL=1', "a' #", 'x" && touch pwned; "', "${HOME} $(id) `id`", "\\", 'a\\"', "[[ .Arguments.runner ]]", "- b: {c}",
    "Zoë \u202e Łuć 🐞", "\u00a0\u2028", "%s%q%d",
]  # fmt: skip


@pytest.mark.parametrize("value", [value for value in NASTY if "\n" not in value])
@pytest.mark.parametrize("name", ["suites", "variables", "api_key", "overrides"])
def test_argument_stays_one_value(name: str, value: str) -> None:
    """Whatever stands in an argument, the step that it becomes has it to the letter and nothing else."""
    (plain,) = steps_of_type({"type": TYPE, "arguments": {name: "plain"}})
    (step,) = steps_of_type({"type": TYPE, "arguments": {name: value}})
    variable = f"REFLECT_{name.upper()}"
    assert step == {**plain, "environment": [
        f"{variable}={value}" if entry.startswith(f"{variable}=") else entry for entry in plain["environment"]
    ]}  # fmt: skip
    assert f"{variable}={value}" in step["environment"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"suites": NASTY[0]}, {"suites": "a\n"}, {"timeout": "30m\n"}, {"timeout": "30m; id"}, {"image": 'a"\nb: c'}, {"image": "a b"},
        {"concurrency": "2\n"}, {"concurrency": "-1"}, {"wait": "no"}, {"wait": False}, {"conflict": "Cancel"}, {"command": "doctor"},
        {"suite": "a"}, {"suites": ["a"]}, {"suites": "\x00"}, {"report_dir": "a\x7f"}, {"api_key": "a\rb"},
    ],
)  # fmt: skip
def test_schema_refuses(arguments: dict[str, Any]) -> None:
    """Unknown arguments, other types, unknown words and control characters are refused before any step exists."""
    with pytest.raises(Refused):
        list(steps_of_type({"type": TYPE, "arguments": arguments}))


@pytest.mark.parametrize("value", ["30m", "1h30m", "90s", "1800"])
def test_schema_takes_lengths_of_time(value: str) -> None:
    """Every way to write a length of time is taken."""
    jsonschema.Draft7Validator(SCHEMA).validate({"timeout": value})


@pytest.mark.parametrize(
    "template", ["[[ range .Arguments ]]", "[[ .Arguments.suites ]]", "[[ if .Arguments.suites ]]"]
)
def test_renderer_refuses(template: str) -> None:
    """The renderer refuses what it does not know, so that it never renders something in another way than Codefresh."""
    with pytest.raises(ValueError, match=r"not known|without its end"):
        render(template, {"suites": "a"})


GO = """
package main
import ("encoding/json"; "io"; "os"; "text/template")
func main() {
  var given struct { Template string; Arguments []map[string]interface{} }
  data, _ := io.ReadAll(os.Stdin)
  if err := json.Unmarshal(data, &given); err != nil { panic(err) }
  parsed := template.Must(template.New("t").Delims("[[", "]]").Parse(given.Template))
  for _, arguments := range given.Arguments {
    if err := parsed.Execute(os.Stdout, map[string]interface{}{"Arguments": arguments}); err != nil { panic(err) }
    os.Stdout.WriteString("\\x00")
  }
}
"""


@pytest.mark.engine
def test_renderer_equals_gos(tmp_path: Path) -> None:
    """Go's own text/template makes the same text of the template, for each argument alone and for hostile values."""
    from tests.cluster.builder.gomodules import find_go

    template = STEP["spec"]["stepsTemplate"]
    cases: list[dict[str, str]] = [{}, {"image": "a/b:1"}, *({name: "x"} for name in SCHEMA["properties"])]
    cases += [{"suites": value, "variables": value, "api_key": value} for value in NASTY]
    (tmp_path / "main.go").write_text(GO)
    run = subprocess.run(
        [find_go(), "run", tmp_path / "main.go"],
        input=json.dumps({"Template": template, "Arguments": cases}), env=machine.environ(tmp_path, {"GOTOOLCHAIN": "local"}),
        capture_output=True, text=True, timeout=300, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert run.stdout.split("\x00")[:-1] == [render(template, case) for case in cases]


def test_quoting() -> None:
    """Quoting is Go's."""
    assert quoted('a"\\\n\x00\x7fé\u2028') == '"a\\"\\\\\\n\\x00\\x7fé\\u2028"'
