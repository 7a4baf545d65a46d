"""The server: keys, the record of calls, the control addresses, wire faults, many connections, a quick end."""

from __future__ import annotations

import hashlib
import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from reflect_ci.simulate import Simulator

KEY = "a-key-of-the-tests"


def control(client: Any, name: str, method: str = "GET") -> Any:
    """Ask one of the addresses for other processes."""
    return client.session.request(method, f"{client.sim.root}/_simulate/{name}", timeout=60).json()


@pytest.mark.parametrize("key", [None, "", "wrong-key", "revoked"])
def test_keys_that_are_refused(serve: Any, key: str | None) -> None:
    """Without a key, with an empty and with a refused one every address answers 403 with a message."""
    client = serve({"keys": {"refuse": ["revoked"]}})
    client.session.headers["X-API-KEY"] = key
    for method, path in (("GET", "/suites"), ("POST", "/suites/passes/executions"), ("GET", "/tests")):
        answer = client.send(method, path)
        assert (answer.status_code, answer.json()["message"]) == (403, "Forbidden")
    assert client.sim.started == []


def test_calls_are_recorded(client: Any) -> None:
    """A call tells its method, path without /v1 as it came, headers in lower case, parsed body, status and time."""
    before = time.time()
    client.start("passes", {"variables": {"a": "b"}})
    client.send("GET", "/suites/a%20b/executions?limit=3")
    first, second = client.sim.calls
    assert (first.method, first.path, first.body, first.status) == (
        "POST",
        "/suites/passes/executions",
        {"variables": {"a": "b"}},
        200,
    )
    assert first.headers["x-api-key"] == KEY
    assert before - 1 <= first.at <= time.time() + 1
    assert (second.path, second.query, second.body) == ("/suites/a%20b/executions", "limit=3", None)


def test_calls_without_an_answer_have_no_status(client: Any) -> None:
    """A connection that was cut leaves status None."""
    assert client.word("POST", "/suites/cut-after/executions") == "cut"
    assert [call.status for call in client.sim.calls] == [None]


def test_control_addresses(client: Any) -> None:
    """Other processes read the same by HTTP, but the key only as its SHA-256; reading leaves no trace."""
    client.start("passes")
    client.start("never-ends", {"variables": {"a": "b"}})
    [_, call] = control(client, "calls")
    assert (call["method"], call["path"], call["status"]) == ("POST", "/suites/never-ends/executions", 200)
    assert call["headers"]["x-api-key"] == "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()
    assert KEY not in str(control(client, "calls"))
    assert [one["suite"] for one in control(client, "started")] == ["passes", "never-ends"]
    assert client.sim.wait_for(lambda sim: len(sim.running()) == 1, 60)
    [left] = control(client, "running")
    assert left == {
        **left,
        "suite": "never-ends",
        "id": "1",
        "body": {"variables": {"a": "b"}},
        "status": "pending",
        "finished": False,
    }
    assert len(client.sim.calls) == 2
    assert "reset" in control(client, "other")["message"]


def test_reset(client: Any) -> None:
    """After a reset nothing was called and nothing is known, and ids begin anew."""
    client.start("never-ends")
    assert control(client, "reset", "POST") == {}
    assert (client.sim.calls, client.sim.started, control(client, "calls")) == ([], [], [])
    assert client.start("never-ends")["executionId"] == 1


def test_faults_of_the_service(serve: Any) -> None:
    """GET /suites and GET /tests can be faulty too, as often as the scenario says."""
    client = serve({"faults": {"suites": [{"status": 503, "times": 2}], "tests": ["html", "short"]}})
    assert [client.word("GET", "/suites") for _ in range(4)] == ["503", "503", "ok", "ok"]
    assert [client.word("GET", "/tests") for _ in range(3)] == ["html", "cut", "ok"]


def test_faults_of_a_listing_and_bodies(serve: Any) -> None:
    """A listing can be faulty, with a body of the scenario's own; the key is put in where it says so."""
    client = serve(
        {
            "suites": {
                "a": {"faults": {"list": [{"status": 418, "body": "no {key}"}, {"answer": "html", "status": 502}]}}
            }
        }
    )
    first = client.send("GET", "/suites/a/executions")
    assert (first.status_code, first.text, first.headers["Content-Type"]) == (418, f"no {KEY}", "text/plain")
    assert client.word("GET", "/suites/a/executions") == "502"
    assert client.word("GET", "/suites/a/executions") == "ok"


def test_poll_faults_are_counted_per_execution(client: Any) -> None:
    """Every execution meets the faults of its own polls."""
    for number in (1, 2):
        assert client.start("unavailable-poll")["executionId"] == number
        words = [client.word("GET", f"/suites/unavailable-poll/executions/{number}") for _ in range(3)]
        assert words == ["503", "503", "ok"]


def test_then_ends_an_execution(serve: Any) -> None:
    """An answer with `then` ends the execution at that moment."""
    client = serve({"suites": {"a": {"status": "never", "faults": {"poll": [{"status": 503, "then": "failed"}]}}}})
    client.start("a")
    assert client.word("GET", "/suites/a/executions/1") == "503"
    assert client.json("GET", "/suites/a/executions/1")["status"] == "failed"


