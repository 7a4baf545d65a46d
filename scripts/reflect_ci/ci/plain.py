"""Systems that only fold their log. Buildkite's annotations need its agent's command: pipe summary.md to it."""

from __future__ import annotations

import re

from reflect_ci.ci.native import Native
from reflect_ci.reports.text import defuse


class Buildkite(Native):
    """Buildkite: a line that begins with --- begins a group, which ends where the next one begins."""

    def group(self, title: str) -> None:
        """Begin a group."""
        self.write(f"--- {defuse(title)}")


class Travis(Native):
    """Travis CI."""

    _fold = ""

    def group(self, title: str) -> None:
        """Begin a fold."""
        self._fold = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "reflect"
        self.write(f"travis_fold:start:{self._fold}\r\x1b[0K{defuse(title)}")

    def end_group(self) -> None:
        """End the fold."""
        self.write(f"travis_fold:end:{self._fold}\r\x1b[0K")
