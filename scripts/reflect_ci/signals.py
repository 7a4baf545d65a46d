"""SIGINT and SIGTERM: the first asks for an orderly end, the second leaves at once."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any, Optional

from reflect_ci.exits import INTERRUPTED, TERMINATED


@contextlib.contextmanager
def watched(events: queue.SimpleQueue[Any]) -> Iterator[None]:
    """Put the Exit of the first signal into events while the block runs; a second signal ends the process."""
    seen = 0

    def on(number: int, _frame: Optional[FrameType]) -> None:
        nonlocal seen
        seen += 1
        exit_ = INTERRUPTED if number == signal.SIGINT else TERMINATED
        if seen > 1:
            os._exit(exit_.code)
        events.put(exit_)

    names = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {
        number: signal.signal(number, on)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN or number != getattr(signal, "SIGHUP", None)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
