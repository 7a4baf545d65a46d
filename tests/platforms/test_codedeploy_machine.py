"""The state machine that goes on with long suites: its own definition, each step in Lambda's own runtime."""

from __future__ import annotations

import contextlib
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]  # it has no types of its own
import botocore.exceptions  # type: ignore[import-untyped]  # likewise
import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT
from tests.platforms.codedeploy import emulator
from tests.platforms.codedeploy.aws import SECRET, Aws
from tests.platforms.codedeploy.machine import Run, TaskFailed, execute

DEFINITION = (ROOT / "tasks" / "codedeploy" / "lambda" / "reflect-verdict.asl.json").read_text()


@dataclass
class Account:
    """What the machine's tasks reach. lambda_errors: what the next calls of the step end with ('' for a real call)."""

    sim: Simulator
    aws: Aws
    function: emulator.Function
    lambda_errors: list[str] = field(default_factory=list)

    def invoke(self, parameters: Any) -> Any:
        """Do lambda:invoke."""
        error = self.lambda_errors.pop(0) if self.lambda_errors else ""
        if error:
            raise TaskFailed(error)
        answer = self.function.call(parameters["Payload"])
        if isinstance(answer, dict) and "errorType" in answer:
            raise TaskFailed(answer["errorType"])
        return {"StatusCode": 200, "Payload": answer}

    def report(self, parameters: Any) -> Any:
        """Do the operation of CodeDeploy; Step Functions writes its parameters with capitals."""
        environ = self.aws.environ
        client = boto3.client(
            "codedeploy",
            region_name="eu-central-1",
            endpoint_url=environ["AWS_ENDPOINT_URL"],
            aws_access_key_id="example",
            aws_secret_access_key="example",
        )
        arguments = {name[0].lower() + name[1:]: value for name, value in parameters.items()}
        try:
            return client.put_lifecycle_event_hook_execution_status(**arguments)
        except botocore.exceptions.ClientError as error:
            raise TaskFailed(f"CodeDeploy.{error.response['Error']['Code']}") from None

    def run(self, hook: str = "", started: float | None = None) -> Run:
        """Run the machine with the input that the hook gives it."""
        value = {"deployment": f"d-{uuid.uuid4().hex[:9]}", "hook": hook, "executions": ""}
        resources: dict[str, Callable[[Any], Any]] = {
            "arn:aws:states:::lambda:invoke": self.invoke,
            "arn:aws:states:::aws-sdk:codedeploy:putLifecycleEventHookExecutionStatus": self.report,
        }
        return execute(DEFINITION, {**value, "started": int(started or time.time())}, resources, limit=20)

    @property
    def statuses(self) -> list[str]:
        """What CodeDeploy was told."""
        return [each["status"] for each in self.aws.statuses]

    @property
    def started(self) -> list[str]:
        """The suites that were started."""
        return [each.suite for each in self.sim.started]


@contextlib.contextmanager
def account(
    tmp: Path, suites: str, key: str | None = KEY, seconds: int = 300, inputs: Mapping[str, str] | None = None
) -> Iterator[Account]:
    """Give an account whose step function has these inputs and would be ended after these seconds."""
    with Simulator() as sim, Aws({} if key is None else {SECRET: key}) as aws:
        environ = {
            "REFLECT_API_URL": sim.url, "REFLECT_SUITES": suites, "REFLECT_SECRET_ARN": SECRET,
            "REFLECT_REPORT_DIR": str(tmp / "reports"), **(inputs or {}), **aws.environ,
        }  # fmt: skip
        with emulator.function("codedeploy_hook.step", environ, tmp, seconds) as function:
            yield Account(sim, aws, function)


@pytest.mark.parametrize(
    ("suites", "status"),
    [("passes", "Succeeded"), ("passes fails", "Failed"), ("empty", "Failed"), ("canceled", "Failed")],
)
def test_verdict_is_reported(tmp_path: Path, suites: str, status: str) -> None:
    """The hook gets the verdict of its suites, which were started once, and the machine ends likewise."""
    with account(tmp_path, suites) as there:
        run = there.run("hook-1")
        assert there.statuses == [status]
        assert sorted(there.started) == sorted(suites.split())
    assert run.succeeded == (status == "Succeeded")


def test_longer_than_one_call(tmp_path: Path) -> None:
    """A suite that outlasts one call of the function is followed by the next, and its verdict is reported."""
    with account(tmp_path, "takes-12", seconds=10) as there:
        run = there.run("hook-1")
        assert run.states.count("Follow") >= 2
        assert there.statuses == ["Succeeded"]
        assert there.started == ["takes-12"]
        assert [call.path for call in there.sim.calls if call.method == "PATCH"] == []


