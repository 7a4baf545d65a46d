"""The CodeDeploy hook, as the package in Lambda's own runtime: whatever happens, CodeDeploy is told the truth once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY
from tests.platforms.codedeploy import emulator
from tests.platforms.codedeploy.aws import MACHINE, SECRET, Aws


def hook() -> dict[str, str]:
    """Return the event of a hook that no other test has."""
    return {"DeploymentId": "d-EXAMPLE11", "LifecycleEventHookExecutionId": uuid.uuid4().hex}


def environ(sim: Simulator, aws: Aws, tmp: Path, **inputs: str) -> dict[str, str]:
    """Return a function's variables."""
    return {
        "REFLECT_API_URL": sim.url,
        "REFLECT_SUITES": "passes",
        "REFLECT_SECRET_ARN": SECRET,
        "REFLECT_REPORT_DIR": str(tmp / "reports"),
        **aws.environ,
        **inputs,
    }


def statuses(aws: Aws) -> list[str]:
    """Return what CodeDeploy was told."""
    return [each["status"] for each in aws.statuses]


def test_reports_under_the_event_s_ids(tmp_path: Path) -> None:
    """The status is put for the deployment and the hook execution of the event, by a signed request."""
    event = hook()
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        with emulator.function("codedeploy_hook.handler", environ(sim, aws, tmp_path), tmp_path) as function:
            answer = function.call(event)
        assert aws.statuses == [
            {
                "deploymentId": event["DeploymentId"],
                "lifecycleEventHookExecutionId": event["LifecycleEventHookExecutionId"],
                "status": "Succeeded",
            }
        ]
    assert answer["verdict"] == "passed"


def test_duplicate_event_starts_nothing(tmp_path: Path) -> None:
    """An event that comes twice to the same sandbox starts the suites once; the next hook starts them again."""
    event = hook()
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        with emulator.function("codedeploy_hook.handler", environ(sim, aws, tmp_path), tmp_path) as function:
            first, second = function.call(event), function.call(event)
            assert [started.suite for started in sim.started] == ["passes"]
            function.call(hook())
            log = function.log
        assert [started.suite for started in sim.started] == ["passes", "passes"]
        assert statuses(aws) == ["Succeeded", "Succeeded"]
    assert first["status"] == second["status"] == "Succeeded"
    assert "came before" in log


@pytest.mark.parametrize(
    ("secrets", "inputs", "sentence"),
    [
        ({}, {}, "could not be read (ResourceNotFoundException)"),
        ({SECRET: '{"key": "x"}'}, {}, "REFLECT_SECRET_FIELD"),
        ({SECRET: KEY}, {"REFLECT_SECRET_FIELD": "key"}, "no JSON object with the member key"),
        ({SECRET: " "}, {}, "holds no text"),
    ],
)
def test_secret_trouble_fails_at_once(
    tmp_path: Path, secrets: Mapping[str, str], inputs: Mapping[str, str], sentence: str
) -> None:
    """A secret that is missing or not as configured: Failed is reported, nothing is called, the log says what to mend."""
    with Simulator() as sim, Aws(dict(secrets)) as aws:
        with emulator.function("codedeploy_hook.handler", environ(sim, aws, tmp_path, **inputs), tmp_path) as function:
            function.call(hook())
            log = function.log
        assert statuses(aws) == ["Failed"]
        assert sim.calls == []
    assert sentence in log
    assert KEY not in log


def test_secret_field(tmp_path: Path) -> None:
    """The key can be a member of a JSON secret."""
    with Simulator() as sim, Aws({SECRET: json.dumps({"reflect": KEY})}) as aws:
        inputs = environ(sim, aws, tmp_path, REFLECT_SECRET_FIELD="reflect")
        with emulator.function("codedeploy_hook.handler", inputs, tmp_path) as function:
            function.call(hook())
        assert statuses(aws) == ["Succeeded"]
        assert {call.headers["x-api-key"] for call in sim.calls} == {KEY}


@pytest.mark.parametrize("operation", ["GetSecretValue", "PutLifecycleEventHookExecutionStatus"])
def test_throttled_by_aws(tmp_path: Path, operation: str) -> None:
    """A request that AWS throttles is sent again, and the verdict arrives."""
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        aws.troubles[operation] = ["ThrottlingException", "InternalFailure"]
        with emulator.function("codedeploy_hook.handler", environ(sim, aws, tmp_path), tmp_path) as function:
            function.call(hook())
        assert statuses(aws) == ["Succeeded"]
        assert aws.calls.count(operation) == 3


def test_status_refused_is_an_error_of_the_function(tmp_path: Path) -> None:
    """When CodeDeploy does not take the status, the function itself fails, so that Lambda's failure destination is called."""
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        aws.troubles["PutLifecycleEventHookExecutionStatus"] = ["AccessDeniedException", "…"]
        with emulator.function("codedeploy_hook.handler", environ(sim, aws, tmp_path), tmp_path) as function:
            answer = function.call(hook())
    assert answer["errorType"] == "Trouble"
    assert "codedeploy:PutLifecycleEventHookExecutionStatus" in answer["errorMessage"]


