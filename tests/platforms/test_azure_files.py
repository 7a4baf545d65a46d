"""Microsoft's language service on every YAML file, and the schemas on every JSON file."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.conformance.frame import ROOT
from tests.platforms.azure.expander import Loader
from tests.platforms.azure.support import FOLDER, SAMPLES, TEMPLATES, expanded

EXTENSION = FOLDER / "extension"
YAML = sorted([*TEMPLATES.glob("*.yml"), *SAMPLES.glob("*.yml")])
TASK = json.loads((EXTENSION / "ReflectRun" / "task.json").read_text())
# The service does not know that a name may be an expression; the expanded form of every file is checked without exceptions.
EXPRESSION_AS_NAME = re.compile(r"^\s*(- )?(name|job): .*\$\{\{")


def schema(target: Path) -> Path:
    """Write the schema that an organisation with the extension sees: the published one and the extension's task."""
    found = importlib.util.find_spec("check_jsonschema")
    assert found is not None and found.origin is not None
    document = json.loads(
        (Path(found.origin).parent / "builtin_schemas" / "vendor" / "azure-pipelines.json").read_text()
    )
    task = document["definitions"]["task"]
    name = f"{TASK['name']}@{TASK['version']['Major']}"
    inputs = {
        row["name"]: {"enum": list(row["options"])}
        if "options" in row
        else {"type": "boolean" if row["type"] == "boolean" else "string"}
        for row in TASK["inputs"]
    }
    required = [row["name"] for row in TASK["inputs"] if row["required"] and not row.get("defaultValue")]
    task["properties"]["task"]["anyOf"].append({"enum": [name]})
    task["anyOf"].append(
        {
            "properties": {
                "task": {"pattern": f"^{name}$"},
                "inputs": {"properties": inputs, "additionalProperties": False, "required": required},
            },
            "firstProperty": ["task"],
            "required": ["task", "inputs"],
        }
    )
    target.write_text(json.dumps(document))
    return target


def diagnose(files: list[Path], tmp: Path) -> dict[str, list[str]]:
    """Return what the language service says about each file, by file name."""
    node = shutil.which("node")
    assert node, "node is missing: ./scripts/setup says what to install"
    done = subprocess.run(
        [node, ROOT / "tests" / "platforms" / "azure" / "validate.js", schema(tmp / "schema.json"), *files],
        env={"NODE_PATH": str(ROOT / "scripts" / "tools" / "node_modules"), "HOME": str(tmp), "PATH": "/usr/bin:/bin"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.strip().splitlines()[-1])
    return {Path(file).name: problems for file, problems in found.items()}


def serious(path: Path, problems: list[str]) -> list[str]:
    """Leave out the complaint about an expression as the name of a step or job."""
    lines = path.read_text().splitlines()
    return [
        problem
        for problem in problems
        if not (
            "does not match the pattern" in problem and EXPRESSION_AS_NAME.match(lines[int(problem.split(":")[0]) - 1])
        )
    ]


def test_every_file_satisfies_the_language_service(tmp_path: Path) -> None:
    """Templates and samples are what Microsoft's own editor accepts."""
    found = diagnose(YAML, tmp_path)
    assert set(found) == {path.name for path in YAML}
    assert {path.name: serious(path, found[path.name]) for path in YAML if serious(path, found[path.name])} == {}


def test_every_sample_satisfies_the_language_service_once_expanded(tmp_path: Path) -> None:
    """What the templates expand to is a pipeline without any complaint."""
    files = []
    for path in sorted(SAMPLES.glob("*.yml")):
        document = expanded(path)
        document.pop("resources", None)
        text = yaml.safe_dump(document, sort_keys=False)
        # The schema wants `waitForCompletion: 'true'` quoted, as the dump does, and no empty lists.
        files.append(tmp_path / path.name)
        files[-1].write_text(text.replace("dependsOn: []\n", "dependsOn:\n"))
    found = diagnose(files, tmp_path)
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("templates/reflect-trigger.jobs.yml", "urlSuffix:", "urlSufix:"),
        ("templates/reflect-run.steps.yml", "  displayName: ${{", "  displayNam: ${{"),
        ("templates/reflect-run.jobs.yml", "cancelTimeoutInMinutes: ${{", "cancelTimeout: ${{"),
        ("templates/reflect-callback.jobs.yml", "waitForCompletion: 'true'", "waitForCompletion: 'yes'"),
        ("samples/extension.yml", "    suites:", "    suite:"),
        ("samples/azure-pipelines.yml", "\ntrigger:", "\ntriger:"),
    ],
)
def test_a_misspelt_name_is_noticed(file: str, old: str, new: str, tmp_path: Path) -> None:
    """The check above can fail: one wrong name in a file is found."""
    text = (FOLDER / file).read_text()
    assert old in text
    broken = tmp_path / "broken.yml"
    broken.write_text(text.replace(old, new))
    assert serious(broken, diagnose([broken], tmp_path)["broken.yml"])


