"""Systems that hand values to later steps by files: GitLab, CircleCI, Bitbucket, Codefresh and Tekton."""

from __future__ import annotations

import os
import re
import shlex
import time
from pathlib import Path

from reflect_ci.ci.native import Native, report_dir
from reflect_ci.ci.outputs import outputs, variables
from reflect_ci.commands.collect import collect, line
from reflect_ci.model import Outcome
from reflect_ci.reports.text import defuse, one_line


def _assignments(outcome: Outcome) -> str:
    """NAME=value lines; these readers know no quotes, so a value is one line and its blanks are trimmed."""
    return "".join(f"{name}={one_line(value).strip()}\n" for name, value in variables(outcome).items())


class GitLab(Native):
    """GitLab CI/CD: sections, and reflect.env for `artifacts: reports: dotenv`."""

    _section = ""

    def group(self, title: str) -> None:
        """Begin a section."""
        self._section = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_") or "reflect"
        self.write(f"\x1b[0Ksection_start:{int(time.time())}:{self._section}\r\x1b[0K{defuse(title)}")

    def end_group(self) -> None:
        """End the section."""
        self.write(f"\x1b[0Ksection_end:{int(time.time())}:{self._section}\r\x1b[0K")

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Write reflect.env beside the reports."""
        folder = report_dir(paths)
        if folder:
            self.put(str(Path(folder) / "reflect.env"), _assignments(outcome), "the variables for later jobs")


class CircleCI(Native):
    """CircleCI: the shell of each later step reads the file that BASH_ENV names."""

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Append export lines, quoted for the shell."""
        del paths
        if not self.environ.get("BASH_ENV"):
            return
        lines = (f"export {name}={shlex.quote(one_line(value))}\n" for name, value in variables(outcome).items())
        self.append(self.environ["BASH_ENV"], "".join(lines), "the variables for later steps")


class Bitbucket(Native):
    """Bitbucket Pipelines: of this file, later steps get the variables that the step names as `output-variables`."""

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Append to the file that BITBUCKET_PIPELINES_VARIABLES_PATH names."""
        del paths
        path = self.environ.get("BITBUCKET_PIPELINES_VARIABLES_PATH")
        if path:
            self.append(path, _assignments(outcome), "the variables for later steps")


class Codefresh(Native):
    """Codefresh: what cf_export does, by its file."""

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Append to env_vars_to_export."""
        del paths
        volume = self.environ.get("CF_VOLUME_PATH") or "/codefresh/volume"
        self.append(f"{volume}/env_vars_to_export", _assignments(outcome), "the variables for later steps")


class Tekton(Native):
    """Tekton: one file a result. All results of a task share 4096 bytes, names and JSON included."""

    NAMES = ("execution-id", "execution-url", "status", "passed", "failed", "total", "verdict")
    LONGEST = 900
    # An id and a status are a word; with these limits the whole stays below 4096 bytes whatever the service sends.
    WORDS, LONGEST_WORD = ("execution-id", "status"), 200

    def hand_over(self, outcome: Outcome, paths: list[Path]) -> None:
        """Write every result, empty ones too: a pipeline that refers to a missing result fails."""
        del paths
        # The folder may come as `…/results/verdict/..`: a StepAction can name the files of its results only.
        folder = os.path.normpath(self.environ.get("TEKTON_RESULTS_DIR", ""))
        if folder == ".":
            return
        values = outputs(outcome)
        first = next((execution for execution in outcome.executions if execution.id), None)
        values["status"] = first.status if first else ""
        results = {name: one_line(values[name]) for name in self.NAMES}
        results["executions"] = " ".join(execution.name for execution in outcome.executions if execution.id)
        # Half an id or a link would be a wrong one.
        results = {name: text if len(text.encode()) <= self._room(name) else "" for name, text in results.items()}
        ends = [f"{each.suite}={each.exit.word if each.exit else 'unfinished'}" for each in outcome.executions]
        if not ends:  # refused before anything was called, perhaps because of these very ids
            suites = re.findall(r"[\w.-]+", self.environ.get("REFLECT_SUITES", "")) or ["?"]
            ends = [f"{suite}={values['verdict']}" for suite in suites]
        _, pairs = collect(ends)
        results["verdicts"] = line(pairs, self.LONGEST)
        for name, text in results.items():
            if not self.put(str(Path(folder) / name), text, "the task's results"):
                return

    def _room(self, name: str) -> int:
        return self.LONGEST_WORD if name in self.WORDS else self.LONGEST
