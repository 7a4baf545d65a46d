"""A client that tells in one word what came back, and simulated services made to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from reflect_ci.simulate import Simulator

KEY = "a-key-of-the-tests"
PATIENCE = 60.0  # seconds that a loaded machine may take for an answer that is meant to come


class Client:
    """One session with the service."""

    def __init__(self, sim: Simulator, key: str = KEY) -> None:
        self.sim = sim
        self.session = requests.Session()
        self.session.trust_env = False  # a proxy of the machine is no part of this
        self.session.headers["X-API-KEY"] = key

    def send(self, method: str, path: str, timeout: float = PATIENCE, **more: Any) -> requests.Response:
        """Send one request without following redirects."""
        return self.session.request(method, self.sim.url + path, timeout=timeout, allow_redirects=False, **more)

    def json(self, method: str, path: str, **more: Any) -> Any:
        """Return the parsed answer."""
        return self.send(method, path, **more).json()

    def start(self, suite: str, body: Any = None) -> Any:
        """Start an execution and return the answer."""
        answer = self.send("POST", f"/suites/{suite}/executions", json={} if body is None else body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(self, suite: str, number: Any = 1) -> Any:
        """Return the status of an execution once it has ended."""
        assert self.sim.wait_for(lambda sim: not sim.running(), PATIENCE)
        return self.json("GET", f"/suites/{suite}/executions/{number}")

    def word(self, method: str, path: str, timeout: float = PATIENCE) -> str:
        """Return ok, a status, or how the answer was not one: cut, hang, html, empty, broken."""
        try:
            answer = self.send(method, path, timeout)
        except requests.exceptions.Timeout:
            return "hang"
        except requests.exceptions.RequestException:
            return "cut"
        if answer.status_code != 200:
            return str(answer.status_code)
        if not answer.content:
            return "empty"
        if answer.headers["Content-Type"].startswith("text/html"):
            return "html"
        try:
            answer.json()
        except ValueError:
            return "broken"
        return "ok"


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """Start a simulated service with these scenarios and return a client of it."""
    with ExitStack() as stack:

        def start(scenarios: Any = None, **more: Any) -> Client:
            client = Client(stack.enter_context(Simulator(scenarios, **more)))
            stack.callback(client.session.close)
            return client

        yield start


@pytest.fixture
def client(serve: Callable[..., Client]) -> Client:
    """Return a client of a service with the built-in suites."""
    return serve()
