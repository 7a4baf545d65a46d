"""A stand-in of the endpoint of Azure DevOps that takes `TaskCompleted` for an agentless job in Callback mode.

Strict as the documentation is: POST {plan}/{project}/_apis/distributedtask/hubs/{hub}/plans/{id}/events with the job's
own token (Bearer, or Basic with an empty user name) and a body that names the task and the job. One job can be completed
once. Needs only the standard library: `python3 events.py --port 8080` runs it anywhere, with its state at /_events.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar

PATH = re.compile(
    r"(?P<collection>.*/)(?P<project>[0-9a-fA-F-]{36})/_apis/distributedtask/hubs/(?P<hub>[A-Za-z]+)/plans/(?P<plan>[0-9a-fA-F-]{36})/events"
    r"\?api-version=(2\.0-preview\.1|[5-9]\.\d(-preview\.1)?)"
)


@dataclass(frozen=True)
class Event:
    """One request: what was in it, and how it was answered."""

    path: str
    token: str
    plan: str
    job: str
    task: str
    result: str
    status: int


def token_of(header: str) -> str:
    """Return the token of an Authorization header, '' when there is none."""
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value
    if kind.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
        except ValueError:
            return ""
        return password if not user else ""
    return ""


class Events:
    """The stand-in. tokens: job id to its token; without any every token is taken.

    faults: statuses that the first requests are answered with, 0 for a cut connection.
    """

    def __init__(
        self, tokens: dict[str, str] | None = None, faults: Iterable[int] = (), host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.tokens = tokens or {}
        self.faults = list(faults)
        self.seen: list[Event] = []
        self.changed = threading.Condition()
        self._server = ThreadingHTTPServer((host, port), type("Handler", (_Handler,), {"events": self}))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """What $(system.CollectionUri) would be."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/example/"

    def __enter__(self) -> Events:
        """Start to answer."""
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Answer until the process ends."""
        self._server.serve_forever()

    def completed(self, job: str) -> list[str]:
        """Return the results that were taken for a job: none, or exactly one."""
        with self.changed:
            return [event.result for event in self.seen if event.job == job and event.status == 200]

    def take(self, path: str, authorization: str, raw: bytes) -> int:
        """Judge a request and remember it; return the status."""
        with self.changed:
            match = PATH.fullmatch(path)
            try:
                body = json.loads(raw)
                named = body["name"], str(body["jobId"]), str(body["taskId"]), str(body["result"])
            except (ValueError, KeyError, TypeError):
                named = "", "", "", ""
            name, job, task, result = named
            token = token_of(authorization)
            if self.faults:
                status = self.faults.pop(0)
            elif not match:
                status = 404
            elif not token or (self.tokens and self.tokens.get(job) != token):
                status = 401
            elif name != "TaskCompleted" or result not in ("succeeded", "failed") or not task:
                status = 400
            elif any(event.job == job and event.status == 200 for event in self.seen):
                # The plan's job is over, and with it its token.
                status = 401
            else:
                status = 200
            self.seen.append(Event(path, token, match["plan"] if match else "", job, task, result, status))
            self.changed.notify_all()
            return status


class _Handler(BaseHTTPRequestHandler):
    events: ClassVar[Events]

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.events.take(self.path, self.headers.get("Authorization", ""), raw)
        if status == 0:
            self.close_connection = True
            return
        self._answer(status, b"{}")

    def do_GET(self) -> None:
        if self.path != "/_events":
            self._answer(404, b"{}")
            return
        with self.events.changed:
            text = json.dumps([asdict(event) for event in self.events.seen])
        self._answer(200, text.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: the tokens of jobs would be in the log."""


def main() -> None:
    """Serve on all addresses, for a cluster."""
    parser = argparse.ArgumentParser(description="stand-in of the events endpoint of Azure DevOps")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument(
        "--faults", type=int, nargs="*", default=[], help="statuses of the first answers, 0 for a cut connection"
    )
    args = parser.parse_args()
    Events(faults=args.faults, host="0.0.0.0", port=args.port).serve()


if __name__ == "__main__":
    main()
