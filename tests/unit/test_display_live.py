"""The live table, on a pseudo-terminal whose screen is read back."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import re
import struct
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest

from reflect_ci import display, exits
from reflect_ci.display import Display
from reflect_ci.display_live import Live, fitted, width
from reflect_ci.model import Execution
from reflect_ci.reports.text import defuse
from tests.unit.reports import examples

T = examples.BEGUN
REPORTS = [Path("/out/junit.xml")]


class Terminal:
    """A terminal of a size. `screen` is what a person sees, `raw` what was sent."""

    def __init__(self, master: int, stream: io.TextIOWrapper, columns: int, lines: int) -> None:
        self._master, self.stream = master, stream
        self._screen = pyte.HistoryScreen(columns, lines, history=5000, ratio=0.5)
        self._parser = pyte.ByteStream(self._screen)
        self._sent = b""
        # In a thread, because a terminal that nobody reads takes a few thousand bytes and then blocks.
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(self._master, 65536):
                self._sent += chunk

    @property
    def raw(self) -> bytes:
        """All that was sent so far. A mark that no terminal shows is sent after it and waited for."""
        mark = f"\x1b]9;{os.urandom(8).hex()}\x07"
        self.stream.write(mark)
        self.stream.flush()
        end = time.monotonic() + 60
        while mark.encode() not in self._sent and time.monotonic() < end:
            time.sleep(0.005)
        assert mark.encode() in self._sent
        return re.sub(rb"\x1b\]9;[0-9a-f]{16}\x07", b"", self._sent)

    @property
    def screen(self) -> list[str]:
        """Lines that are not empty, those scrolled away too."""
        self._screen.reset()
        self._parser.feed(self.raw)
        columns = self._screen.columns
        gone = ["".join(row[x].data for x in range(columns)) for row in self._screen.history.top]
        return [line.rstrip() for line in (*gone, *self._screen.display) if line.strip()]


@contextlib.contextmanager
def terminal(columns: int = 90, lines: int = 24) -> Iterator[Terminal]:
    """Open a pseudo-terminal of this size."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    stream = io.TextIOWrapper(io.FileIO(slave, "w"), encoding="utf-8", write_through=True)
    try:
        yield Terminal(master, stream, columns, lines)
    finally:
        with contextlib.suppress(OSError):
            stream.close()
        os.close(master)


def running(count: int, tests: int = 2) -> list[Execution]:
    """So many executions under way, all begun at T."""
    rows = [examples.row("pending") for _ in range(tests)]
    return [examples.execution(None, *rows, suite=f"suite-{number}", number=str(number)) for number in range(count)]


def made(terminal: Terminal, **environ: str) -> Display:
    """The display for this terminal."""
    return display.make(terminal.stream, {"TERM": "xterm-256color", **environ}, defuse)


def test_a_terminal_gets_the_table_and_a_pipe_does_not() -> None:
    """TERM=dumb, as in editors, is a terminal that cannot move its cursor."""
    with terminal() as screen:
        assert isinstance(made(screen), Live)
        assert not isinstance(made(screen, TERM="dumb"), Live)
    assert not isinstance(display.make(io.StringIO(), {"TERM": "xterm"}, defuse), Live)


def test_the_table_stays_in_place() -> None:
    """However often it is drawn, each row is there once, with the time of the last drawing."""
    with terminal() as screen:
        live = made(screen)
        executions = running(3)
        for second in range(100):
            live.progress(executions, T + second)
        seen = screen.screen
        assert len(seen) == 4
        assert seen[0][2:] == "1m39s  0 of 3 finished"
        assert [line.split() for line in seen[1:]] == [
            [f"suite-{n}/{n}", "pending", "1m39s", "2", "unfinished"] for n in range(3)
        ]