def test_templates_are_pinned_in_samples() -> None:
    """Every sample takes the templates from a tag, never from a branch that moves."""
    for path in SAMPLES.glob("*.yml"):
        for row in yaml.load(path.read_text(), Loader).get("resources", {}).get("repositories", []):
            assert re.fullmatch(r"refs/tags/v\d+\.\d+\.\d+", row["ref"]), path.name


def connection(**changes: Any) -> dict[str, Any]:
    """Return the service connection as its template is filled in."""
    text = (FOLDER / "service-connection" / "reflect.json").read_text()
    for name, value in {
        "api-url": "https://api.reflect.run/v1",
        "project-id": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "project-name": "Shop",
    }.items():
        text = text.replace("{{" + name + "}}", value)
    return {**json.loads(text), **changes}


SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas" / "azure-service-connection.schema.json").read_text()))


def test_a_filled_in_service_connection_satisfies_its_schema() -> None:
    """The template, filled in, is a service connection that the schema takes."""
    assert [error.message for error in SCHEMA.iter_errors(connection())] == []


def test_the_callback_connection_satisfies_the_schema_too() -> None:
    """The connection to one's own Tekton listener has the same form."""
    text = (FOLDER / "service-connection" / "reflect-callback.json").read_text()
    for name, value in {
        "listener-url": "https://tekton.example.com/azure",
        "project-id": "0f0e0d0c-0b0a-4908-8706-050403020100",
        "project-name": "Shop",
    }.items():
        text = text.replace("{{" + name + "}}", value)
    assert [error.message for error in SCHEMA.iter_errors(json.loads(text))] == []


@pytest.mark.parametrize("name", ["reflect.json", "reflect-callback.json"])
def test_a_template_that_was_not_filled_in_is_refused(name: str) -> None:
    """A place-holder that is left over is noticed before Azure DevOps sees it."""
    document = json.loads((FOLDER / "service-connection" / name).read_text())
    paths = {"/".join(map(str, error.absolute_path)) for error in SCHEMA.iter_errors(document)}
    assert {"url", "serviceEndpointProjectReferences/0/projectReference/id"} <= paths


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://api.reflect.run/v1/"},
        {"url": "https://api.reflect.run/v1/suites/checkout/executions"},
        {"authorization": {"scheme": "None", "parameters": {}}},
        {"authorization": {"scheme": "UsernamePassword", "parameters": {"username": "", "password": "a-key"}}},
        {"isShared": True},
        {"typ": "generic"},
        {"serviceEndpointProjectReferences": []},
    ],
)
def test_a_wrong_service_connection_is_refused(changes: dict[str, Any]) -> None:
    """What Azure DevOps would take and then not work, or would hold a key, is refused."""
    assert list(SCHEMA.iter_errors(connection(**changes)))
