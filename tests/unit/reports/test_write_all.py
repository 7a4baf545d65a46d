"""All reports are written on every end, as a whole or not at all, without the key."""

from __future__ import annotations

import dataclasses
import os
import stat
import time
from pathlib import Path

import pytest

from reflect_ci import exits, reports
from reflect_ci.model import Outcome
from reflect_ci.redact import Redactor
from reflect_ci.reports import junit
from tests.unit.reports import examples

NAMES = {"junit.xml", "result.json", "summary.md", "report.html", "executions.json"}


def same(text: str) -> str:
    """Redact nothing."""
    return text


@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_every_ending_writes_all_reports(tmp_path: Path, ending: str) -> None:
    """Also the folder is made, and nothing else is left in it."""
    folder = tmp_path / "a" / "b"
    paths, problems = reports.write_all(examples.ENDINGS[ending](), folder, same)
    assert (problems, {path.name for path in paths}) == ([], NAMES)
    assert {path.name for path in folder.iterdir()} == NAMES
    assert all(path.read_text(encoding="utf-8").endswith("\n") for path in paths)


def test_the_names_are_those_of_the_package() -> None:
    """Documents name the reports from one list."""
    assert set(reports.NAMES) == NAMES


def test_the_key_is_in_no_report(tmp_path: Path) -> None:
    """The service may echo it anywhere, with characters that each format escapes, cut by others, or at a text's cut."""
    key = "k3y<&\"'`|]>-*_\\%0A+/ä" * 2
    redact = Redactor()
    redact.add(key)
    outcome = examples.nasty()
    half = len(key) // 2
    texts = {
        "reason": f"refused {key} (403)",
        "suite": key,
        "status": f"{key[:half]}\x1b[0m{key[half:]}",
        "url": f"https://app.reflect.run/{key}",
    }
    hostile = dataclasses.replace(outcome.executions[0], **texts)  # type: ignore[arg-type]  # all of them are text
    hostile.tests[0].name = "x" * 990 + key
    hostile.tests[0].runs[0].failed_steps[0].message = f"{key[:3]}\x00{key[3:]}"
    outcome = dataclasses.replace(outcome, executions=[hostile], message=f"The key {key} was refused.")
    paths, problems = reports.write_all(outcome, tmp_path / "out", redact)
    assert problems == []
    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert redact(text) == text, path.name
        assert "k3y" not in text, path.name
        assert "***" in text or "%2A%2A%2A" in text or "\\*\\*\\*" in text, path.name


def test_a_folder_that_cannot_be_made_is_said_once(tmp_path: Path) -> None:
    """The call goes on, with one sentence that says what to do."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    paths, problems = reports.write_all(examples.ENDINGS["passed"](), tmp_path / "file" / "reports", same)
    assert paths == []
    assert len(problems) == 1
    assert "Not a directory" in problems[0]
    assert "--report-dir" in problems[0]


def test_one_report_that_cannot_be_written_does_not_take_the_others_with_it(tmp_path: Path) -> None:
    """A folder stands in the place of junit.xml."""
    (tmp_path / "junit.xml" / "in the way").mkdir(parents=True)
    paths, problems = reports.write_all(examples.ENDINGS["passed"](), tmp_path, same)
    assert {path.name for path in paths} == NAMES - {"junit.xml"}
    assert len(problems) == 1
    assert problems[0].startswith("junit.xml was not written to ")
    assert {path.name for path in tmp_path.iterdir()} == NAMES


def test_a_defect_in_a_report_is_a_sentence_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict of a long run must not be lost to a mistake of ours; what was there before stays whole."""
    (tmp_path / "junit.xml").write_text("the last run's", encoding="utf-8")

    def broken(outcome: Outcome) -> str:
        raise ZeroDivisionError(outcome.command)

    monkeypatch.setattr(junit, "render", broken)
    _, problems = reports.write_all(examples.ENDINGS["passed"](), tmp_path, same)
    assert len(problems) == 1
    assert "ZeroDivisionError: run" in problems[0]
    assert (tmp_path / "junit.xml").read_text(encoding="utf-8") == "the last run's"


def test_a_report_is_never_seen_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written beside and then put in its place, so a full disk leaves the old file and nothing beside it."""
    (tmp_path / "result.json").write_text("old", encoding="utf-8")

    def full(_self: Path, _target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    paths, problems = reports.write_all(examples.ENDINGS["passed"](), tmp_path, same)
    assert (paths, len(problems)) == ([], 5)
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    assert (tmp_path / "result.json").read_text(encoding="utf-8") == "old"


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_reports_are_as_readable_as_any_new_file(tmp_path: Path) -> None:
    """What publishes the reports often runs as another user."""
    (tmp_path / "plain").touch()
    paths, _ = reports.write_all(examples.ENDINGS["passed"](), tmp_path, same)
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {stat.S_IMODE((tmp_path / "plain").stat().st_mode)}


def test_the_outcome_is_left_as_it_was(tmp_path: Path) -> None:
    """Redaction works on a copy: the runner still needs the true ids."""
    outcome = examples.ENDINGS["failed"]()
    reports.write_all(outcome, tmp_path, lambda _text: "***")
    assert outcome == examples.ENDINGS["failed"]()
    assert outcome.exit is exits.FAILED


def test_a_thousand_executions_are_written_quickly(tmp_path: Path) -> None:
    """The limit is generous, for slow machines: what it would catch is time that grows with the square."""
    begun = time.monotonic()
    paths, problems = reports.write_all(examples.many(), tmp_path, Redactor())
    assert (len(paths), problems) == (5, [])
    assert time.monotonic() - begun < 20
