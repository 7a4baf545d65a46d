"""What the functions say to AWS: the key from Secrets Manager, the hook's status to CodeDeploy, long runs to Step Functions."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Mapping
from typing import Any, Callable

SUCCEEDED, FAILED = "Succeeded", "Failed"
# Answers of CodeDeploy that another try does not change.
FINAL = {
    "DeploymentDoesNotExistException",
    "DeploymentIdRequiredException",
    "InvalidDeploymentIdException",
    "InvalidLifecycleEventHookExecutionIdException",
    "InvalidLifecycleEventHookExecutionStatusException",
    "UnsupportedActionForDeploymentTypeException",
    "AccessDeniedException",
}


class Trouble(Exception):
    """Something that people have to mend; the text says what."""


def say(text: str) -> None:
    """Print a line into the function's log at once."""
    print(f"reflect: {text}", flush=True)


def client(service: str, attempts: int = 5) -> Any:
    """Return a boto3 client whose requests are short; throttling and outages are tried again, attempts in all."""
    # When first needed: it takes a while. boto3 has no types of its own.
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    return boto3.client(
        service,
        config=Config(connect_timeout=3, read_timeout=5, retries={"mode": "standard", "total_max_attempts": attempts}),
    )


def code_of(error: Exception) -> str:
    """Return the error code of an answer of AWS, else the exception's name."""
    answer = getattr(error, "response", None) or {}
    return str(answer.get("Error", {}).get("Code", "")) or type(error).__name__


def key_of(environ: Mapping[str, str]) -> str:
    """Return the API key from the secret that REFLECT_SECRET_ARN names; without one, what REFLECT_API_KEY holds."""
    arn = environ.get("REFLECT_SECRET_ARN", "")
    if not arn:
        return environ.get("REFLECT_API_KEY", "")
    try:
        secret = client("secretsmanager").get_secret_value(SecretId=arn)
    except Exception as error:
        raise Trouble(
            f"The secret {arn} could not be read ({code_of(error)}). It must exist in this region, and the function's role "
            "needs secretsmanager:GetSecretValue on it (and kms:Decrypt, when it has a key of its own)."
        ) from None
    text = str(secret.get("SecretString") or "")
    field = environ.get("REFLECT_SECRET_FIELD", "")
    if field:
        try:
            text = json.loads(text)[field]
        except (ValueError, KeyError, TypeError):
            raise Trouble(
                f"The secret {arn} is no JSON object with the member {field} (REFLECT_SECRET_FIELD)."
            ) from None
    elif text.lstrip().startswith("{"):
        raise Trouble(f"The secret {arn} is a JSON object: name the member with the key in REFLECT_SECRET_FIELD.")
    if not isinstance(text, str) or not text.strip():
        raise Trouble(f"The secret {arn} holds no text: store the API key in it.")
    return text.strip()


class Report:
    """Says a hook's status to CodeDeploy, once, whoever asks first. until: time.monotonic() at which to give up."""

    def __init__(self, hook: Mapping[str, Any], until: float):
        self.deployment = str(hook.get("DeploymentId") or "")
        self.execution = str(hook.get("LifecycleEventHookExecutionId") or "")
        self.status = ""
        self._until = until
        self._lock = threading.Lock()

    def put(self, status: str) -> None:
        """Report; repeated until CodeDeploy took it or the time is over. Raises Trouble when it was not taken."""
        with self._lock:
            if self.status:
                return
            self._put(status)
            self.status = status

    def _put(self, status: str) -> None:
        wait = 0.5
        while True:
            try:
                # One attempt, since this loop knows how much time is left.
                client("codedeploy", attempts=1).put_lifecycle_event_hook_execution_status(
                    deploymentId=self.deployment, lifecycleEventHookExecutionId=self.execution, status=status
                )
                say(f"reported {status} to CodeDeploy for the deployment {self.deployment}")
                return
            except Exception as error:
                code = code_of(error)
            if code == "LifecycleEventAlreadyCompletedException":
                say(f"the hook of the deployment {self.deployment} is over already; {status} was not needed")
                return
            if code in FINAL or time.monotonic() + wait > self._until:
                raise Trouble(
                    f"CodeDeploy did not take {status} for the deployment {self.deployment} ({code}); it fails when its hour "
                    "is over. The function's role needs codedeploy:PutLifecycleEventHookExecutionStatus on the deployment group."
                )
            say(f"CodeDeploy did not take {status} yet ({code}); trying again")
            time.sleep(wait)
            wait = min(wait * 2, 5.0)


class Watchdog:
    """Reports Failed a moment before Lambda ends the function, whatever hangs."""

    def __init__(self, report: Report, seconds: float):
        self._report = report
        self._timer = threading.Timer(max(0.0, seconds), self._bark)
        self._timer.daemon = True

    def _bark(self) -> None:
        say("the function's own time is nearly over and the runner has not ended: the hook is reported as Failed")
        try:
            self._report.put(FAILED)
        except Trouble as trouble:
            say(str(trouble))

    def __enter__(self) -> Watchdog:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()


def begin_machine(machine: str, deployment: str, hook: str) -> bool:
    """Start the state machine once for this deployment (and hook); False when it was started before."""
    digest = hashlib.sha256(f"{deployment} {hook}".encode()).hexdigest()
    # A name is taken for 90 days, so an event that comes twice starts nothing twice.
    name = f"{deployment[:40]}-{digest[:32]}"
    begin: Callable[..., Any] = client("stepfunctions").start_execution
    text = json.dumps({"deployment": deployment, "hook": hook, "started": int(time.time()), "executions": ""})
    try:
        begin(stateMachineArn=machine, name=name, input=text)
    except Exception as error:
        if code_of(error) == "ExecutionAlreadyExists":
            return False
        raise Trouble(
            f"The state machine {machine} could not be started ({code_of(error)}): the function's role needs "
            "states:StartExecution on it."
        ) from None
    return True
