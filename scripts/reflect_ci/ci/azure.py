"""Azure Pipelines: logging commands."""

from __future__ import annotations

from pathlib import Path

from reflect_ci.ci.native import Native, report, report_dir
from reflect_ci.ci.outputs import outputs
from reflect_ci.model import Outcome
from reflect_ci.reports.text import defuse, failures, one_line

SHOWN = 10


def escape(text: str) -> str:
    """Escape a command's property or value; the percent sign first, because the others are written with it."""
    for plain, written in (("%", "%AZP25"), ("\r", "%0D"), ("\n", "%0A"), (";", "%3B"), ("]", "%5D")):
        text = text.replace(plain, written)
    return text


def camel(name: str) -> str:
    """Return an output's name as Azure spells names: executionId."""
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)


class Azure(Native):
    """Azure Pipelines."""

    def mask_line(self, line: str) -> None:
        """Write the command that hides it."""
        self.write(f"##vso[task.setsecret]{escape(line)}")

    def group(self, title: str) -> None:
        """Begin a group."""
        self.write(f"##[group]{defuse(title)}")

    def end_group(self) -> None:
        """End the group."""
        self.write("##[endgroup]")

    def problem(self, text: str) -> None:
        """Log an issue of type error."""
        self.write(f"##vso[task.logissue type=error]{escape(text)}")

    def warning(self, text: str) -> None:
        """Log an issue of type warning."""
        self.write(f"##vso[task.logissue type=warning]{escape(text)}")

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Log failed tests, set the output variables, upload the summary and publish the tests."""
        failed = list(failures(outcome.executions))
        for execution, test, sentence in failed[:SHOWN]:
            self.problem(one_line(f"{execution.name}: {test.title}: {sentence}"))
        for name, value in outputs(outcome, report_dir(paths)).items():
            self.write(f"##vso[task.setvariable variable={camel(name)};isOutput=true]{escape(value)}")
        summary, junit = report(paths, "summary.md"), report(paths, "junit.xml")
        if summary:
            self.write(f"##vso[task.uploadsummary]{escape(summary)}")
        if junit and self.environ.get("REFLECT_AZURE_PUBLISH", "").strip().lower() != "false":
            self.write(
                "##vso[results.publish type=JUnit;mergeResults=false;runTitle=Reflect;"
                f"publishRunAttachments=true;resultFiles={escape(junit)};]"
            )
