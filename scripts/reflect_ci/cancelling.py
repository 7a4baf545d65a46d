"""One execution to cancel, as a job of the scheduler."""

from __future__ import annotations

import time
from typing import Optional

from reflect_ci import patience
from reflect_ci.api import Api, canceled, refusal
from reflect_ci.exits import NOT_FOUND, PASSED, SERVICE, Exit
from reflect_ci.model import Execution
from reflect_ci.transport import Unreachable

DEADLINE = 60.0  # seconds for all cancellations of a call


class Cancellation:
    """Cancels one execution; one that had finished already is no error."""

    posting = False

    def __init__(self, execution: Execution, api: Api):
        self.execution = execution
        self._api = api
        self._failures = 0

    def turn(self) -> Optional[float]:
        """Send the PATCH; try again after answers that may be better next time."""
        if self.execution.exit:
            return None
        try:
            answer = self._api.cancel(self.execution.suite, self.execution.id)
        except Unreachable as error:
            return self._again(f"It could not be canceled: {error.why}.", error.lasting, None)
        if canceled(answer):
            return self._end(PASSED, "It was canceled.")
        if answer.status == 409:
            return self._end(PASSED, "It had finished already.")
        if answer.status == 404:
            return self._end(
                NOT_FOUND, "The service does not know this execution (404). Check the suite id and the number."
            )
        exit_, sentence = refusal(answer, f"execution {self.execution.name}")
        if answer.status in (200, 408, 425, 429) or answer.status >= 500:
            return self._again(sentence, False, answer.retry_after)
        return self._end(exit_, sentence)

    def _again(self, sentence: str, lasting: bool, asked: Optional[float]) -> Optional[float]:
        self._failures += 1
        if lasting or self._failures > 4:
            return self._end(SERVICE, f"{sentence} It may run on: cancel it on its page.")
        return patience.retry_wait(self._failures, asked)

    def halt(self, exit_: Exit, reason: str) -> None:
        """End now, without having canceled."""
        if not self.execution.exit:
            self._end(exit_, f"{reason} It is not known to be canceled.")

    def _end(self, exit_: Exit, reason: str) -> Optional[float]:
        self.execution.ended_at = time.time()
        self.execution.reason = reason
        self.execution.exit = exit_
        return None
