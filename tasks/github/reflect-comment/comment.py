"""Write summary.md into one comment of a pull request; a later run updates it. Python 3.9 and its standard library.

A comment is a courtesy: whatever goes wrong here is a warning, and the verdict of the job stays what it was.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

# GitHub refuses a longer comment.
LONGEST = 65_000
# Comments are read a hundred at a time; a marker that is not among the first thousand is written anew.
PAGES = 10

# Shown when the token may not write: a fork's pull request, or a job without the permission.
FORBIDDEN = (
    "The comment was not written: the token may not write to this pull request. Give the job "
    "`permissions: {pull-requests: write}`. A pull request from a fork never gets it: the summary is on the run's page."
)


def call(environ: Mapping[str, str], method: str, path: str, body: Optional[dict[str, str]] = None) -> Any:
    """Send one request to GitHub's API and return the parsed answer."""
    request = Request(
        environ["GITHUB_API_URL"].rstrip("/") + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Accept": "application/vnd.github+json",
            "Authorization": "Bearer " + environ["GITHUB_TOKEN"],
            "Content-Type": "application/json",
            "User-Agent": "reflect-ci",
        },
    )
    with urlopen(request, timeout=30) as answer:
        return json.load(answer)


def existing(environ: Mapping[str, str], path: str, marker: str) -> Optional[int]:
    """Return the id of the comment that an earlier run wrote. Only a bot's: people may quote the marker."""
    for page in range(1, PAGES + 1):
        comments = call(environ, "GET", f"{path}?per_page=100&page={page}")
        for comment in comments:
            if comment["body"].startswith(marker) and comment["user"]["type"] == "Bot":
                return int(comment["id"])
        if len(comments) < 100:
            break
    return None


def text_of(environ: Mapping[str, str], marker: str) -> str:
    """Return the comment: the marker, the summary (cut when too long) and where the rest is."""
    page = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(environ)
    summary = Path(environ["REFLECT_REPORT_DIR"], "summary.md")
    if not summary.is_file():
        text = "**Reflect** did not run: there is no report of it.\n"
    else:
        text = summary.read_text(encoding="utf-8")
    tail = f"\n\n[The workflow run]({page})\n"
    room = LONGEST - len(marker) - len(tail) - 20
    if len(text) > room:
        # Cut at a line's end, so that no table row or link is cut in the middle.
        text = text[:room].rpartition("\n")[0] + "\n\n(cut)"
    return f"{marker}\n{text}{tail}"


def warn(sentence: str) -> int:
    """Print a warning that GitHub shows on the run's page; return the exit code."""
    print("::warning title=Reflect::" + sentence.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))
    return 0


def run(environ: Mapping[str, str]) -> int:
    """Write or update the comment."""
    number = environ.get("REFLECT_PULL_REQUEST", "")
    if not number.isdigit():
        return warn(
            "No comment was written: this run belongs to no pull request. "
            "Give the input pull-request, or run it `if: github.event_name == 'pull_request'`."
        )
    name = environ["REFLECT_COMMENT_NAME"]
    if not re.fullmatch(r"[\w .-]{1,60}", name):
        return warn("No comment was written: comment-name takes letters, digits, spaces, dots and hyphens.")
    marker = f"<!-- reflect-ci: {name} -->"
    repository = f"/repos/{environ['GITHUB_REPOSITORY']}/issues"
    try:
        body = {"body": text_of(environ, marker)}
        found = existing(environ, f"{repository}/{number}/comments", marker)
        if found is None:
            call(environ, "POST", f"{repository}/{number}/comments", body)
        else:
            call(environ, "PATCH", f"{repository}/comments/{found}", body)
    except HTTPError as error:
        return warn(
            FORBIDDEN
            if error.code in (401, 403, 404)
            else f"The comment was not written: GitHub answered {error.code}."
        )
    except (URLError, OSError, ValueError) as error:
        return warn(f"The comment was not written: {type(error).__name__}.")
    print("The comment was updated." if found else "The comment was written.")
    return 0


if __name__ == "__main__":
    sys.exit(run(os.environ))
