"""Replies as bytes: the right ones, and everything that can go wrong on the way."""

from __future__ import annotations

import contextlib
import json
import select
import socket
from typing import TYPE_CHECKING, Callable

from reflect_ci.simulate.api import Reply

if TYPE_CHECKING:
    from reflect_ci.simulate.server import _Handler

_HTML = (
    "<!doctype html><html><head><title>Service</title></head><body><h1>Please sign in to the proxy</h1></body></html>"
)
_DRIP = 100_000  # announced bytes; one comes every _DRIP_PAUSE, so that no read ever times out
_DRIP_PAUSE = 0.2


def send(handler: _Handler, reply: Reply) -> None:
    """Write the reply. A client that goes away in the meantime is left alone."""
    with contextlib.suppress(OSError):
        if reply.delay and not _wait(handler, reply.delay):
            handler.close_connection = True
            return
        _SENDERS.get(reply.kind, _plain)(handler, reply)


def _plain(handler: _Handler, reply: Reply) -> None:
    if reply.text is not None:
        looks_html = reply.text.lstrip().startswith("<")
        _write(handler, reply, reply.text.encode(), "text/html" if looks_html else "text/plain")
    else:
        _write(handler, reply, _json(reply))


def _json(reply: Reply) -> bytes:
    return json.dumps(reply.body, separators=(",", ":")).encode()


def _write(handler: _Handler, reply: Reply, data: bytes, kind: str = "application/json", announced: int = -1) -> None:
    # One write for head and body: fewer packets, and a client never waits between the two.
    handler.send_response(reply.status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(data) if announced < 0 else announced))
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if handler.command != "HEAD":
        handler._headers_buffer.append(b"\r\n" + data)  # type: ignore[attr-defined]  # the base class's own buffer
        handler.flush_headers()
    else:
        handler.end_headers()


def _html(handler: _Handler, reply: Reply) -> None:
    _write(handler, reply, (reply.text or _HTML).encode(), "text/html; charset=utf-8")


def _empty(handler: _Handler, reply: Reply) -> None:
    _write(handler, reply, b"")


def _truncated(handler: _Handler, reply: Reply) -> None:
    data = _json(reply)
    _write(handler, reply, data[: len(data) // 2])


def _short(handler: _Handler, reply: Reply) -> None:
    data = _json(reply)
    _write(handler, reply, data[: len(data) // 2], announced=len(data))
    _cut(handler, reply)


def _redirect(handler: _Handler, reply: Reply) -> None:
    reply.status = 302
    reply.headers["Location"] = f"http://{handler.headers.get('Host', 'localhost')}/v1/redirected"
    _write(handler, reply, b"")


def _cut(handler: _Handler, reply: Reply) -> None:  # noqa: ARG001 - every sender has the same two
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


def _hang(handler: _Handler, reply: Reply) -> None:
    _wait(handler, float("inf"))
    _cut(handler, reply)


def _drip(handler: _Handler, reply: Reply) -> None:
    _write(handler, reply, b"", announced=_DRIP)
    for byte in _json(reply).ljust(_DRIP):
        if not _wait(handler, _DRIP_PAUSE):
            break
        handler.wfile.write(bytes([byte]))
    handler.close_connection = True


def _wait(handler: _Handler, seconds: float) -> bool:
    """Wait so long; return False at once when the service stops or the client is gone, so that no thread stays."""
    step = 0.1
    while seconds > 0:
        if handler.server.stopping.wait(min(step, seconds)) or _gone(handler.connection):
            return False
        seconds -= step
    return True


def _gone(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], 0)
    return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""


_SENDERS: dict[str, Callable[[_Handler, Reply], None]] = {
    "cut": _cut, "hang": _hang, "drip": _drip, "html": _html, "empty": _empty, "truncated": _truncated,
    "short": _short, "redirect": _redirect,
}  # fmt: skip
