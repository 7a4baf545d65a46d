"""The HTTP server of the simulated service, and Simulator, which runs it inside a test or a command."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Callable
from urllib.parse import urlsplit

from reflect_ci.simulate import wire
from reflect_ci.simulate.api import Reply, refuse, reply
from reflect_ci.simulate.load import Source, load
from reflect_ci.simulate.world import KEY_HEADER, Call, Started, World

PREFIX = "/v1"
CONTROL = "/_simulate/"
Log = Callable[[str], None]


class Simulator:
    """A simulated Reflect service on a port of this machine.

    scenarios: None for the built-in suites, else an object or a file of the format that reflect_ci.simulate.scenarios
    describes. port 0 takes a free one. log gets one line for each call, never with a key in it.
    """

    def __init__(
        self, scenarios: Source = None, host: str = "127.0.0.1", port: int = 0, log: Log | None = None
    ) -> None:
        self._world = World(load(scenarios))
        self._server = _Server(host, port, self._world, log)
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Simulator:
        """Start to answer."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and drop what is still connected."""
        self.stop()

    def start(self) -> None:
        """Start to answer, in threads of its own."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulate", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, and drop what is still connected."""
        self._server.stopping.set()
        if self._thread:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self._server.drop()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    @property
    def root(self) -> str:
        """The URL without /v1; below it, /_simulate/calls, /_simulate/started and /_simulate/running."""
        host = str(self._server.server_address[0])
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return f"http://[{shown}]:{self.port}" if ":" in shown else f"http://{shown}:{self.port}"

    @property
    def url(self) -> str:
        """What REFLECT_API_URL is set to."""
        return self.root + PREFIX

    @property
    def suites(self) -> list[str]:
        """The suite ids that it knows."""
        return list(self._world.scenarios.suites)

    @property
    def calls(self) -> list[Call]:
        """Every request to the service so far, oldest first."""
        with self._world.lock:
            return list(self._world.calls)

    @property
    def started(self) -> list[Started]:
        """Every execution that a call really started, oldest first."""
        return self._world.started()

    def running(self) -> list[Started]:
        """Return those of `started` that have not ended."""
        return [one for one in self.started if not one.finished]

    def reset(self) -> None:
        """Forget the calls and the executions."""
        self._world.reset()

    def wait_for(self, true: Callable[[Simulator], bool], seconds: float = 30) -> bool:
        """Wait until the condition holds; return whether it did in that time."""
        end = time.monotonic() + seconds
        while not true(self):
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, host: str, port: int, world: World, log: Log | None) -> None:
        self.world, self.log = world, log
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the DNS for the host's name, which can take seconds and is not used here.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay silent: a client that went away is an everyday thing here."""

    def drop(self) -> None:
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "reflect-simulate", ""
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        target = urlsplit(self.path)  # a proxy may hand on the absolute form, which RFC 9112 has every server accept
        path, query = target.path, target.query
        data = b"".join(self._body())
        if path.startswith(CONTROL):
            wire.send(self, self._control(path[len(CONTROL) :]))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        body, is_json = _parsed(data)
        known = path == PREFIX or path.startswith(PREFIX + "/")
        call = Call(self.command, path[len(PREFIX) :] if known else path, headers, body, query=query)
        with self.server.world.lock:
            self.server.world.calls.append(call)
        answer = reply(self.server.world, call, is_json) if known else refuse(404, f"The API is below {PREFIX}.")
        if answer.kind not in ("cut", "hang"):
            call.status = answer.status if answer.kind != "redirect" else 302
        self._note(call, answer)
        wire.send(self, answer)

    # The methods of the API, and others, so that a wrong one gets the service's answer and not the server's.
    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = do_OPTIONS = _serve

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            yield self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass

    def _control(self, name: str) -> Reply:
        world = self.server.world
        if (self.command, name) == ("POST", "reset"):
            world.reset()
            return Reply(200, {})
        if self.command == "GET" and name == "calls":
            with world.lock:
                return Reply(200, [call.public() for call in world.calls])
        if self.command == "GET" and name in ("started", "running"):
            return Reply(200, [one.public() for one in world.started() if name == "started" or not one.finished])
        return refuse(404, "There are GET calls, started, running and POST reset.")

    def _note(self, call: Call, answer: Reply) -> None:
        if self.server.log:
            line = f"{time.strftime('%H:%M:%S')} {call.method} {self.path} -> {call.status or answer.kind}"
            extra = ", ".join(part for part in (answer.kind, answer.note) if part)
            line += f" ({extra})" if extra else ""
            key = call.headers.get(KEY_HEADER)
            # A log that nobody reads any more (`simulate | head`) is no reason to leave a client without its answer.
            with contextlib.suppress(OSError, ValueError):
                self.server.log(line.replace(key, "***") if key else line)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: _note writes the log."""


def _parsed(data: bytes) -> tuple[Any, bool]:
    if not data:
        return None, True
    try:
        return json.loads(data), True
    except ValueError:
        return None, False
