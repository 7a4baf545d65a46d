"""Runs any number of jobs by a bounded pool of threads, a heap of due times, one deadline and one place for signals."""

from __future__ import annotations

import functools
import heapq
import itertools
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Callable, Optional, Protocol, Union

from reflect_ci.exits import TIMED_OUT, Exit

WORKERS = 15  # one connection of the transport's sixteen stays free for cancelling
GRACE = 20.0  # seconds for ending everything after the deadline or a signal
POST_GRACE = 5.0  # seconds that a start under way may take to answer once the end was asked for
TICK = 0.25


class Turns(Protocol):
    """What the scheduler runs."""

    @property
    def posting(self) -> bool:
        """Whether a start is on its way."""

    def turn(self) -> Optional[float]:
        """Do the next thing; seconds until the next, None at the end."""

    def halt(self, exit_: Exit, reason: str) -> None:
        """End now."""


Event = Union[tuple[Turns, Optional[float]], Exit]


class Scheduler:
    """Drives jobs to their ends.

    deadline: time.monotonic() seconds. concurrency: how many jobs at once, 0 for all. signals: a queue into which the
    signal handlers put the Exit. tick: called a few times a second from the main thread.
    """

    def __init__(
        self,
        jobs: Sequence[Turns],
        deadline: float,
        events: queue.SimpleQueue[Event],
        concurrency: int = 0,
        tick: Callable[[], None] = lambda: None,
        late: str = "The deadline was reached.",
    ):
        self._waiting = deque(jobs)
        self._room = concurrency or len(jobs)
        self._deadline = deadline
        self._events = events
        self._tick = tick
        self._late = late
        self._work: queue.SimpleQueue[Optional[Callable[[], None]]] = queue.SimpleQueue()
        self._due: list[tuple[float, int, Turns]] = []
        self._order = itertools.count()
        self._active: set[Turns] = set()
        self._size = min(WORKERS, len(jobs))

    @property
    def active(self) -> int:
        """How many jobs are under way."""
        return len(self._active)

    def run(self) -> Optional[Exit]:
        """Return None when all jobs ended by themselves or by the deadline, else the Exit of the signal."""
        self._hire(self._size)
        try:
            while self._waiting or self._active:
                self._begin_some()
                stopped = self._wait()
                self._tick()
                if stopped:
                    self._halt_all(stopped, _reason(stopped))
                    return stopped
                if time.monotonic() >= self._deadline:
                    self._halt_all(TIMED_OUT, self._late)
                    return None
            return None
        finally:
            for _ in range(self._size + 1):
                self._work.put(None)

    def _hire(self, number: int) -> None:
        for _ in range(number):
            threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            task = self._work.get()
            if task is None:
                return
            task()

    def _begin_some(self) -> None:
        while self._waiting and len(self._active) < self._room:
            job = self._waiting.popleft()
            self._active.add(job)
            heapq.heappush(self._due, (0.0, next(self._order), job))
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            job = heapq.heappop(self._due)[2]
            self._work.put(functools.partial(self._turn, job))

    def _turn(self, job: Turns) -> None:
        self._events.put((job, job.turn()))

    def _wait(self) -> Optional[Exit]:
        """Take events until none is left; wait for the first one until something is due."""
        now = time.monotonic()
        until = min(self._due[0][0] if self._due else now + TICK, self._deadline, now + TICK)
        try:
            event = self._events.get(timeout=max(0.0, until - now))
            while True:
                if isinstance(event, Exit):
                    return event
                self._took(*event)
                event = self._events.get_nowait()
        except queue.Empty:
            return None

    def _took(self, job: Turns, wait: Optional[float]) -> None:
        if wait is None:
            self._active.discard(job)
        elif job in self._active:
            heapq.heappush(self._due, (time.monotonic() + wait, next(self._order), job))

    def _halt_all(self, exit_: Exit, reason: str) -> None:
        """End every job by a halt of its own; starts under way get a moment to answer, since what they start must be ended too."""
        ends = time.monotonic() + GRACE
        patience = time.monotonic() + POST_GRACE
        while any(job.posting for job in self._active) and time.monotonic() < patience:
            time.sleep(0.02)
        self._hire(min(WORKERS, len(self._active)) if self._active else 0)
        left = [*self._active, *self._waiting]
        done: queue.SimpleQueue[Turns] = queue.SimpleQueue()
        for job in left:
            self._work.put(functools.partial(_halt, job, exit_, reason, done))
        try:
            for _ in left:
                done.get(timeout=max(0.0, ends - time.monotonic()))
                self._tick()
        except queue.Empty:
            pass  # the session says of each that is left that its end is not known
        for _ in range(min(WORKERS, len(self._active))):
            self._work.put(None)


def _halt(job: Turns, exit_: Exit, reason: str, done: queue.SimpleQueue[Turns]) -> None:
    job.halt(exit_, reason)
    done.put(job)


def _reason(stopped: Exit) -> str:
    return (
        "Stopped by SIGINT: Ctrl-C, or the job was cancelled."
        if stopped.code == 130
        else "Stopped by SIGTERM: the job was cancelled."
    )
