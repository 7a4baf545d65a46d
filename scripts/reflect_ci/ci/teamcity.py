"""TeamCity: service messages."""

from __future__ import annotations

import hashlib
from pathlib import Path

from reflect_ci.ci.native import Native, report
from reflect_ci.model import Outcome
from reflect_ci.reports.text import one_line, sentence


def escape(text: str) -> str:
    """Escape a value inside the quotes of a service message."""
    rows = {"|": "||", "'": "|'", "\n": "|n", "\r": "|r", "[": "|[", "]": "|]"}
    return "".join(rows.get(c) or (c if ord(c) < 128 else _unicode(c)) for c in text)


def _unicode(character: str) -> str:
    # |0xABCD takes four digits, so what lies above is written as its surrogates.
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"|0x{units[i : i + 4]}" for i in range(0, len(units), 4))


class TeamCity(Native):
    """TeamCity."""

    _group = ""

    def group(self, title: str) -> None:
        """Open a block."""
        self._group = one_line(title)
        self.write(f"##teamcity[blockOpened name='{escape(self._group)}']")

    def end_group(self) -> None:
        """Close the block."""
        self.write(f"##teamcity[blockClosed name='{escape(self._group)}']")

    def problem(self, text: str) -> None:
        """Report a build problem; the same text is the same problem, so it shows once."""
        identity = "reflect-" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
        self.write(f"##teamcity[buildProblem description='{escape(text[:4000])}' identity='{identity}']")

    def warning(self, text: str) -> None:
        """Log a message with the status WARNING."""
        self.write(f"##teamcity[message text='{escape(text)}' status='WARNING']")

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Import the tests, add the verdict to the build's status, and report a problem unless it is green."""
        junit = report(paths, "junit.xml")
        if junit:
            self.write(f"##teamcity[importData type='junit' path='{escape(junit)}']")
        self.write(
            f"##teamcity[buildStatus text='{{build.status.text}}, Reflect: {escape(one_line(sentence(outcome)))}']"
        )
        if outcome.exit.code:
            self.problem(one_line(outcome.message or sentence(outcome)))
