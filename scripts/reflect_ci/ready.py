"""Waits until a URL answers 2xx or 3xx, as a job of the scheduler, before anything is started."""

from __future__ import annotations

import time
from typing import Callable, Optional

from reflect_ci.exits import TIMED_OUT, Exit
from reflect_ci.transport import Transport

LIMIT = 10.0
FIRST, LONGEST = 0.5, 5.0


class Ready:
    """Polls the URL without the key. exit is None once it answered."""

    posting = False

    def __init__(self, url: str, transport: Transport, note: Callable[[str], None], limit: float):
        self._url = url
        self._transport = transport
        self._note = note
        self._limit = min(LIMIT, limit)
        self._tries = 0
        self._said = 0.0
        self._last = 0
        self.exit: Optional[Exit] = None
        self.reason = ""

    def turn(self) -> Optional[float]:
        """Ask once."""
        self._last = self._transport.probe(self._url, self._limit)
        if 200 <= self._last < 400:
            if self._tries:
                self._note(f"{self._url} answers now.")
            return None
        if time.monotonic() - self._said > 30:
            self._said = time.monotonic()
            self._note(f"Waiting for {self._url} to answer ({self._seen()}).")
        self._tries += 1
        return min(LONGEST, FIRST * 1.3**self._tries)

    def _seen(self) -> str:
        return f"now: status {self._last}" if self._last else "no answer yet"

    def halt(self, exit_: Exit, reason: str) -> None:
        """End now: nothing is started."""
        self.exit = exit_
        self.reason = f"{reason} Nothing was started."
        if exit_ is TIMED_OUT:
            self.reason = f"{self._url} did not answer with 2xx or 3xx before the deadline ({self._seen()}). Nothing was started: check the deployment, or raise timeout."
