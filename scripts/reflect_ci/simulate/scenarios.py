"""What a simulated suite does. The types, and the format that a scenario file is written in.

A scenario file is JSON, or YAML where pyyaml is installed; its JSON Schema is schemas/scenario.schema.json:

    suites:
      checkout:                     # the suite's id
        takes: 2                    # seconds until it ends (0.3 when not given)
        status: failed              # passed, failed, canceled, or never (runs until it is canceled)
        tests:                      # rows, or a number of them
          - name: Pay by card
            status: failed
            runs: [failed, failed]  # its attempts
            failed-steps: {"4": Element Selection Failed}
        faults:                     # answers given instead of the right one: start, poll, cancel, list
          start:
            - {status: 429, retry-after: 1, times: 2}
            - cut                   # short for {answer: cut}
          poll: [{answer: hang, times: always}]
    keys: {refuse: [old-key]}       # 403 for these
    faults: {tests: [{status: 500}]}  # of GET /tests and GET /suites
    shape: {suites: flat, ids: text, words: {canceled: cancelled}}
    built-in: false                 # without the built-in suites

A suite also takes `name`, `history` (statuses of older executions, `pending` for one that still runs), `others` (how
many executions somebody else starts at the moment of each start) and `bookmark` (a cursor for more tests). An answer is
`status` with `message` or `body` (both may hold {key}), or one of the words in KINDS under `answer`; `delay` waits
first (alone: the right answer, late), `created` says that a refused start started all the same, and `then` ends the
execution with that status. When the answers of a list are used up, right ones follow. A right start begins its list
anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

STATUSES = ("passed", "failed", "canceled", "never")
FINAL = ("passed", "failed", "canceled")
OPERATIONS = ("start", "poll", "cancel", "list")
SERVICE_OPERATIONS = ("suites", "tests")

# What can go wrong on the wire, beside a status code.
KINDS = {
    "cut": "the connection is closed without an answer",
    "hang": "no answer comes, the connection stays open",
    "drip": "the answer comes a byte at a time and does not end",
    "html": "a page of HTML, as a proxy answers",
    "empty": "a body of no bytes",
    "truncated": "half of the JSON, as a complete answer",
    "short": "half of the announced bytes, then the connection is closed",
    "redirect": "302 to another path of the simulated service",
}

ALWAYS = "always"


class ScenarioError(ValueError):
    """A scenario file or object is not usable; the message says where and what to write."""


@dataclass(frozen=True)
class Answer:
    """One wrong answer, given `times` times (None: always). kind '' is a JSON answer, or the right one without a status."""

    kind: str = ""
    status: int | None = None
    times: int | None = 1
    retry_after: str = ""
    message: str = ""
    body: str | None = None
    delay: float = 0.0
    created: bool = False
    then: str = ""


Faults = Mapping[str, tuple[Answer, ...]]


@dataclass(frozen=True)
class TestRow:
    """One test of a suite, as it stands when the suite has ended. runs are the statuses of its attempts."""

    id: int
    name: str
    status: str
    runs: tuple[str, ...]
    action: str = ""
    url: str = ""
    failed_steps: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Suite:
    """A suite and its behaviour."""

    id: str
    name: str
    takes: float
    status: str
    tests: tuple[TestRow, ...]
    faults: Faults = field(default_factory=dict)
    history: tuple[str, ...] = ()
    others: int = 0
    bookmark: str = ""


@dataclass(frozen=True)
class Shape:
    """Which of the shapes that were seen in the wild the service answers with."""

    suites: str = "wrapped"
    executions: str = "wrapped"
    tests: str = "object"
    ids: str = "number"
    words: Mapping[str, str] = field(default_factory=dict)


SHAPES = {
    "suites": ("wrapped", "flat"),
    "executions": ("wrapped", "flat"),
    "tests": ("object", "array"),
    "ids": ("number", "text"),
}
WORDS = ("pending", "passed", "failed", "canceled")


@dataclass(frozen=True)
class Scenarios:
    """Everything that the simulated service knows."""

    suites: Mapping[str, Suite]
    refused_keys: frozenset[str]
    faults: Faults
    shape: Shape
