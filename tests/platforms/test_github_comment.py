"""The pull-request comment, against a stand-in for GitHub's API: one comment, updated, and never a red job."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.frame import ROOT, path_with_runner

ACTION = ROOT / "tasks" / "github" / "reflect-comment"
TOKEN = "ghs_aTokenThatMustNotLeak0123456789"


@dataclass
class Hub:
    """GitHub's comments of one pull request. refuse: answer every request by this status."""

    url: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    refuse: int = 0

    def add(self, body: str, kind: str = "Bot") -> None:
        """Add a comment that is there already."""
        self.comments.append({"id": 100 + len(self.comments), "body": body, "user": {"type": kind}})


@pytest.fixture
def hub() -> Iterator[Hub]:
    """Serve the comments on a port of its own."""
    state = Hub()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            path, _, query = self.path.partition("?")
            state.calls.append(f"{self.command} {path}")
            state.tokens.add(self.headers.get("Authorization", ""))
            result: Any = {"message": "refused"}
            if state.refuse:
                pass
            elif self.command == "GET":
                page = int(dict(pair.split("=") for pair in query.split("&"))["page"])
                result = state.comments[(page - 1) * 100 : page * 100]
            elif self.command == "POST":
                state.add(body["body"])
                result = state.comments[-1]
            else:
                (result,) = [each for each in state.comments if path.endswith(f"/comments/{each['id']}")]
                result["body"] = body["body"]
            data = json.dumps(result).encode()
            self.send_response(state.refuse or 200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, *args: object) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield state
    server.shutdown()
    server.server_close()


def comment(hub: Hub, tmp: Path, summary: str | None = "all 3 tests passed", **environ: str) -> str:
    """Run the action's step as its action.yml says, with its inputs' defaults; return the output. It never fails."""
    (step,) = yaml.safe_load((ACTION / "action.yml").read_text())["runs"]["steps"]
    folder = tmp / "reflect-report"
    folder.mkdir(exist_ok=True)
    if summary is not None:
        (folder / "summary.md").write_text(summary)
    known = {
        "PATH": path_with_runner(),
        "HOME": str(tmp),
        "GITHUB_ACTION_PATH": str(ACTION),
        "GITHUB_API_URL": hub.url,
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": "octo-org/shop",
        "GITHUB_RUN_ID": "42",
        "REFLECT_REPORT_DIR": "reflect-report",
        "REFLECT_COMMENT_NAME": "reflect",
        "REFLECT_PULL_REQUEST": "7",
        "GITHUB_TOKEN": TOKEN,
    }
    assert set(step["env"]) <= set(known)
    run = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=tmp,
        env={**known, **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stdout
    assert TOKEN not in run.stdout
    assert "Traceback" not in run.stdout
    return run.stdout


def test_first_run_writes_and_later_ones_update(hub: Hub, tmp_path: Path) -> None:
    """The first run writes a comment with the summary and a link to the run; the second updates it."""
    comment(hub, tmp_path, "**failed**: 1 test")
    assert "**failed**: 1 test" in hub.comments[0]["body"]
    assert "https://github.com/octo-org/shop/actions/runs/42" in hub.comments[0]["body"]
    comment(hub, tmp_path, "all passed")
    assert len(hub.comments) == 1
    assert "all passed" in hub.comments[0]["body"]
    assert "failed" not in hub.comments[0]["body"]
    assert hub.tokens == {f"Bearer {TOKEN}"}


def test_comments_of_others_are_left_alone(hub: Hub, tmp_path: Path) -> None:
    """A person who quotes the marker, and another bot, keep their comments; so does a comment of another name."""
    for body, kind in (
        ("<!-- reflect-ci: reflect -->\nlook", "User"),
        ("coverage", "Bot"),
        ("<!-- reflect-ci: staging -->", "Bot"),
    ):
        hub.add(body, kind)
    before = json.dumps(hub.comments)
    comment(hub, tmp_path)
    assert json.dumps(hub.comments[:3]) == before
    assert len(hub.comments) == 4


def test_own_comment_on_a_later_page(hub: Hub, tmp_path: Path) -> None:
    """The comment is found among hundreds."""
    for index in range(230):
        hub.add(f"discussion {index}", "User")
    hub.add("<!-- reflect-ci: reflect -->\nold")
    comment(hub, tmp_path)
    assert len(hub.comments) == 231
    assert "all 3 tests passed" in hub.comments[-1]["body"]


@pytest.mark.parametrize(
    ("status", "sentence"), [(403, "pull-requests: write"), (404, "pull-requests: write"), (500, "500")]
)
def test_refusal_is_a_warning(hub: Hub, tmp_path: Path, status: int, sentence: str) -> None:
    """A token that may not comment, as in a fork's pull request, is a warning that says what to write."""
    hub.refuse = status
    output = comment(hub, tmp_path)
    assert output.startswith("::warning")
    assert sentence in output
    assert hub.comments == []


def test_unreachable_service_is_a_warning(hub: Hub, tmp_path: Path) -> None:
    """An API that cannot be reached is a warning."""
    assert comment(hub, tmp_path, GITHUB_API_URL="http://127.0.0.1:9").startswith("::warning")


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [({"REFLECT_PULL_REQUEST": ""}, "pull request"), ({"REFLECT_COMMENT_NAME": "--> <b>"}, "comment-name")],
)
def test_bad_input_calls_nothing(hub: Hub, tmp_path: Path, environ: dict[str, str], sentence: str) -> None:
    """Outside of a pull request, or with a name that would end the marker, nothing is called."""
    assert sentence in comment(hub, tmp_path, **environ)
    assert hub.calls == []


def test_no_report(hub: Hub, tmp_path: Path) -> None:
    """When the step before wrote no report, the comment says so instead of keeping the last run's verdict."""
    hub.add("<!-- reflect-ci: reflect -->\nall passed")
    comment(hub, tmp_path, None)
    assert "did not run" in hub.comments[0]["body"]
    assert len(hub.comments) == 1


def test_long_summary_is_cut_at_a_line(hub: Hub, tmp_path: Path) -> None:
    """A summary that GitHub would refuse for its length is cut between two lines, and the link is still there."""
    comment(hub, tmp_path, "| a row of the table |\n" * 5000)
    body = hub.comments[0]["body"]
    assert len(body) <= 65_536
    assert {line for line in body.splitlines() if line.startswith("|")} == {"| a row of the table |"}
    assert "(cut)" in body
    assert "/actions/runs/42" in body


def test_runs_on_the_oldest_python() -> None:
    """The script needs the standard library alone."""
    imported = {
        line.split()[1].partition(".")[0]
        for line in (ACTION / "comment.py").read_text().splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= set(sys.stdlib_module_names)