@pytest.mark.parametrize(("started", "timeout"), [(0.0, "3s"), (3600.0, "5h")])
def test_deadline(tmp_path: Path, started: float, timeout: str) -> None:
    """At the timeout, and at CodeDeploy's hour whatever the timeout is, the suite is canceled and Failed is reported."""
    with account(tmp_path, "never-ends", seconds=10, inputs={"REFLECT_TIMEOUT": timeout}) as there:
        there.run("hook-1", time.time() - started)
        assert there.statuses == ["Failed"]
        assert there.sim.wait_for(lambda sim: not sim.running())
        assert there.started == ["never-ends"]


@pytest.mark.parametrize(
    ("key", "inputs"),
    [("wrong-key", {}), (None, {}), (KEY, {"REFLECT_SUITES": "no-such-suite"}), (KEY, {"REFLECT_TIMEOUT": "soon"})],
)
def test_nothing_started(tmp_path: Path, key: str | None, inputs: dict[str, str]) -> None:
    """A refused key, a missing secret, an unknown suite and a bad input end as Failed at once."""
    with account(tmp_path, inputs.get("REFLECT_SUITES", "passes"), key, inputs=inputs) as there:
        run = there.run("hook-1")
        assert there.statuses == ["Failed"]
        assert there.started == []
    assert "Follow" not in run.states


def test_start_that_lambda_did_not_run_is_repeated(tmp_path: Path) -> None:
    """A start that Lambda throttled is repeated, and the suites run once."""
    with account(tmp_path, "passes") as there:
        there.lambda_errors = ["Lambda.TooManyRequestsException", "Lambda.TooManyRequestsException"]
        there.run("hook-1")
        assert there.statuses == ["Succeeded"]
        assert there.started == ["passes"]


@pytest.mark.parametrize("error", ["Lambda.ServiceException", "States.Timeout", "Lambda.Unknown"])
def test_start_in_doubt_is_not_repeated(tmp_path: Path, error: str) -> None:
    """A start that may have happened is not repeated; Failed is reported."""
    with account(tmp_path, "passes") as there:
        there.lambda_errors = [error]
        run = there.run("hook-1")
        assert there.statuses == ["Failed"]
    assert run.states == ["Start", "Crashed", "Hook?", "Report", "Green?", "Failed"]


def test_following_survives_crashes(tmp_path: Path) -> None:
    """A call that crashes while following is repeated: following starts nothing."""
    with account(tmp_path, "passes") as there:
        there.lambda_errors = ["", "Lambda.Unknown", "Lambda.ServiceException"]
        there.run("hook-1")
        assert there.statuses == ["Succeeded"]
        assert there.started == ["passes"]


@pytest.mark.parametrize(("suites", "good"), [("passes", True), ("fails", False)])
def test_notification_has_nothing_to_report_to(tmp_path: Path, suites: str, good: bool) -> None:
    """Without a hook the machine's own end is the verdict, and CodeDeploy is not called."""
    with account(tmp_path, suites) as there:
        run = there.run()
        assert there.aws.calls.count("PutLifecycleEventHookExecutionStatus") == 0
    assert run.succeeded is good
    assert run.states[-1] == ("Succeeded" if good else "Failed")


def test_not_waiting(tmp_path: Path) -> None:
    """With wait=false the start is what is reported, as the user chose."""
    with account(tmp_path, "fails", inputs={"REFLECT_WAIT": "false"}) as there:
        run = there.run("hook-1")
        assert there.statuses == ["Succeeded"]
    assert run.states == ["Start", "Over?", "Hook?", "Report", "Green?", "Succeeded"]


def test_one_of_several_cannot_be_started(tmp_path: Path) -> None:
    """When one suite cannot be started, the ones that were are canceled, and Failed is reported."""
    with account(tmp_path, "never-ends no-such-suite") as there:
        there.run("hook-1")
        assert there.statuses == ["Failed"]
        assert there.started == ["never-ends"]
        assert there.sim.wait_for(lambda sim: not sim.running())


def test_status_taken_before(tmp_path: Path) -> None:
    """A hook that is over already is no error of the machine; throttling is waited out."""
    with account(tmp_path, "passes") as there:
        there.aws.troubles["PutLifecycleEventHookExecutionStatus"] = ["LifecycleEventAlreadyCompletedException"]
        assert there.run("hook-1").succeeded
        assert there.statuses == []


def test_the_key_is_in_no_input_or_output_of_a_state(tmp_path: Path) -> None:
    """The machine's history, which anybody who may see the machine can read, does not hold the key."""
    with account(tmp_path, "passes") as there:
        run = there.run("hook-1")
    assert KEY not in json.dumps(run.value)
    assert run.value["executions"].startswith("passes/")
