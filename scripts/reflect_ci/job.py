"""One suite's execution as a row of short turns: look, start, poll, end. A turn makes one request and says when the next is due.

Promises kept here: the start is repeated only when it provably did not arrive; what may have started is looked for in the
executions list; an end that leaves the execution running cancels it, unless told to leave it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Callable, Optional

from reflect_ci import answers, patience
from reflect_ci.api import Api, canceled, refusal, shape
from reflect_ci.errors import Stop
from reflect_ci.exits import AUTH, NOT_FOUND, SERVICE, STARTED, TIMED_OUT, UNKNOWN_START, Exit
from reflect_ci.judge import verdict
from reflect_ci.model import Execution
from reflect_ci.names import Names
from reflect_ci.transport import Answer, Unreachable

LOOKS = (0.5, 1.0, 2.0)  # waits before each look for an execution that may have started, in seconds
LAST_LIMIT = 8.0  # seconds for a request of the end: CI systems kill about ten seconds after they asked to stop
FIRST_LOOK_LIMIT = 10.0


@dataclass
class Plan:
    """What all jobs of a call share. timeout in seconds; started is called with each execution before its first poll."""

    body: dict[str, Any] = field(default_factory=dict)
    timeout: float = 1800.0
    leave: bool = False
    wait: bool = True
    allow_empty: bool = False
    cancel_older: bool = False
    started: Callable[[Execution], None] = lambda _execution: None
    note: Callable[[str], None] = lambda _text: None
    active: Callable[[], int] = lambda: 1


class Job:
    """Runs one execution. `turn` is called by one thread at a time; `halt` may come from another while a turn is under way."""

    def __init__(self, execution: Execution, api: Api, plan: Plan, names: Names):
        self.execution = execution
        self._api = api
        self._plan = plan
        self._names = names
        self._lock = threading.RLock()
        self._halted = False
        self._posting = False
        self._posted = False  # a start may have arrived and no id is known
        self._known: Optional[set[str]] = None
        self._looks = 0
        self._failures = 0
        self._failing_since = 0.0
        self._begun = time.monotonic()
        self._here = not execution.id
        self._stage: Callable[[], Optional[float]] = self._look_first if self._here else self._poll
        self._doubt = ""

    @property
    def posting(self) -> bool:
        """Whether a start is on its way right now."""
        return self._posting

    def turn(self) -> Optional[float]:
        """Do the next thing. Return seconds until the next turn, None when the job has ended."""
        if self._halted or self.execution.exit:
            return None
        try:
            return self._stage()
        except Unreachable as error:
            return self._failed(f"{error.why[0].upper()}{error.why[1:]}.", lasting=error.lasting)
        except Stop as stop:
            return self._give_up(stop.exit, stop.message)
        except Exception as error:  # a defect of ours must neither hang the build nor leave something running
            return self._give_up(
                SERVICE, f"The runner met something unforeseen ({type(error).__name__}: {error}). Please report it."
            )

    # -- before the start

    def _look_first(self) -> Optional[float]:
        """Note which executions exist already, so that a new one can be told apart later."""
        limit = min(FIRST_LOOK_LIMIT, patience.request_limit(self._plan.timeout))
        try:
            answer = self._api.list(self.execution.suite, limit)
        except Unreachable as error:
            if not error.sent or self._plan.cancel_older:
                raise
            return self._next(self._start)
        rows = answers.executions(answer.body) if answer.status == 200 else None
        if answer.status in (401, 403):
            raise Stop(*refusal(answer, self._what))
        if rows is None and self._plan.cancel_older and answer.status != 404:
            return self._unusable(answer)
        if answer.status == 404:
            rows = []
        if rows is not None:
            self._known = {row.id for row in rows}
            if self._plan.cancel_older:
                self._cancel_older([row.id for row in rows if not row.finished])
        return self._next(self._start)

    def _cancel_older(self, numbers: list[str]) -> None:
        for number in numbers:
            answer = self._api.cancel(self.execution.suite, number)
            if answer.status == 409 or canceled(answer):
                self._plan.note(
                    f"{self.execution.suite}/{number}: an older execution was still under way; it was canceled (conflict=cancel)."
                )
                continue
            exit_, sentence = refusal(answer, f"to cancel the older execution {self.execution.suite}/{number}")
            raise Stop(exit_, f"{sentence} Nothing was started.")

    # -- the start

    def _start(self) -> Optional[float]:
        with self._lock:
            if self._halted:
                return None
            self._posting = True
        try:
            answer = self._api.start(self.execution.suite, self._plan.body, patience.request_limit(self._plan.timeout))
        except Unreachable as error:
            if not error.sent:
                raise
            return self._doubtful(f"{error.why} after the start was sent")
        finally:
            self._posting = False
        if 200 <= answer.status < 300:
            seen = answers.started(answer.body)
            return self._is_started(*seen) if seen else self._doubtful("the answer to the start could not be used")
        if answer.status >= 500 or answer.status == 408:
            return self._doubtful(f"the service failed ({answer.status}) at the start")
        if answer.status == 429:
            return self._unusable(answer)
        raise Stop(*refusal(answer, self._what))

    def _is_started(self, number: str, url: str) -> Optional[float]:
        with self._lock:
            self._posted = False
            self.execution.id = number
            self.execution.url = url or f"https://app.reflect.run/suites/{self.execution.suite}/executions/{number}"
            self.execution.status = "pending"
            self.execution.started_at = time.time()
            self._begun = time.monotonic()
            self._failures = 0
            self._plan.started(self.execution)
            if not self._plan.wait:
                return self._end(STARTED, "It was started and not waited for.")
        return self._next(self._poll)

    def _doubtful(self, why: str) -> Optional[float]:
        self._doubt = why
        self._posted = True
        self._looks = 0
        return self._next(self._look_again, LOOKS[0])

    def _look_again(self) -> Optional[float]:
        """Look for the execution that the start may have made; adopt it only when it can be no other."""
        self._looks += 1
        found = self._candidates()
        if found is not None and len(found) == 1:
            self.execution.adopted = True
            self._plan.note(
                f"{self.execution.suite}: {self._doubt}, but {self.execution.suite}/{found[0].id} is the one new execution with this request: it is taken up."
            )
            return self._is_started(found[0].id, found[0].url)
        if not found and self._looks < len(LOOKS) and self._known is not None:
            return self._next(self._look_again, LOOKS[self._looks])
        raise Stop(UNKNOWN_START, self._unknown(found))

    def _unknown(self, found: Optional[list[answers.Status]]) -> str:
        if found is None or self._known is None:
            seen = "The executions list could not be read to find out."
        elif found:
            seen = f"Several new executions could be it ({', '.join(row.id for row in found)})."
        else:
            seen = "No new execution showed up in the list."
        return f"{self._doubt[0].upper()}{self._doubt[1:]}: the execution may or may not have started, so the start was not repeated. {seen} Look at the suite's page, cancel what runs there, then run again."

    def _candidates(self) -> Optional[list[answers.Status]]:
        """Return the new executions that echo our request, None when that cannot be told."""
        if self._known is None:
            return None
        try:
            answer = self._api.list(self.execution.suite, LAST_LIMIT)
            rows = answers.executions(answer.body) if answer.status == 200 else None
            if rows is None:
                return None
            fresh = [(row, self._is_ours(row.id)) for row in rows if row.id not in self._known]
        except Unreachable:
            return None
        certain = [row for row, ours in fresh if ours]
        return certain or [row for row, ours in fresh if ours is None]

    def _is_ours(self, number: str) -> Optional[bool]:
        """Tell by the echo in its status: True when it repeats all that we sent, False when something else, None when it tells nothing."""
        answer = self._api.status(self.execution.suite, number, LAST_LIMIT)
        if answer.status != 200 or not isinstance(answer.body, dict):
            return None
        keys = ("gitHub", "overrides")
        if any(answer.body.get(key) and answer.body[key] != self._plan.body.get(key) for key in keys):
            return False
        sent = [key for key in keys if self._plan.body.get(key)]
        return True if sent and all(answer.body.get(key) for key in sent) else None

    # -- waiting

    def _poll(self) -> Optional[float]:
        answer = self._api.status(self.execution.suite, self.execution.id)
        age = time.monotonic() - self._begun
        if answer.status == 404 and age <= patience.not_found_window(self._plan.timeout, self._here):
            return patience.SHORTEST
        seen = answers.status(answer.body) if answer.status == 200 else None
        if seen and seen.id and seen.id != self.execution.id:
            seen = None
        if seen is None:
            return self._unusable(answer)
        self._failures = 0
        self._take(seen)
        if seen.finished:
            self._names.fill(seen.tests)
            return self._end(*verdict(seen, self._plan.allow_empty), seen)
        return patience.poll_interval(age, self._plan.active())

    def _take(self, seen: answers.Status) -> None:
        with self._lock:
            if not self.execution.exit:
                self.execution.status = seen.status or "pending"
                self.execution.tests = seen.tests
                self.execution.url = seen.url or self.execution.url

    # -- errors

    def _unusable(self, answer: Answer) -> Optional[float]:
        """Try again after an answer that may be better next time; give up at once on one that will not."""
        exit_, sentence = refusal(answer, self._what)
        lasting = 300 <= answer.status < 500 and answer.status not in (408, 425, 429)
        return self._failed(sentence, lasting, exit_, answer.retry_after)

    def _failed(
        self, sentence: str, lasting: bool, exit_: Exit = SERVICE, asked: Optional[float] = None
    ) -> Optional[float]:
        now = time.monotonic()
        if not self._failures:
            self._failing_since = now
        self._failures += 1
        spent = now - self._failing_since
        waits = patience.retry_wait(self._failures, asked)
        if lasting:
            return self._give_up(exit_, sentence)
        if self._failures > 2 and spent + waits > patience.error_budget(self._plan.timeout) and not asked:
            return self._give_up(exit_, f"{sentence} It was tried {self._failures} times in {spent:.0f} s.")
        return waits

    def _give_up(self, exit_: Exit, sentence: str) -> Optional[float]:
        """End badly; what may still run is canceled first."""
        if self.execution.id and not self.execution.exit:
            sentence = f"{sentence} {self._stop_it()}"
        elif not self._posted and exit_ in (SERVICE, AUTH, NOT_FOUND):
            sentence = sentence if "Nothing was started" in sentence else f"{sentence} Nothing was started."
        return self._end(exit_, sentence)

    def _stop_it(self) -> str:
        if self._plan.leave:
            return "The execution is left as it is (on-timeout=leave)."
        return cancel_sentence(self._api, self.execution)[1]

    # -- the end

    def halt(self, exit_: Exit, reason: str) -> None:
        """End now: at the deadline after one last look, on a signal at once. Cancels what runs."""
        with self._lock:
            self._halted = True
            if self.execution.exit:
                return
        last = exit_ is TIMED_OUT
        if self._posted or self._posting:
            self._find_started()
        if not self.execution.id:
            lost = self._posted or self._posting
            self._end(
                UNKNOWN_START if lost else exit_, f"{reason} " + (self._unknown([]) if lost else "Nothing was started.")
            )
            return
        if last and self._finished_meanwhile():
            return
        if last and self._plan.leave:
            self._end(
                exit_,
                f"{reason} The execution is left running (on-timeout=leave); `reflect-ci wait {self.execution.name}` picks it up.",
            )
            return
        finished, sentence = cancel_sentence(self._api, self.execution)
        if finished and last and self._finished_meanwhile():
            return
        self._end(exit_, f"{reason} {sentence}")

    def _find_started(self) -> None:
        self._doubt = self._doubt or "the start was not answered yet"
        found = self._candidates()
        if found and len(found) == 1 and not self.execution.id:
            with self._lock:
                self.execution.id, self.execution.url = found[0].id, found[0].url
                self.execution.started_at = time.time()
                self.execution.adopted = True
                self._plan.started(self.execution)

    def _finished_meanwhile(self) -> bool:
        try:
            answer = self._api.status(self.execution.suite, self.execution.id, LAST_LIMIT)
        except Unreachable:
            return False
        seen = answers.status(answer.body) if answer.status == 200 else None
        if not seen or not seen.finished:
            return False
        self._take(seen)
        self._names.fill(seen.tests)
        self._end(*verdict(seen, self._plan.allow_empty), seen)
        return True

    def _end(self, exit_: Exit, reason: str, seen: Optional[answers.Status] = None) -> Optional[float]:
        with self._lock:
            if self.execution.exit:
                return None
            if seen and seen.more:
                self._plan.note(
                    f"{self.execution.name}: the service listed only a part of the tests; the verdict over all of them is the service's own."
                )
            self.execution.ended_at = time.time()
            self.execution.reason = reason
            self.execution.exit = exit_
        return None

    def _next(self, stage: Callable[[], Optional[float]], wait: float = 0.0) -> float:
        self._stage = stage
        return wait

    @property
    def _what(self) -> str:
        return f"execution {self.execution.name}" if self.execution.id else f"suite {self.execution.suite!r}"


def cancel_sentence(api: Api, execution: Execution) -> tuple[bool, str]:
    """Cancel by one PATCH; return (it had finished already, what to tell)."""
    page = f" Cancel it at {execution.url}" if execution.url else " Cancel it on its page"
    try:
        answer = api.cancel(execution.suite, execution.id, LAST_LIMIT)
    except Unreachable as error:
        return False, f"It could not be canceled ({error.why}).{page}, or it runs on."
    if canceled(answer):
        return False, "The execution was canceled."
    if answer.status == 409:
        return True, "The execution had finished already."
    if answer.status == 404:
        return False, "The service does not know the execution (404), so it could not be canceled."
    why = shape(answer) if 200 <= answer.status < 300 else str(answer.status)
    return False, f"It could not be canceled for certain (the answer: {why}).{page}, or it runs on."
