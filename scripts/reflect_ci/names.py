"""Test names, which the status of an execution lacks: joined from GET /tests, one call at most, never fatal."""

from __future__ import annotations

import threading
from typing import Optional

from reflect_ci import answers
from reflect_ci.api import Api
from reflect_ci.model import Test
from reflect_ci.transport import Unreachable

LIMIT = 10.0


class Names:
    """Looks names up once, when the first tests without a name have ended."""

    def __init__(self, api: Api):
        self._api = api
        self._lock = threading.Lock()
        self._names: Optional[dict[str, str]] = None

    def fill(self, tests: list[Test]) -> None:
        """Give each test without a name its name, where the service has one."""
        if all(test.name for test in tests):
            return
        with self._lock:
            if self._names is None:
                self._names = self._fetch()
        for test in tests:
            test.name = test.name or self._names.get(test.test_id, "")

    def _fetch(self) -> dict[str, str]:
        try:
            answer = self._api.tests(LIMIT)
        except Unreachable:
            return {}
        return answers.test_names(answer.body) if answer.status == 200 else {}
