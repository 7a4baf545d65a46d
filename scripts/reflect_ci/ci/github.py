"""GitHub Actions: masks, groups, annotations, outputs and the job summary."""

from __future__ import annotations

import secrets
from pathlib import Path

from reflect_ci.ci.native import Native, report_dir
from reflect_ci.ci.outputs import outputs
from reflect_ci.model import Outcome
from reflect_ci.reports.summary import render
from reflect_ci.reports.text import defuse, failures, one_line

# GitHub shows ten of a kind for a step, and drops a summary larger than a mebibyte as a whole.
ANNOTATIONS = 10
SUMMARY_BYTES = 1024 * 1024


def data(text: str) -> str:
    """Escape what stands after a command's `::`."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def field(text: str) -> str:
    """Escape the value of a command's property."""
    return data(text).replace(":", "%3A").replace(",", "%2C")


class GitHub(Native):
    """GitHub Actions."""

    def mask_line(self, line: str) -> None:
        """Write the command that hides it."""
        self.write(f"::add-mask::{data(line)}")

    def group(self, title: str) -> None:
        """Begin a group."""
        self.write(f"::group::{data(defuse(title))}")

    def end_group(self) -> None:
        """End the group."""
        self.write("::endgroup::")

    def problem(self, text: str) -> None:
        """Annotate the run with an error."""
        self.write(f"::error title=Reflect::{data(text)}")

    def warning(self, text: str) -> None:
        """Annotate the run with a warning."""
        self.write(f"::warning title=Reflect::{data(text)}")

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Write annotations for failed tests, the outputs and the summary."""
        failed = list(failures(outcome.executions))
        shown = failed if len(failed) <= ANNOTATIONS else failed[: ANNOTATIONS - 1]
        for execution, test, sentence in shown:
            title = field(one_line(f"{execution.name}: {test.title}"))
            self.write(f"::error title={title}::{data(one_line(sentence))}")
        if len(failed) > len(shown):
            self.write(f"::error title=Reflect::{len(failed) - len(shown)} more tests failed: see the job's summary.")
        if self.environ.get("GITHUB_OUTPUT"):
            rows = outputs(outcome, report_dir(paths))
            text = "".join(self._pair(name, value) for name, value in rows.items())
            self.append(self.environ["GITHUB_OUTPUT"], text, "the step's outputs")
        if self.environ.get("GITHUB_STEP_SUMMARY"):
            self._summary(outcome, self.environ["GITHUB_STEP_SUMMARY"])

    @staticmethod
    def _pair(name: str, value: str) -> str:
        # A delimiter that nobody can guess, so a value cannot end its own block and begin another output.
        delimiter = f"reflect-{secrets.token_hex(16)}"
        return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"

    def _summary(self, outcome: Outcome, path: str) -> None:
        try:
            there = Path(path).stat().st_size
        except OSError:
            there = 0
        room = SUMMARY_BYTES - there - 1
        text = render(outcome, limit=max(0, room))
        if text:
            self.append(path, text, "the job's summary")
