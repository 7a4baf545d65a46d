"""The agentless forms: the requests that the server would send are built from the YAML and sent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT
from tests.platforms.azure.events import Events
from tests.platforms.azure.expander import expand_pipeline
from tests.platforms.azure.listener import Listener
from tests.platforms.azure.pipeline import Build, PipelineError, Seen
from tests.platforms.azure.server import Request, ServerTaskError, build, meets, send
from tests.platforms.azure.support import FOLDER, SAMPLES, SUITES, agents, environ, expanded

TOKEN = "the-jobs-own-token"
SECRET = "a-secret-both-sides-know"
IDS = {
    name: f"{number:08d}-0000-4000-8000-000000000000"
    for number, name in enumerate(("project", "plan", "job", "timeline", "task"), 1)
}
GATE = json.loads((SAMPLES / "release-gate.json").read_text())


def variables(**more: str) -> dict[str, str]:
    """Return what a job on the server knows."""
    return {
        "ReflectApiKey": KEY,
        "ReflectCallbackSecret": SECRET,
        "System.CollectionUri": "https://dev.azure.com/example/",
        "System.TeamProjectId": IDS["project"],
        "System.HostType": "build",
        "System.PlanId": IDS["plan"],
        "System.JobId": IDS["job"],
        "System.TimelineId": IDS["timeline"],
        "System.TaskInstanceId": IDS["task"],
        "System.JobAttempt": "1",
        "System.AccessToken": TOKEN,
        **more,
    }


def trigger(sim: Simulator, tmp: Path, key: str = KEY, **parameters: object) -> Seen:
    """Run the trigger-only template for these suites."""
    file = tmp / "pipeline.yml"
    repository = {"repository": "reflect", "type": "github", "name": "reflect-ci/catalog", "endpoint": "github"}
    jobs = [{"template": "tasks/azure-devops/templates/reflect-trigger.jobs.yml@reflect", "parameters": parameters}]
    file.write_text(yaml.safe_dump({"resources": {"repositories": [repository]}, "jobs": jobs}))
    return Build(
        home=tmp / "build", agent=agents(tmp), connections={"Reflect": sim.url}, variables=variables(ReflectApiKey=key)
    ).run(expanded(file))


# --- trigger only -----------------------------------------------------------------------------------------------------


def test_the_trigger_sample_starts_each_suite_once(tmp_path: Path) -> None:
    """Each suite is started once with the hosts and variables of the sample, and nothing else is called."""
    with Simulator({"suites": SUITES}) as sim:
        seen = Build(
            home=tmp_path, agent=agents(tmp_path), connections={"Reflect": sim.url}, variables=variables()
        ).run(expanded(SAMPLES / "agentless-trigger.yml"))
    assert seen.green, seen.text
    assert [call.method for call in sim.calls] == ["POST", "POST"]
    assert [started.suite for started in sim.started] == ["checkout", "login"]
    assert sim.started[0].body == {
        "overrides": {"hostnames": [{"original": "www.example.com", "replacement": "staging.example.com"}]},
        "variables": {"BUILD": "1.2.3"},
    }
    assert KEY not in seen.text


def test_the_builds_own_token_is_sent_to_nobody(tmp_path: Path) -> None:
    """The headers are always given, because the task's default ones hold the access token of the build."""
    with Simulator() as sim:
        trigger(sim, tmp_path, suites=["passes"])
    (call,) = sim.calls
    assert TOKEN not in json.dumps([dict(call.headers), call.body])
    assert "authtoken" not in {name.lower() for name in call.headers}
    assert call.headers["x-api-key"] == KEY
    assert call.headers["content-type"] == "application/json"


def test_without_headers_the_token_would_be_sent() -> None:
    """The danger that the test above guards against is real: the documented default headers hold the token."""
    request = build({"serviceConnection": "Reflect", "method": "POST"}, {"Reflect": "https://api.example"}, variables())
    assert request.headers["AuthToken"] == TOKEN


