"""The live table: the executions' state below the lines, redrawn in place."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from reflect_ci.display import Display
from reflect_ci.model import Execution, Outcome
from reflect_ci.reports.text import duration, green, tally, word

REDRAW = 0.1
TALLEST = 20
COLOURS = {"PASSED": "32", "DONE": "32", "FAILED": "31", "STARTED": "36", "SKIPPED": "36", "UNFINISHED": "36"}
ASCII_SPINNER, SPINNER = "|/-\\", "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def width(text: str) -> int:
    """Return how many cells of a terminal the text takes."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fitted(text: str, cells: int) -> str:
    """Return the text cut to so many cells, with dots when something was cut, else padded."""
    if width(text) <= cells:
        return text + " " * (cells - width(text))
    kept, used = "", 0
    dots = ".." if cells > 2 else ""
    for character in text:
        if used + _cells(character) > cells - len(dots):
            break
        kept, used = kept + character, used + _cells(character)
    return kept + dots + " " * (cells - len(dots) - used)


class Live(Display):
    """Lines as on a pipe, and a table below them."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str], defuse: Callable[[str], str]) -> None:
        super().__init__(stream, environ, defuse)
        self.coloured = not environ.get("NO_COLOR")
        encoding = (getattr(stream, "encoding", "") or "").lower().replace("-", "")
        self.spinner = SPINNER if encoding.startswith("utf") else ASCII_SPINNER
        self._table: list[str] = []
        self._drawn = 0
        self._last = float("-inf")
        self._turn = 0

    def progress(self, executions: Sequence[Execution], now: float) -> None:
        """Redraw the table, at most ten times a second."""
        with self.lock:
            if self._began is None:
                self._began = now
            if now - self._last < REDRAW:
                return
            self._last, self._turn = now, self._turn + 1
            self._table = self._rows(executions, now)
            self._erase()
            self._draw()

    def line(self, text: str) -> None:
        """Write a line above the table."""
        with self.lock:
            self._erase()
            self.write(text + "\n")
            self._draw()

    def finished(self, outcome: Outcome, paths: Sequence[Path]) -> None:
        """Take the table away and say the verdict."""
        self._clear()
        super().finished(outcome, paths)

    def close(self) -> None:
        """Take the table away."""
        self._clear()
        super().close()

    def paint(self, text: str, name: str) -> str:
        """Return the line with its first word in colour."""
        if not self.coloured or not text.startswith(name):
            return text
        return f"\x1b[1;{COLOURS.get(name, '33')}m{name}\x1b[0m{text[len(name) :]}"

    def _clear(self) -> None:
        with self.lock:
            self._erase()
            self._table = []

    def _erase(self) -> None:
        if self._drawn:
            self.write(f"\x1b[{self._drawn}A\r\x1b[J")
            self._drawn = 0

    def _draw(self) -> None:
        if self._table:
            self.write("".join(row + "\n" for row in self._table))
            self._drawn = len(self._table)

    def _size(self) -> tuple[int, int]:
        try:
            size = os.get_terminal_size(self.stream.fileno())
            return size.columns or 80, size.lines or 24
        except (OSError, ValueError, AttributeError):
            return 80, 24

    def _rows(self, executions: Sequence[Execution], now: float) -> list[str]:
        columns, lines = self._size()
        # The last column stays free: a full line would wrap, and the table would no longer be erased as a whole.
        cells = max(1, columns - 1)
        room = max(1, min(TALLEST, lines - 4))
        running = [execution for execution in executions if execution.exit is None]
        # What ended has its own line above, so the table shows what runs.
        shown = running if len(running) <= room else running[: room - 1]
        spin = self.spinner[self._turn % len(self.spinner)]
        done = len(executions) - len(running)
        red = sum(execution.exit is not None and not green(execution) for execution in executions)
        head = f"{spin} {self.elapsed(executions, now)}  {done} of {len(executions)} finished" + (
            f", {red} not passed" if red else ""
        )
        if not running:
            return []
        rows = [fitted(head, cells)] + [self._row(execution, cells, now) for execution in shown]
        if len(shown) < len(running):
            rows.append(fitted(f"  and {len(running) - len(shown)} more", cells))
        rows = [row.rstrip() for row in rows]
        if self.coloured:
            rows[0] = f"\x1b[1m{rows[0]}\x1b[0m"
        return rows

    def _row(self, execution: Execution, cells: int, now: float) -> str:
        since = duration(max(0.0, now - execution.started_at)) if execution.started_at is not None else ""
        state = self.defuse(execution.status or word(execution))
        tests = tally(execution) if execution.tests else ""
        right = f"  {fitted(state, 10)}  {fitted(since, 7)}  {tests}"
        # A narrow terminal keeps the name, and loses the rest from the right.
        name = max(12, min(40, cells - 2 - width(right)))
        return fitted(f"  {fitted(self.defuse(execution.name), name)}{right}", cells)
