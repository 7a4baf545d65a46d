"""Each CI system is known by its real variables, and the right commit is found in them.

The cases are files in environments/: another case is another entry there.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reflect_ci import ci
from reflect_ci.ci import commits
from reflect_ci.ci.systems import SYSTEMS

FOLDER = Path(__file__).with_name("environments")
CASES: dict[str, dict[str, Any]] = {
    f"{path.stem}: {row['case']}": row
    for path in sorted(FOLDER.glob("*.yaml"))
    for row in yaml.safe_load(path.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("name", CASES)
def test_a_system_is_read_from_its_variables(name: str, tmp_path: Path) -> None:
    """Name, page, branch, pull request, revision and commit on GitHub are what the case says."""
    case = CASES[name]
    for file, text in case.get("files", {}).items():
        (tmp_path / file).write_text(text.replace("{files}", str(tmp_path)), encoding="latin-1")
    environ = {key: value.replace("{files}", str(tmp_path)) for key, value in case["variables"].items()}
    if "event" in case or "event_text" in case:
        event = tmp_path / "event.json"
        event.write_text(case.get("event_text") or json.dumps(case["event"], default=str), encoding="utf-8")
        environ["GITHUB_EVENT_PATH"] = str(event)
    system = ci.detect(environ)
    seen = {field: getattr(system, field) for field in ("name", "title", "build_url", "branch", "sha", "pull_request")}
    seen["commit"] = f"{system.commit.owner}/{system.commit.repo}@{system.commit.sha}" if system.commit else None
    assert seen == case["expect"]


def test_every_system_of_the_table_has_a_case() -> None:
    """A system that is added to the table has to be added here."""
    assert {row.name for row in SYSTEMS} == {case["expect"]["name"] for case in CASES.values()} - {""}


@pytest.mark.parametrize("name", [row.name for row in SYSTEMS])
def test_the_marker_alone_is_enough(name: str) -> None:
    """All other variables may be missing: a container gets only what it is given."""
    marker = next(row.marker[0] for row in SYSTEMS if row.name == name)
    variable, _, value = marker.partition("=")
    system = ci.detect({variable: value or "x"})
    assert (system.name, system.commit, system.sha, system.build_url) == (name, None, "", "")


@pytest.mark.parametrize(
    ("address", "repository"),
    [
        ("https://github.com/octo-org/shop", "octo-org/shop"),
        ("https://github.com/octo-org/shop.git", "octo-org/shop"),
        ("https://x-access-token:secret@github.com/octo-org/shop.js.git", "octo-org/shop.js"),
        ("git@github.com:octo-org/shop.git", "octo-org/shop"),
        ("ssh://git@github.com/octo-org/shop", "octo-org/shop"),
        ("https://github.com/octo-org/shop/pull/12", "octo-org/shop"),
        ("https://gitlab.com/octo-org/shop", ""),
        ("https://notgithub.com/octo-org/shop", ""),
        ("https://github.com.evil.example/octo-org/shop", ""),
        ("https://github.com/octo-org", ""),
        ("", ""),
    ],
)
def test_only_addresses_on_github_name_a_repository(address: str, repository: str) -> None:
    """The service's gitHub member is about github.com alone."""
    assert commits.on_github(address) == repository


@pytest.mark.parametrize("text", ["", "HEAD", "main", "abc", "g" * 40, "0" * 65, "a b"])
def test_no_commit_without_a_hash(text: str) -> None:
    """An empty or symbolic revision would be refused by the service, or reported to the wrong commit."""
    assert commits.commit("octo-org/shop", commits.sha(text)) is None
