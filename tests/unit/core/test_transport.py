"""Real local proxies, a private authority, and what must never travel."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import Call


class Relay:
    """A TCP server that passes what it gets to another one: as a forward proxy (CONNECT) or behind TLS."""

    def __init__(self, target: tuple[str, int], tls: ssl.SSLContext | None = None, proxy: bool = False) -> None:
        self.target, self.tls, self.proxy = target, tls, proxy
        self.seen: list[bytes] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self.tls:
                client = self.tls.wrap_socket(client, server_side=True)
            with closing(client), socket.create_connection(self.target) as upstream:
                if self.proxy:
                    self.seen.append(client.recv(65536))
                    first = self.seen[-1]
                    if first.startswith(b"CONNECT"):
                        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    else:
                        upstream.sendall(first)
                back = threading.Thread(target=self._pump, args=(upstream, client), daemon=True)
                back.start()
                self._pump(client, upstream)
                back.join(10)
        except OSError:
            pass

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def address(sim: Simulator) -> tuple[str, int]:
    """Return the service's host and port."""
    host, port = sim.url.removeprefix("http://").removesuffix("/v1").split(":")
    return host, int(port)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[tuple[Path, ssl.SSLContext]]:
    """A certificate for 127.0.0.1 that only its own file vouches for, and the server's side of it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a private authority")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path, secret = tmp_path / "authority.pem", tmp_path / "key.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, secret)
    yield path, context


def test_proxy_is_used(sim: Simulator, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY carries the requests."""
    relay = Relay(address(sim), proxy=True)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{relay.port}")
    url = sim.url.replace("127.0.0.1", "reflect.invalid")
    ended = call(url, "run", "passes")
    assert ended.code == 0, ended.text
    assert relay.seen and b"reflect.invalid" in relay.seen[0]


def test_no_proxy_is_honoured(sim: Simulator, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_PROXY keeps a host away from a proxy that would not work."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert call(sim.url, "run", "passes").code == 0


def test_proxy_that_does_not_answer(sim: Simulator, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead proxy is code 5, names the variables, and nothing was started."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    ended = call(sim.url, "run", "passes", "--timeout", "6s")
    assert ended.code == 5
    assert "HTTPS_PROXY and NO_PROXY" in ended.text
    assert sim.calls == []


def test_private_authority(
    sim: Simulator, call: Call, authority: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    """REQUESTS_CA_BUNDLE makes a private authority known; without it the call ends at once and says so."""
    path, context = authority
    relay = Relay(address(sim), tls=context)
    url = f"https://127.0.0.1:{relay.port}/v1"
    refused = call(url, "run", "passes")
    assert refused.code == 5
    assert "set REQUESTS_CA_BUNDLE" in refused.text
    assert sim.calls == []
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    ended = call(url, "run", "passes")
    assert ended.code == 0, ended.text


def test_netrc_is_not_sent(sim: Simulator, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials of ~/.netrc do not travel to the service."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password other-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert call(sim.url, "run", "passes").code == 0
    assert all("authorization" not in each.headers for each in sim.calls)


def test_redirects_do_not_carry_the_key(call: Call) -> None:
    """A redirect to another server is not followed, so that the key stays."""
    with (
        Simulator() as other,
        Simulator({"suites": {"checkout": {"faults": {"start": [{"answer": "redirect", "times": "always"}]}}}}) as sim,
    ):
        ended = call(sim.url, "run", "checkout")
        assert ended.code == 5
        assert "redirect" in ended.text
        assert other.calls == []


def test_plain_http_to_another_machine_is_warned_about(
    call: Call, monkeypatch: pytest.MonkeyPatch, sim: Simulator
) -> None:
    """An api-url without TLS that leaves the machine gets a warning."""
    relay = Relay(address(sim), proxy=True)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{relay.port}")
    assert "is not encrypted" in call(sim.url.replace("127.0.0.1", "reflect.invalid"), "run", "passes").text
    assert "is not encrypted" not in call(sim.url, "suites").text
