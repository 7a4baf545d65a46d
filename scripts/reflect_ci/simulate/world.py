"""What the simulated service remembers: the calls, the executions, and which wrong answers were already given."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from reflect_ci.simulate.scenarios import Answer, Scenarios, Suite

KEY_HEADER = "x-api-key"
LISTED = 100  # how many recent executions a listing holds


@dataclass
class Call:
    """One request. path is without /v1 and as it came; headers have lower-case names; body is the parsed JSON or None.

    status is what was answered, None while no answer was given. at is epoch seconds.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: Any = None
    status: int | None = None
    at: float = field(default_factory=time.time)
    query: str = ""

    def public(self) -> dict[str, Any]:
        """Return it as JSON for other processes: the key is left out, its SHA-256 tells whether the right one came."""
        headers = dict(self.headers)
        if KEY_HEADER in headers:
            headers[KEY_HEADER] = "sha256:" + hashlib.sha256(headers[KEY_HEADER].encode()).hexdigest()
        known = {name: getattr(self, name) for name in ("method", "path", "query", "body", "status", "at")}
        return {**known, "headers": headers}


@dataclass
class Started:
    """One execution, a live view: status and finished tell how it stands now. body is what the start sent."""

    suite: str
    id: str
    body: Any
    takes: float
    outcome: str
    others: bool = False  # somebody else's: older, or started beside ours
    began: float = field(default_factory=time.monotonic)
    created_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    stopped_after: float | None = None  # the age at which it was canceled

    @property
    def age(self) -> float:
        """Seconds since it was created."""
        return time.monotonic() - self.began

    @property
    def never(self) -> bool:
        """Whether it only ends when it is canceled."""
        return self.outcome == "never"

    @property
    def finished(self) -> bool:
        """Whether it has ended, by itself or because it was canceled."""
        return self.stopped_after is not None or (not self.never and self.age >= self.takes)

    @property
    def status(self) -> str:
        """The documented word: pending, passed, failed or canceled."""
        if self.stopped_after is not None:
            return "canceled"
        return self.outcome if self.finished else "pending"

    @property
    def url(self) -> str:
        """The execution's page in the web application."""
        return f"https://app.reflect.run/suites/{self.suite}/executions/{self.id}"

    def end(self, outcome: str) -> None:
        """End it by itself now, with this outcome."""
        self.outcome, self.takes = outcome, min(self.takes, self.age)

    def cancel(self) -> None:
        """Cancel it now."""
        self.stopped_after = self.age

    def public(self) -> dict[str, Any]:
        """Return it as JSON for other processes."""
        return {name: getattr(self, name) for name in ("suite", "id", "body", "status", "finished", "url")}


class World:
    """The state behind one simulated service; every method may be called from any thread."""

    def __init__(self, scenarios: Scenarios) -> None:
        self.scenarios = scenarios
        self.lock = threading.RLock()
        self.calls: list[Call] = []
        self._executions: dict[str, dict[str, Started]] = {}
        self._given: Counter[tuple[str, ...]] = Counter()
        self.reset()

    def reset(self) -> None:
        """Forget the calls and the executions; only the older executions of the scenarios are there again."""
        with self.lock:
            self.calls.clear()
            self._given.clear()
            self._executions = {suite: {} for suite in self.scenarios.suites}
            for suite in self.scenarios.suites.values():
                for status in suite.history:
                    self._add(suite, {}, outcome="never" if status == "pending" else status, takes=0.0, others=True)

    def start(self, suite: Suite, body: Any) -> Started:
        """Create an execution, and those of somebody else that the scenario wants beside it."""
        with self.lock:
            mine = self._add(suite, body, outcome=suite.status, takes=suite.takes)
            for _ in range(suite.others):
                self._add(suite, {}, outcome=suite.status, takes=suite.takes, others=True)
            return mine

    def _add(self, suite: Suite, body: Any, **how: Any) -> Started:
        # Executions are numbered per suite: an id without its suite means nothing, as with the real service.
        known = self._executions[suite.id]
        execution = Started(suite.id, str(len(known) + 1), body, **how)
        known[execution.id] = execution
        return execution

    def find(self, suite: str, execution: str) -> Started | None:
        """Return the execution, None when there is none."""
        with self.lock:
            return self._executions.get(suite, {}).get(execution)

    def recent(self, suite: str) -> list[Started]:
        """Return the suite's executions, newest first; none for an unknown suite, which the service does not refuse."""
        with self.lock:
            return list(reversed(self._executions.get(suite, {}).values()))[:LISTED]

    def started(self) -> list[Started]:
        """Return what calls really started, oldest first."""
        with self.lock:
            every = [one for known in self._executions.values() for one in known.values() if not one.others]
        return sorted(every, key=lambda one: one.began)

    def fault(self, answers: tuple[Answer, ...], *place: str) -> Answer | None:
        """Return the wrong answer that is next at this place, None when the right one is.

        The right answer to a start begins the list anew, so that each execution of a long-lived service meets it.
        """
        with self.lock:
            given = self._given[place]
            for answer in answers:
                if answer.times is None or given < answer.times:
                    self._given[place] += 1
                    return answer
                given -= answer.times
            if place[0] == "start":
                self._given[place] = 0
            return None
