"""Which commit is under test: a pull request's head, never the merge that some systems build instead of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from reflect_ci.model import Commit

Env = Mapping[str, str]

_GITHUB = re.compile(r"(?:^|[/@.])github\.com[/:]([\w.-]+)/([\w.-]+)", re.IGNORECASE)
_BIGGEST = 32 * 1024 * 1024


def sha(text: str) -> str:
    """Return the text when it is a commit's hash ('' else: Buildkite says HEAD, CodeBuild may give an object's version)."""
    text = text.strip().lower()
    return text if re.fullmatch(r"[0-9a-f]{7,64}", text) else ""


def number(text: str) -> str:
    """Return a pull request's number from 12, pr/12, refs/pull/12/merge or its address; '' for `false`."""
    found = re.search(r"(?:^|/)(\d+)(?:/(?:merge|head|files|commits|diff|overview))?/?$", text.strip())
    return found[1] if found else ""


def on_github(address: str) -> str:
    """Return owner/repo of an address on github.com (https, ssh, a page below it), else ''."""
    found = _GITHUB.search(address.strip())
    if not found:
        return ""
    repo = found[2][:-4] if found[2].endswith(".git") else found[2]
    return f"{found[1]}/{repo}"


def commit(repository: str, revision: str) -> Optional[Commit]:
    """Return the commit on GitHub, None without a repository there or without a hash."""
    owner, _, repo = repository.strip().partition("/")
    if not owner or not repo or "/" in repo or not revision:
        return None
    return Commit(owner, repo, revision)


def _event(env: Env) -> dict[str, Any]:
    path = Path(env.get("GITHUB_EVENT_PATH") or "/nonexistent")
    try:
        if path.stat().st_size > _BIGGEST:
            return {}
        event = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return event if isinstance(event, dict) else {}


def _inside(event: Any, *keys: str) -> str:
    for key in keys:
        event = event.get(key) if isinstance(event, dict) else None
    return str(event) if isinstance(event, (str, int)) else ""


# For these events GITHUB_SHA is another commit: the merge, or the last one of the default branch.
_HEADS: dict[str, tuple[str, ...]] = {
    "pull_request": ("pull_request", "head", "sha"),
    "pull_request_target": ("pull_request", "head", "sha"),
    "pull_request_review": ("pull_request", "head", "sha"),
    "pull_request_review_comment": ("pull_request", "head", "sha"),
    "deployment": ("deployment", "sha"),
    "deployment_status": ("deployment", "sha"),
    "workflow_run": ("workflow_run", "head_sha"),
    "check_run": ("check_run", "head_sha"),
    "check_suite": ("check_suite", "head_sha"),
    "status": ("sha",),
}
# In these GITHUB_SHA is the right commit as well, so it serves when the event cannot be read.
_SAME = ("deployment", "deployment_status")


def github_sha(env: Env) -> str:
    """Return the commit that a GitHub event is about; '' when only the merge commit is known."""
    name = env.get("GITHUB_EVENT_NAME", "")
    plain = env.get("GITHUB_SHA", "")
    if name not in _HEADS:
        return plain
    return sha(_inside(_event(env), *_HEADS[name])) or (plain if name in _SAME else "")


def github_pull_request(env: Env) -> str:
    """Return the pull request's number: from the event, the ref, or the name of a merge queue's branch."""
    ref = env.get("GITHUB_REF", "")
    queued = re.match(r"refs/heads/gh-readonly-queue/.+/pr-(\d+)-[0-9a-f]+$", ref)
    if queued:
        return queued[1]
    found = re.match(r"refs/pull/(\d+)/", ref)
    return found[1] if found else _inside(_event(env), "pull_request", "number")


def github_repository(env: Env) -> str:
    """Return owner/repo on github.com; a company's own GitHub server is not what the service reports to."""
    server = env.get("GITHUB_SERVER_URL", "").rstrip("/").lower() or "https://github.com"
    return env.get("GITHUB_REPOSITORY", "") if server == "https://github.com" else ""


def azure_sha(env: Env) -> str:
    """Return the pull request's last commit, else the build's; a pull request's BUILD_SOURCEVERSION is the merge."""
    head = env.get("SYSTEM_PULLREQUEST_SOURCECOMMITID", "")
    return head if head or env.get("BUILD_REASON") == "PullRequest" else env.get("BUILD_SOURCEVERSION", "")


def travis_sha(env: Env) -> str:
    """Return the pull request's last commit, else the build's; a pull request's TRAVIS_COMMIT is the merge."""
    head = env.get("TRAVIS_PULL_REQUEST_SHA", "")
    of_request = env.get("TRAVIS_PULL_REQUEST", "false") not in ("", "false")
    return head if head or of_request else env.get("TRAVIS_COMMIT", "")


def jenkins_sha(env: Env) -> str:
    """Return the pull request's head where a plug-in or the job's name says so, else the build's commit.

    A multibranch job of a pull request builds the merge unless it is called PR-12-head, and its GIT_COMMIT is then a
    commit that GitHub does not know.
    """
    head = env.get("ghprbActualCommit") or env.get("GITHUB_PR_HEAD_SHA") or ""
    merged = env.get("CHANGE_ID") and not env.get("BRANCH_NAME", "").endswith("-head")
    return head if head or merged else env.get("GIT_COMMIT", "")


def jenkins_branch(env: Env) -> str:
    """Return the branch: the pull request's own, else the job's, without the remote's name."""
    named = env.get("CHANGE_BRANCH") or env.get("ghprbSourceBranch") or env.get("BRANCH_NAME")
    return named or re.sub(r"^(?:refs/remotes/)?origin/", "", env.get("GIT_BRANCH", ""))


def codebuild_pull_request(env: Env) -> str:
    """Return the number in pr/12; a source version without it is a branch or a commit."""
    candidates = (env.get("CODEBUILD_WEBHOOK_TRIGGER", ""), env.get("CODEBUILD_SOURCE_VERSION", ""))
    return next((text for text in candidates if re.fullmatch(r"pr/\d+", text)), "")


def _properties(path: str) -> dict[str, str]:
    """Read a Java properties file as TeamCity writes it; {} when it cannot be read."""
    try:
        text = Path(path).read_text(encoding="latin-1")
    except (OSError, ValueError):
        return {}
    rows = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            rows[key.strip()] = re.sub(r"\\(.)", r"\1", value.strip())
    return rows


def teamcity(env: Env, *names: str) -> str:
    """Return the first of these parameters that TeamCity knows. They are in a file that another file names."""
    build = _properties(env.get("TEAMCITY_BUILD_PROPERTIES_FILE") or "/nonexistent")
    rows = {**_properties(build.get("teamcity.configuration.properties.file") or "/nonexistent"), **build}
    value = next((rows[name] for name in names if rows.get(name)), "")
    return "" if value == "<default>" else value