def test_deadline_before_the_function_s_own(tmp_path: Path) -> None:
    """A suite that does not end is canceled and reported as Failed before Lambda ends the function."""
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        inputs = environ(sim, aws, tmp_path, REFLECT_SUITES="never-ends")
        with emulator.function("codedeploy_hook.handler", inputs, tmp_path, seconds=10) as function:
            answer = function.call(hook())
            log = function.log
        assert statuses(aws) == ["Failed"]
        assert sim.wait_for(lambda service: not service.running())
    assert answer["verdict"] == "timed-out"
    assert "the timeout is shortened" in log


def test_event_of_something_else(tmp_path: Path) -> None:
    """A call with something that is no hook's event starts nothing and says so."""
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        with emulator.function("codedeploy_hook.handler", environ(sim, aws, tmp_path), tmp_path) as function:
            answer = function.call({"test": True})
            log = function.log
        assert aws.statuses == []
        assert sim.calls == []
    assert answer["status"] == ""
    assert "no event of a CodeDeploy hook" in log


def test_long_suites_are_handed_over_once(tmp_path: Path) -> None:
    """With a state machine the hook starts it under a name of its own, once an event, and reports nothing itself."""
    event = hook()
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        inputs = environ(sim, aws, tmp_path, REFLECT_STATE_MACHINE=MACHINE)
        with emulator.function("codedeploy_hook.handler", inputs, tmp_path) as function:
            answers = [function.call(each) for each in (event, event, hook())]
        assert json.loads(next(iter(aws.machines.values())))["hook"] == event["LifecycleEventHookExecutionId"]
        assert len(aws.machines) == 2
        assert sim.calls == []
        assert aws.statuses == []
    assert [answer["verdict"] for answer in answers] == ["handed-over", "duplicate", "handed-over"]


def test_state_machine_that_cannot_be_started(tmp_path: Path) -> None:
    """A hook that cannot hand over reports Failed at once and does not let CodeDeploy wait for its hour."""
    with Simulator() as sim, Aws({SECRET: KEY}) as aws:
        aws.troubles["StartExecution"] = ["StateMachineDoesNotExist", "…"]
        inputs = environ(sim, aws, tmp_path, REFLECT_STATE_MACHINE=MACHINE)
        with emulator.function("codedeploy_hook.handler", inputs, tmp_path) as function:
            function.call(hook())
        assert statuses(aws) == ["Failed"]
        assert sim.calls == []


def test_failure_destination_reports_failed(tmp_path: Path) -> None:
    """Lambda's record of a hook that died is answered by Failed for that hook."""
    event = hook()
    record: dict[str, Any] = {
        "version": "1.0",
        "requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 1},
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "Task timed out after 900.00 seconds"},
    }
    with Aws() as aws:
        with emulator.function("codedeploy_hook.failed", aws.environ, tmp_path) as function:
            function.call(record)
        assert [(each["lifecycleEventHookExecutionId"], each["status"]) for each in aws.statuses] == [
            (event["LifecycleEventHookExecutionId"], "Failed")
        ]


def notification(status: str = "SUCCEEDED", **more: str) -> dict[str, Any]:
    """Return an SNS event with one notification of a deployment group."""
    message = {
        "region": "eu-central-1", "accountId": "111122223333", "eventTriggerName": "reflect",
        "applicationName": "Shop", "deploymentId": "d-EXAMPLE11", "deploymentGroupName": "production",
        "createTime": "Wed Nov 25 20:00:00 UTC 2026", "completeTime": "Wed Nov 25 20:03:00 UTC 2026",
        "deploymentOverview": '{"Succeeded":1,"Failed":0}', "status": status, **more,
    }  # fmt: skip
    return {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "1", "Message": json.dumps(message)}}]}


def test_notifications(tmp_path: Path) -> None:
    """Only the notification that the deployment succeeded starts the suites, and once, in whatever order they come."""
    with Aws() as aws:
        inputs = {"REFLECT_STATE_MACHINE": MACHINE, **aws.environ}
        with emulator.function("codedeploy_hook.notified", inputs, tmp_path) as function:
            quiet = [function.call(notification(status)) for status in ("CREATED", "FAILED", "STOPPED", "READY")]
            quiet += [
                function.call(notification(instanceId="i-1")),
                function.call({"Records": [{"Sns": {"Message": "hello"}}]}),
            ]
            assert aws.calls == []
            first = function.call(notification())
            late = [function.call(notification("CREATED")), function.call(notification())]
        assert len(aws.machines) == 1
        assert json.loads(*aws.machines.values())["hook"] == ""
    assert all(answer == {"started": []} for answer in quiet + late)
    assert first == {"started": ["d-EXAMPLE11"]}


def test_notification_is_sent_again_when_nothing_could_be_started(tmp_path: Path) -> None:
    """A notification whose suites could not be started makes the function fail, so that Lambda tries again."""
    with Aws() as aws:
        aws.troubles["StartExecution"] = ["AccessDeniedException", "…"]
        inputs = {"REFLECT_STATE_MACHINE": MACHINE, **aws.environ}
        with emulator.function("codedeploy_hook.notified", inputs, tmp_path) as function:
            assert function.call(notification())["errorType"] == "Trouble"