@pytest.mark.parametrize(
    "suite", ["no-such-suite", "bad-request", "start-500", "start-html", "start-empty", "start-redirect", "cut-before"]
)
def test_a_start_that_was_not_accepted_is_red(suite: str, tmp_path: Path) -> None:
    """Whatever is not the service's own answer with an execution id makes the job red."""
    with Simulator() as sim:
        assert not trigger(sim, tmp_path, suites=[suite]).green


def test_a_wrong_key_is_red(tmp_path: Path) -> None:
    """A key that the service refuses makes the job red, and no second suite is tried."""
    with Simulator() as sim:
        assert not trigger(sim, tmp_path, key="wrong-key", suites=["passes", "fails"]).green
    assert len(sim.calls) == 1


def test_trigger_only_says_so(tmp_path: Path) -> None:
    """A suite that fails leaves the job green, and its name says that it does not wait."""
    with Simulator() as sim:
        assert trigger(sim, tmp_path, suites=["fails"]).green
    (job,) = expanded(SAMPLES / "agentless-trigger.yml")["jobs"]
    assert "does not wait" in job["displayName"]
    assert all("does not wait" in step["displayName"] for step in job["steps"])


def test_a_body_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """Azure takes 2000 characters; more is an error and no half of a start."""
    with Simulator() as sim, pytest.raises(ServerTaskError, match="2000"):
        trigger(sim, tmp_path, suites=["passes"], variables={"LONG": "x" * 2000})
    assert sim.calls == []


def test_values_with_quotes_stay_values(tmp_path: Path) -> None:
    """Quotes and line breaks in a variable cannot change the body's form."""
    nasty = 'a "quoted"\nvalue\\ with ${{ nothing'
    with Simulator() as sim:
        assert trigger(sim, tmp_path, suites=["passes"], variables={"NASTY": nasty.replace("${{", "$ {{")}).green
    assert (sim.started[0].body or {})["variables"] == {"NASTY": nasty.replace("${{", "$ {{")}


def test_the_server_task_is_refused_on_an_agent() -> None:
    """InvokeRESTAPI@1 stands in jobs with pool: server only; the vendor's snippet shows it under bare steps."""
    for path in sorted((FOLDER / "templates").glob("*.yml")):
        for job in yaml.safe_load(path.read_text()).get("jobs", []):
            if isinstance(job, dict) and "InvokeRESTAPI" in json.dumps(job):
                assert job["pool"] == "server", path.name


# --- the agentless form that waits --------------------------------------------------------------------------------------


def callback(sim: Simulator, tmp: Path, suites: str, events: Events, listener: str) -> Seen:
    """Run the callback sample; what the trigger in the cluster does is done here by the same commands."""

    def complete(request: Request) -> str:
        body = json.loads(request.body)
        environment = {
            **environ(tmp),
            "REFLECT_API_URL": sim.url,
            "REFLECT_API_KEY": KEY,
            "REFLECT_SUITES": body["suites"],
            "REFLECT_REPORT_DIR": str(tmp / "reports"),
            "AZURE_PLAN_URLS": events.url,
            "AZURE_PLAN_URL": body["planUrl"],
            "AZURE_PROJECT_ID": body["projectId"],
            "AZURE_HUB_NAME": body["hubName"],
            "AZURE_PLAN_ID": body["planId"],
            "AZURE_JOB_ID": body["jobId"],
            "AZURE_TASK_INSTANCE_ID": body["taskInstanceId"],
            "AZURE_TOKEN": body["authToken"],
        }

        def command(*words: str, **more: str) -> int:
            return subprocess.run(
                [sys.executable, "-m", "reflect_ci", *words],
                env={**environment, **more},
                stdin=subprocess.DEVNULL,
                timeout=180,
                check=False,
            ).returncode

        code = command("run")
        assert command("azure-callback", "complete", AZURE_RESULT="Failed" if code else "Succeeded") == 0
        (result,) = events.completed(IDS["job"])
        return result

    document = expanded(SAMPLES / "agentless-callback.yml")
    text = json.dumps(document).replace("checkout login", suites)
    return Build(
        home=tmp / "build",
        agent=agents(tmp),
        connections={"Reflect callback": listener},
        variables=variables(**{"System.CollectionUri": events.url}),
        complete=complete,
    ).run(json.loads(text))


