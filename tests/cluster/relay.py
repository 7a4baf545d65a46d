"""Makes a server on this machine's loopback reachable for pods, byte for byte, cut connections included."""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def relay(address: str, port: int) -> Iterator[int]:
    """Listen on `address`, pass every connection on to 127.0.0.1:`port`, and yield the port that is listened on."""
    with socket.create_server((address, 0), backlog=128) as server:
        accepting = threading.Thread(target=_accept, args=(server, port), daemon=True)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept()


def _accept(server: socket.socket, port: int) -> None:
    while True:
        try:
            near, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(near, port), daemon=True).start()


def _connect(near: socket.socket, port: int) -> None:
    try:
        far = socket.create_connection(("127.0.0.1", port), timeout=10)
    except OSError:
        _reset(near)
        return
    far.settimeout(None)
    try:
        _copy(near, far)
    except OSError:  # an orderly end is passed on as one, a reset as a reset
        _reset(near)
        _reset(far)
    near.close()
    far.close()


def _copy(near: socket.socket, far: socket.socket) -> None:
    """Copy both ways until both ends have ended; one thread, because a socket that another one reads cannot be reset."""
    with selectors.DefaultSelector() as selector:
        selector.register(near, selectors.EVENT_READ, far)
        selector.register(far, selectors.EVENT_READ, near)
        while selector.get_map():
            for key, _ in selector.select():
                source, target = key.fileobj, key.data
                assert isinstance(source, socket.socket)
                data = source.recv(65536)
                if data:
                    target.sendall(data)
                else:
                    selector.unregister(source)
                    target.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
