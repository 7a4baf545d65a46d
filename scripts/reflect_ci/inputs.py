"""The one table of inputs. argparse, the environment, --help, README tables, schemas and the platform checks read it.

Every input has an environment variable; a value that is empty there counts as not given. Precedence: command line,
environment, default.
"""

from __future__ import annotations

from dataclasses import dataclass

RUN, WAIT, CANCEL, SUITES, DOCTOR = "run", "wait", "cancel", "suites", "doctor"
ALL = (RUN, WAIT, CANCEL, SUITES, DOCTOR)
START = (RUN, DOCTOR)
FOLLOW = (RUN, WAIT)


@dataclass(frozen=True)
class Input:
    """One row of the table.

    name: kebab-case, the option is `--name`. kind: text, list, pairs (NAME=value lines), json, flag (true/false),
    duration, count, choice or path. commands: the subcommands that take it. choices: for kind choice.
    """

    name: str
    kind: str
    help: str
    commands: tuple[str, ...]
    default: str = ""
    choices: tuple[str, ...] = ()
    secret: bool = False
    metavar: str = ""

    @property
    def env(self) -> str:
        """The environment variable, for example REFLECT_REPORT_DIR."""
        return "REFLECT_" + self.snake.upper()

    @property
    def snake(self) -> str:
        """The spelling of CircleCI and Codefresh, for example report_dir."""
        return self.name.replace("-", "_")

    @property
    def camel(self) -> str:
        """The spelling of Jenkins and Azure, for example reportDir."""
        first, *rest = self.name.split("-")
        return first + "".join(word.capitalize() for word in rest)


DEFAULT_API_URL = "https://api.reflect.run/v1"

INPUTS: tuple[Input, ...] = (
    Input("suites", "list", "One or several suite ids as the suite's page shows them (case matters), separated by spaces, commas or lines.", START, metavar="SUITE"),
    Input("executions", "list", "Executions to pick up, as SUITE/ID, separated by spaces, commas or lines.", (WAIT, CANCEL), metavar="SUITE/ID"),
    Input("from-file", "path", "Read the executions from this executions.json, as `run` wrote it.", (WAIT, CANCEL), metavar="FILE"),
    Input("api-key", "text", "The API key of the Reflect account. By the environment variable only, never as an option.", ALL, secret=True),
    Input("api-key-file", "path", "Read the API key from this file instead of REFLECT_API_KEY.", ALL, metavar="FILE"),
    Input("api-url", "text", "Base URL of the API.", ALL, default=DEFAULT_API_URL, metavar="URL"),
    Input("hosts", "pairs", "Test another host: original=replacement host names, one a line or separated by commas. A URL as replacement is reduced to its host and port.", START, metavar="HOST=HOST"),
    Input("variables", "pairs", "Variables of the execution: NAME=value lines, or a JSON object. Values stay text.", START, metavar="NAME=VALUE"),
    Input("parameters", "pairs", "URL parameters added to the first page: NAME=value lines, or a JSON object.", START, metavar="NAME=VALUE"),
    Input("cookies", "json", "Cookies set for the first page: NAME=value lines, or a JSON array of cookie objects.", START, metavar="COOKIES"),
    Input("headers", "pairs", "Request headers of the browser: NAME=value lines, or a JSON object.", START, metavar="NAME=VALUE"),
    Input("local-storage", "pairs", "Entries of localStorage: NAME=value lines, or a JSON object.", START, metavar="NAME=VALUE"),
    Input("session-storage", "pairs", "Entries of sessionStorage: NAME=value lines, or a JSON object.", START, metavar="NAME=VALUE"),
    Input("overrides", "json", "The API's raw overrides as a JSON object, or @FILE. Named inputs are merged over it.", START, metavar="JSON"),
    Input("tunnel", "text", "Name of the Reflect Tunnel agent to run through.", START, metavar="AGENT"),
    Input("mobile-apps", "pairs", "Mobile builds to test: APP=BUILD-ID lines.", START, metavar="APP=BUILD-ID"),
    Input("commit", "text", "Commit that Reflect reports to: auto (detected; a pull request's head, not its merge commit), none, or owner/repo@sha.", START, default="auto", metavar="COMMIT"),
    Input("wait", "flag", "Wait for the verdict. false only starts the executions: exit 0 then means started, not passed.", (RUN,), default="true"),
    Input("allow-empty", "flag", "Count an execution that ran no test as passed.", FOLLOW, default="false"),
    Input("timeout", "duration", "Deadline of the whole call, as 90s, 30m or 1h30m.", FOLLOW, default="30m", metavar="DURATION"),
    Input("on-timeout", "choice", "What happens at the deadline to an execution that still runs.", FOLLOW, default="cancel", choices=("cancel", "leave")),
    Input("wait-for-url", "text", "Before starting, wait until this URL answers 2xx or 3xx (inside the deadline).", (RUN,), metavar="URL"),
    Input("conflict", "choice", "Unfinished older executions of the same suite: leave them (allow), or cancel them first (cancel).", (RUN,), default="allow", choices=("allow", "cancel")),
    Input("concurrency", "count", "How many suites run at once. 0 means all of them.", (RUN,), default="0", metavar="N"),
    Input("report-dir", "path", "Folder for junit.xml, result.json, summary.md, report.html and executions.json.", FOLLOW, default="reflect-report", metavar="DIR"),
    Input("missing-key", "choice", "Without a key: fail, or skip with a notice (for pull requests from forks, which get no secrets).", (RUN,), default="fail", choices=("fail", "skip")),
)  # fmt: skip

# How a script-based step gets the runner. Read by the bootstrap of those steps, not by the runner itself.
RUNNER = Input(
    "runner",
    "text",
    "How the step gets the runner: a pip requirement, a path or URL of reflect-ci.pyz (a URL with #sha256=…), or `installed`.",
    (),
    default="reflect-ci==0.1.0",
    metavar="RUNNER",
)

BY_NAME = {row.name: row for row in (*INPUTS, RUNNER)}


def for_command(command: str) -> tuple[Input, ...]:
    """Return the rows that the subcommand takes, in the table's order."""
    return tuple(row for row in INPUTS if command in row.commands)
