"""The service's endpoints. Each call returns an Answer as it came; sentences for refusals are made here, in one table."""

from __future__ import annotations

from typing import Any, Optional
from urllib.parse import quote

from reflect_ci import answers
from reflect_ci.exits import AUTH, NOT_FOUND, SERVICE, Exit
from reflect_ci.transport import Answer, Transport

# status -> (exit, sentence); {what} is the thing asked for.
REFUSALS: dict[int, tuple[Exit, str]] = {
    400: (SERVICE, "The service refused the request for {what} (400). Check the overrides, variables and mobile apps."),
    401: (
        AUTH,
        "The API key was refused (401). Check that REFLECT_API_KEY holds the account's whole key, without quotes or spaces.",
    ),
    403: (
        AUTH,
        "The API key was refused (403). Check that REFLECT_API_KEY holds the account's whole key, and that it belongs to the account of {what}.",
    ),
    404: (
        NOT_FOUND,
        "The service does not know {what} (404). Write the ID that the suite's page shows, including its case; `reflect-ci suites` lists them.",
    ),
    405: (SERVICE, "The service refused the method for {what} (405). Check api-url."),
    409: (SERVICE, "The service refused {what} because of its present state (409). Look at its page, then try again."),
    422: (SERVICE, "The service refused the request for {what} (422). Check the overrides, variables and mobile apps."),
    429: (
        SERVICE,
        "The service answered too many requests (429) until the time for errors was used up. Start fewer suites at once (concurrency).",
    ),
}


def refusal(answer: Answer, what: str) -> tuple[Exit, str]:
    """Return the exit and the sentence for an answer that is no success."""
    exit_, sentence = REFUSALS.get(answer.status, (SERVICE, ""))
    if not sentence:
        sentence = _other(answer)
    said = answers.message(answer.body, answer.text) if answer.status >= 400 else ""
    end = "" if said.endswith((".", "!", "?")) else "."
    return exit_, sentence.format(what=what) + (f' The service said: "{said}"{end}' if said else "")


def _other(answer: Answer) -> str:
    if 300 <= answer.status < 400:
        return f"{{what}}: the answer was a redirect ({answer.status}), which is not followed since it could carry the key elsewhere. Correct api-url."
    if 200 <= answer.status < 300:
        return (
            f"{{what}}: the answer ({answer.status}) could not be used: {shape(answer)}. Check api-url and the proxy."
        )
    if answer.status >= 500:
        return f"{{what}}: the service failed ({answer.status}). Try again later, or ask the service's support."
    return f"{{what}}: the service refused the request ({answer.status})."


def shape(answer: Answer) -> str:
    """Say what an unusable answer looks like."""
    text = answer.text.lstrip()
    if not text:
        return "it is empty"
    if text.startswith("<"):
        return "it is a web page"
    return "it is no complete JSON" if answer.body is None else "it lacks what is needed"


def canceled(answer: Answer) -> bool:
    """Tell whether the answer to a cancel proves it; a web page with status 200 does not."""
    return answer.status == 204 or (200 <= answer.status < 300 and isinstance(answer.body, dict))


class Api:
    """The requests that the runner makes, with the base URL filled in and the suite id encoded."""

    def __init__(self, transport: Transport, base: str):
        self.transport = transport
        self.base = base

    def _executions(self, suite: str) -> str:
        return f"{self.base}/suites/{quote(suite, safe='')}/executions"

    def start(self, suite: str, body: dict[str, Any], limit: float) -> Answer:
        """POST: start an execution."""
        return self.transport.send("POST", self._executions(suite), body, limit)

    def status(self, suite: str, number: str, limit: Optional[float] = None) -> Answer:
        """GET: one execution."""
        return self.transport.send("GET", f"{self._executions(suite)}/{quote(number, safe='')}", limit=limit)

    def list(self, suite: str, limit: Optional[float] = None) -> Answer:
        """GET: the suite's recent executions. An unknown suite answers an empty list."""
        return self.transport.send("GET", self._executions(suite), limit=limit)

    def cancel(self, suite: str, number: str, limit: Optional[float] = None) -> Answer:
        """PATCH: cancel an execution; 409 says that it had finished."""
        return self.transport.send("PATCH", f"{self._executions(suite)}/{quote(number, safe='')}/cancel", limit=limit)

    def suites(self) -> Answer:
        """GET: the account's suites."""
        return self.transport.send("GET", f"{self.base}/suites")

    def tests(self, limit: Optional[float] = None) -> Answer:
        """GET: the account's tests, for their names."""
        return self.transport.send("GET", f"{self.base}/tests", limit=limit)