@pytest.mark.parametrize(
    ("suites", "green"), [("passes", True), ("passes fails", False), ("empty", False), ("no-such-suite", False)]
)
def test_the_callback_job_has_the_colour_of_its_suites(suites: str, green: bool, tmp_path: Path) -> None:
    """The job is completed with the suites' verdict, and the job after it runs only when they passed."""
    with Simulator() as sim, Listener(SECRET) as listener, Events({IDS["job"]: TOKEN}, faults=[503, 0]) as events:
        seen = callback(sim, tmp_path, suites, events, listener.url)
    (received,) = listener.received
    assert seen.green == green, seen.text
    assert seen.results["Promote"] == ("Succeeded" if green else "Skipped")
    assert KEY not in json.dumps([received.headers, received.body])
    assert [event.status for event in events.seen] == [503, 0, 200]


def test_a_callback_job_that_nobody_completes_is_not_green(tmp_path: Path) -> None:
    """Without a TaskCompleted the job never becomes green."""
    with Listener(SECRET) as listener:
        seen = Build(
            home=tmp_path,
            agent=agents(tmp_path),
            connections={"Reflect callback": listener.url},
            variables=variables(),
        ).run(expanded(SAMPLES / "agentless-callback.yml"))
    assert not seen.green


def request_of(job: dict[str, Any]) -> Request:
    """Return the request of a job's only step."""
    (step,) = job["steps"]
    return build(step["inputs"], {"Reflect callback": "https://tekton.example.com/azure"}, variables())


def test_the_body_is_what_the_trigger_reads() -> None:
    """Every field that the Tekton trigger takes from the body is in it, in the form that the trigger accepts."""
    body = json.loads(request_of(expanded(SAMPLES / "agentless-callback.yml")["jobs"][0]).body)
    listener = (ROOT / "tasks" / "tekton" / "triggers" / "azure-callback" / "azure-callback.yaml").read_text()
    read = set(re.findall(r"body\.([A-Za-z]+)", listener))
    assert read <= set(body), read - set(body)
    assert {"planUrl", "projectId", "hubName", "planId", "jobId", "taskInstanceId", "authToken", "suites"} <= read
    for field, pattern in re.findall(r"body\.([A-Za-z]+)\.matches\('([^']+)'\)", listener):
        python = pattern.replace("\\\\", "\\").replace("\\p{Cc}", "\\x00-\\x1f")
        assert re.search(python, body[field]), (field, pattern)
    assert "header.canonical('X-Reflect-Secret')" in listener


def test_the_readme_names_every_field_of_the_body() -> None:
    """Whoever writes another receiver finds the fields in the README."""
    body = json.loads(request_of(expanded(SAMPLES / "agentless-callback.yml")["jobs"][0]).body)
    readme = (FOLDER / "README.md").read_text()
    assert [field for field in body if f"`{field}`" not in readme] == []


def test_a_secret_that_does_not_exist_is_sent_as_text_and_refused_there() -> None:
    """An undefined secret stays `$(…)`: the trigger's constant-time comparison fails, and no job waits for ever by it."""
    (step,) = expanded(SAMPLES / "agentless-callback.yml")["jobs"][0]["steps"]
    known = {name: value for name, value in variables().items() if name != "ReflectCallbackSecret"}
    assert (
        build(step["inputs"], {"Reflect callback": "https://x"}, known).headers["X-Reflect-Secret"]
        == "$(ReflectCallbackSecret)"
    )


