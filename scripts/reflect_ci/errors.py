"""The one exception that ends a call: it carries the exit and the sentence for people."""

from __future__ import annotations

from reflect_ci.exits import USAGE, Exit


class Stop(Exception):
    """End the call (or one execution) with this exit. The message says what happened and what to do."""

    def __init__(self, exit_: Exit, message: str):
        super().__init__(message)
        self.exit = exit_
        self.message = message


def usage(message: str) -> Stop:
    """Return a Stop for bad input: code 2, nothing was called."""
    return Stop(USAGE, message)
