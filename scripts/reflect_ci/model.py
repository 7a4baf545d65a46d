"""What the runner knows about executions. Reports, outputs and the scheduler share these types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from reflect_ci.exits import Exit


@dataclass
class Step:
    """A failed step: its index as the service counts, and the service's message."""

    index: str
    message: str


@dataclass
class Run:
    """One attempt of a test in one browser. run_time in milliseconds, times in epoch milliseconds; None when absent."""

    run_id: str = ""
    browser: str = ""
    status: str = ""
    run_time: Optional[float] = None
    start_time: Optional[float] = None
    video_url: str = ""
    step_count: Optional[int] = None
    failed_steps: list[Step] = field(default_factory=list)


@dataclass
class Test:
    """One row of an execution's tests. status: passed, failed, canceled or pending, whatever the service spelt."""

    instance: str
    test_id: str
    status: str
    name: str = ""
    action: str = ""
    url: str = ""
    runs: list[Run] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What people see: the name, else the test's id."""
        return self.name or self.action or f"test {self.test_id}"


@dataclass
class Execution:
    """A suite's execution as this call knows it.

    id is opaque text ('' until started). exit is None while it is under way. reason is the sentence that says why it
    ended so. started_at and ended_at are epoch seconds on this machine's clock, None when not known.
    """

    suite: str
    id: str = ""
    url: str = ""
    status: str = ""
    exit: Optional[Exit] = None
    reason: str = ""
    tests: list[Test] = field(default_factory=list)
    started_at: Optional[float] = None
    ended_at: Optional[float] = None
    adopted: bool = False

    @property
    def name(self) -> str:
        """SUITE/ID, or the suite alone when nothing was started."""
        return f"{self.suite}/{self.id}" if self.id else self.suite

    @property
    def seconds(self) -> Optional[float]:
        """How long it took, None when not known."""
        if self.started_at is None or self.ended_at is None:
            return None
        return max(0.0, self.ended_at - self.started_at)

    def count(self, status: str) -> int:
        """Return how many of the tests have this status."""
        return sum(test.status == status for test in self.tests)


@dataclass
class Commit:
    """The commit that the service reports to."""

    owner: str
    repo: str
    sha: str


@dataclass
class Outcome:
    """The end of a whole call, what every report and native output is made from.

    waited is False for `run --wait false`. ci is the detected system's name ('' for none), build_url its page.
    Times in epoch seconds.
    """

    command: str
    exit: Exit
    message: str
    executions: list[Execution]
    started_at: float
    ended_at: float
    waited: bool = True
    ci: str = ""
    build_url: str = ""
    commit: Optional[Commit] = None
    version: str = ""