# --- the events stand-in ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"authorization": "Bearer wrong"}, 401),
        ({"authorization": ""}, 401),
        ({"path": "/example/_apis/events"}, 404),
        ({"result": "passed"}, 400),
    ],
)
def test_the_stand_in_is_strict(changes: dict[str, str], status: int) -> None:
    """The stand-in takes only what the documentation of the events endpoint describes."""
    events = Events({IDS["job"]: TOKEN})
    path = f"/example/{IDS['project']}/_apis/distributedtask/hubs/build/plans/{IDS['plan']}/events?api-version=2.0-preview.1"
    body = {
        "name": "TaskCompleted",
        "taskId": IDS["task"],
        "jobId": IDS["job"],
        "result": changes.get("result", "succeeded"),
    }
    authorization = changes.get("authorization", f"Bearer {TOKEN}")
    assert events.take(changes.get("path", path), authorization, json.dumps(body).encode()) == status
    if status == 200:
        assert events.take(path, authorization, json.dumps(body).encode()) == 401, "a job can be completed once"


# --- the gate -----------------------------------------------------------------------------------------------------------


def evaluate_gate(sim: Simulator, execution: str, suite: str, inputs: dict[str, Any] | None = None) -> bool:
    """Evaluate the gate of the sample once."""
    known = variables(ReflectConnectionId="connection", ReflectSuite=suite, ReflectExecutionId=execution)
    return send(build(inputs or GATE["inputs"], {"connection": sim.url}, known))[0]


@pytest.mark.parametrize(
    ("suite", "opens"),
    [
        ("passes", True),
        ("retried", True),
        ("fails", False),
        ("mixed", False),
        ("empty", False),
        ("canceled", False),
        ("never-ends", False),
    ],
)
def test_the_gate_opens_only_for_an_execution_that_passed(suite: str, opens: bool, tmp_path: Path) -> None:
    """The gate's criteria are the catalog's own: finished, passed, every test passed, at least one ran. It starts nothing."""
    with Simulator() as sim:
        trigger(sim, tmp_path, suites=[suite])
        if suite != "never-ends":
            assert sim.wait_for(lambda service: not service.running(), seconds=30)
        before = len(sim.calls)
        assert [evaluate_gate(sim, sim.started[0].id, suite) for _ in range(3)] == [opens] * 3
        assert {call.method for call in sim.calls[before:]} == {"GET"}
        assert len(sim.started) == 1


def test_the_gate_stays_shut_for_what_does_not_exist() -> None:
    """An execution that does not exist, or a variable that was never set, opens nothing."""
    with Simulator() as sim:
        assert not evaluate_gate(sim, "999", "passes")
        assert not evaluate_gate(sim, "$(ReflectExecutionId)", "passes")


def test_a_gate_that_posts_starts_a_run_at_each_evaluation() -> None:
    """Why a POST in a gate is wrong: a gate is evaluated again and again until it passes."""
    inputs = {**GATE["inputs"], "method": "POST", "urlSuffix": "/suites/$(ReflectSuite)/executions", "body": "{}"}
    with Simulator() as sim:
        for _ in range(3):
            evaluate_gate(sim, "", "passes", inputs)
        assert len(sim.started) == 3


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "null",
        '{"status": "passed"}',
        '{"isFinished": true, "status": "passed"}',
        '{"isFinished": true, "status": "passed", "tests": {"data": "x"}}',
    ],
)
def test_the_gates_criteria_refuse_what_is_no_execution(body: str) -> None:
    """A page of a proxy or half an answer does not open the gate."""
    assert not meets(GATE["inputs"]["successCriteria"], body)


def test_the_executor_refuses_an_agent_task_on_the_server(tmp_path: Path) -> None:
    """A script in a job with pool: server is an error, as in Azure."""
    file = tmp_path / "pipeline.yml"
    file.write_text("jobs:\n- job: A\n  pool: server\n  steps:\n  - bash: echo\n")
    with pytest.raises(PipelineError):
        Build(home=tmp_path, agent=agents(tmp_path)).run(expand_pipeline(file))
