"""Stand-ins of the AWS endpoints that the functions call, for requests of real boto3: Secrets Manager, CodeDeploy, Step Functions.

They check what the real ones check first: that the request is signed, the operation, and the status word.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SECRET = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:reflect-AbCdEf"
MACHINE = "arn:aws:states:eu-central-1:111122223333:stateMachine:reflect"


@dataclass
class Aws:
    """One account. secrets: ARN to text. statuses: what CodeDeploy was told, in order. machines: name to input.

    troubles: operation to the error codes that its next calls get, in order (each is used up; `…` at the end: for ever).
    """

    secrets: dict[str, str] = field(default_factory=dict)
    statuses: list[dict[str, str]] = field(default_factory=list)
    machines: dict[str, str] = field(default_factory=dict)
    troubles: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def __enter__(self) -> Aws:
        handler = type("Handler", (_Handler,), {"aws": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def environ(self) -> dict[str, str]:
        """The variables that send boto3 here."""
        url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "example",
            "AWS_SESSION_TOKEN": "example",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def answer(self, operation: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return status and body for an operation."""
        self.calls.append(operation)
        queued = self.troubles.get(operation)
        if queued:
            code = queued[0] if queued[1:] == ["…"] else queued.pop(0)
            return (500 if code == "InternalFailure" else 400), {"__type": code, "message": f"{code} of the stand-in"}
        return {
            "GetSecretValue": self._secret,
            "PutLifecycleEventHookExecutionStatus": self._status,
            "StartExecution": self._start,
        }.get(operation, _unknown)(body)

    def _secret(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        arn = body["SecretId"]
        if arn not in self.secrets:
            return 400, {
                "__type": "ResourceNotFoundException",
                "message": "Secrets Manager can't find the specified secret.",
            }
        return 200, {"ARN": arn, "Name": "reflect", "SecretString": self.secrets[arn]}

    def _status(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if body.get("status") not in ("Succeeded", "Failed"):
            return 400, {"__type": "InvalidLifecycleEventHookExecutionStatusException", "message": ""}
        hook = body["lifecycleEventHookExecutionId"]
        if any(told["lifecycleEventHookExecutionId"] == hook for told in self.statuses):
            return 400, {"__type": "LifecycleEventAlreadyCompletedException", "message": ""}
        self.statuses.append(body)
        return 200, {"lifecycleEventHookExecutionId": hook}

    def _start(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = body["name"]
        if len(name) > 80 or any(char in name for char in ' <>{}[]?*"#%\\^|~`$&,;:/'):
            return 400, {"__type": "InvalidName", "message": ""}
        if name in self.machines:
            return 400, {"__type": "ExecutionAlreadyExists", "message": ""}
        self.machines[name] = body["input"]
        return 200, {"executionArn": f"{MACHINE}:{name}", "startDate": 1.0}


def _unknown(_body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 400, {"__type": "UnknownOperationException", "message": ""}


class _Handler(BaseHTTPRequestHandler):
    aws: Aws
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer one request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if not self.headers.get("Authorization", "").startswith("AWS4-HMAC-SHA256 Credential="):
            status, answer = 403, {"__type": "MissingAuthenticationToken", "message": ""}
        else:
            status, answer = self.aws.answer(operation, body)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