def test_cancel_that_has_its_effect_without_an_answer(serve: Any) -> None:
    """`created` on a cancel means that it was done although the answer got lost."""
    client = serve({"suites": {"a": {"status": "never", "faults": {"cancel": [{"answer": "cut", "created": True}]}}}})
    client.start("a")
    assert client.word("PATCH", "/suites/a/executions/1/cancel") == "cut"
    assert client.sim.running() == []


def test_connections_are_kept(client: Any) -> None:
    """One connection serves many requests, with bodies announced by length or in chunks."""
    wire = http.client.HTTPConnection(urlsplit(client.sim.url).netloc, timeout=60)
    wire.connect()
    mine = wire.sock.getsockname()
    for body, chunked in ((b"{}", False), (iter([b'{"variables"', b': {"a": "b"}}']), True), (b"", False)):
        wire.request("POST", "/v1/suites/passes/executions", body, {"X-API-KEY": KEY}, encode_chunked=chunked)
        answer = wire.getresponse()
        assert (answer.status, answer.version) == (200, 11)
        answer.read()
        assert wire.sock.getsockname() == mine
    wire.close()
    assert [one.body for one in client.sim.started] == [{}, {"variables": {"a": "b"}}, None]


def test_many_executions_at_once(serve: Any) -> None:
    """Hundreds of executions side by side: every one is started once and ends with its own suite's verdict."""
    client = serve({"suites": {"good": {"takes": 0.5}, "bad": {"takes": 0.5, "status": "failed"}}})

    def follow(number: int) -> tuple[str, str, str]:
        suite = "bad" if number % 3 == 0 else "good"
        execution = str(client.start(suite, {"variables": {"n": str(number)}})["executionId"])
        end = time.monotonic() + 120
        while not (status := client.json("GET", f"/suites/{suite}/executions/{execution}"))["isFinished"]:
            assert time.monotonic() < end
            time.sleep(0.25)
        return suite, execution, status["status"]

    with ThreadPoolExecutor(40) as pool:
        seen = list(pool.map(follow, range(300)))
    assert len(set(seen)) == 300
    assert {(suite, status) for suite, _, status in seen} == {("good", "passed"), ("bad", "failed")}
    assert sorted(int(one.body["variables"]["n"]) for one in client.sim.started) == list(range(300))
    assert len(client.json("GET", "/suites/good/executions")["executions"]["data"]) == 100


def test_many_connections_at_once(client: Any) -> None:
    """Two hundred connections that are open at the same time all get their answer."""
    address = (urlsplit(client.sim.url).hostname, client.sim.port)
    request = f"GET /v1/suites HTTP/1.1\r\nHost: x\r\nX-API-KEY: {KEY}\r\n\r\n".encode()
    wires = [socket.create_connection(address, timeout=60) for _ in range(200)]
    for wire in wires:
        wire.sendall(request)
    for wire in wires:
        assert wire.recv(15) == b"HTTP/1.1 200 OK"
        wire.close()


def test_stopping_is_quick_and_final() -> None:
    """The end does not wait for what hangs, and nothing is answered afterwards."""
    with Simulator() as sim, ThreadPoolExecutor(1) as pool:
        session = requests.Session()
        session.trust_env = False
        hanging = pool.submit(
            session.post, sim.url + "/suites/start-hang/executions", headers={"X-API-KEY": KEY}, timeout=120
        )
        assert sim.wait_for(lambda sim: len(sim.calls) == 1, 60)
        begun = time.monotonic()
        sim.stop()
        with pytest.raises(requests.exceptions.ConnectionError):
            hanging.result(60)
        assert time.monotonic() - begun < 30
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", sim.port), timeout=60)


def test_wait_for() -> None:
    """Waiting ends when the condition holds, or says that it never did."""
    with Simulator() as sim:
        assert sim.wait_for(lambda _: True, 0)
        assert not sim.wait_for(lambda sim: bool(sim.calls), 0.05)


def test_log_without_key(serve: Any) -> None:
    """A line for each call says what was answered and what began; the key is in none, not even out of the path."""
    lines: list[str] = []
    client = serve(log=lines.append)
    client.start("passes")
    client.word("POST", "/suites/cut-after/executions")
    client.word("GET", f"/suites/{KEY}/executions/{KEY}")
    assert client.sim.wait_for(lambda _: len(lines) == 3, 60)
    assert lines[0].endswith("POST /v1/suites/passes/executions -> 200 (started passes/1)")
    assert lines[1].endswith("-> cut (cut, started cut-after/1)")
    assert lines[2].endswith("GET /v1/suites/***/executions/*** -> 404")


def test_log_that_is_gone(serve: Any) -> None:
    """A log that cannot be written does not keep the answers back."""

    def broken(line: str) -> None:
        raise BrokenPipeError(line)

    client = serve(log=broken)
    assert client.word("GET", "/suites") == "ok"


def test_addresses() -> None:
    """An address for everybody is shown as one that works here; a path outside the API says where the API is."""
    with Simulator(host="0.0.0.0") as sim:
        assert sim.url == f"http://127.0.0.1:{sim.port}/v1"
        session = requests.Session()
        session.trust_env = False
        answer = session.get(sim.root + "/suites", headers={"X-API-KEY": KEY}, timeout=60)
        assert (answer.status_code, answer.json()["message"]) == (404, "The API is below /v1.")