def test_lines_go_above_the_table() -> None:
    """What ended is a line that stays, and leaves the table."""
    with terminal() as screen:
        live = made(screen)
        executions = running(2)
        live.progress(executions, T + 1)
        executions[0].exit, executions[0].ended_at = exits.FAILED, T + 2
        executions[0].tests[0].status = "failed"
        live.ended(executions[0])
        live.progress(executions, T + 2)
        live.note("One is left.")
        seen = screen.screen
        assert seen[0].startswith("FAILED   suite-0/0  1 failed, 1 unfinished  in 2.0s")
        assert seen[-3] == "One is left."
        assert seen[-2].endswith("2.0s  1 of 2 finished, 1 not passed")
        assert seen[-1].split()[0] == "suite-1/1"


def test_at_the_end_nothing_of_the_table_is_left() -> None:
    """The lines that stay are those of a pipe."""
    with terminal(columns=200) as screen:
        outcome = examples.ENDINGS["several"]()
        plain = io.StringIO()
        for lines in (made(screen), display.make(plain, {}, defuse)):
            for execution in outcome.executions:
                lines.started(execution)
            lines.progress(running(5), T + 1) if isinstance(lines, Live) else None
            for execution in outcome.executions:
                lines.ended(execution)
            lines.finished(outcome, REPORTS)
            lines.close()
        assert screen.screen == plain.getvalue().splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(90, 24), (40, 10), (20, 5), (12, 3), (300, 80)])
def test_the_table_fits_the_terminal(columns: int, lines: int) -> None:
    """A row that wrapped, or a table that scrolled, could not be erased: nothing may be left over."""
    with terminal(columns, lines) as screen:
        live = made(screen)
        executions = running(50)
        executions[0].suite = "決済テスト-" * 30
        for second in range(30):
            live.progress(executions, T + second)
        seen = screen.screen
        assert len([line for line in seen if line[2:].startswith("29s")]) == 1
        assert len(seen) <= min(lines, 23)
        live.close()
        assert screen.screen == []


def test_many_executions_are_counted_and_some_shown() -> None:
    """A thousand do not fit; the last row says how many are not shown."""
    with terminal() as screen:
        made(screen).progress(running(1000), T + 1)
        assert len(screen.screen) == 21
        assert screen.screen[-1].split() == ["and", "981", "more"]


def test_it_is_drawn_ten_times_a_second_at_most() -> None:
    """The scheduler calls far more often."""
    with terminal() as screen:
        live = made(screen)
        for tick in range(1000):
            live.progress(running(1), T + tick / 1000)
        assert 5 <= screen.raw.count(b" of 1 finished") <= 11


def test_colours_and_no_color() -> None:
    """NO_COLOR takes the colours, not the table."""
    for environ, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)):
        with terminal() as screen:
            live = made(screen, **environ)
            live.progress(running(1), T + 1)
            live.ended(examples.execution(exits.PASSED, examples.row()))
            live.finished(examples.ENDINGS["passed"](), [])
            assert (b"\x1b[1;32mPASSED" in screen.raw) == coloured
            assert (b"m" in screen.raw.split(b"\x1b[")[-1][:3]) or not coloured
            assert b"\x1b[J" in screen.raw


def test_hostile_names_do_not_steer_the_terminal() -> None:
    """No sequence but the table's own is sent."""
    with terminal() as screen:
        live = made(screen, NO_COLOR="1")
        execution = examples.nasty().executions[0]
        execution.exit = None
        live.progress([execution], T + 1)
        live.progress([execution], T + 2)
        live.started(execution)
        live.close()
        sent = screen.raw.replace(b"\x1b[2A\r\x1b[J", b"").replace(b"\r\n", b"")
        assert b"\x1b" not in sent
        assert b"\r" not in sent
        assert b"\x07" not in sent


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [("abc", 5, "abc  "), ("abcdef", 5, "abc.."), ("決済テスト", 10, "決済テスト"), ("決済テスト", 7, "決済.. "), ("e\u0301a", 2, "e\u0301a"), ("ab", 2, "ab"), ("abc", 2, "ab")],
)  # fmt: skip
def test_text_is_fitted_by_cells(text: str, cells: int, shown: str) -> None:
    """Wide characters take two cells, combining ones none."""
    assert fitted(text, cells).rstrip() == shown.rstrip()
    assert width(fitted(text, cells)) == cells
