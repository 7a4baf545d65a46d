"""init writes the catalog's own files, filled in, and never over something of the user's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from reflect_ci import recipes
from reflect_ci.cli import main
from reflect_ci.recipes import RECIPES, SERVICE_CONNECTION

ROOT = Path(__file__).resolve().parents[3]
PROJECT = ("--project-id", "0123abcd-0123-0123-0123-0123456789ab", "--project-name", "Web shop")


def init(*argv: str) -> int:
    """Run `reflect-ci init` with these arguments."""
    return main(["init", *argv], {})


@pytest.mark.parametrize("platform", RECIPES)
def test_files_filled_in(platform: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The suites and hosts given stand in the files, the examples' are gone, and the next steps are told."""
    assert (
        init(platform, "--suites", "Night-ly shop", "--hosts", "www.acme.io=next.acme.io", "--dir", str(tmp_path)) == 0
    )
    text = "\n".join(path.read_text() for path in tmp_path.rglob("*") if path.is_file())
    for value in ("Night-ly", "shop", "www.acme.io", "next.acme.io"):
        assert value in text, value
    said = capsys.readouterr().out
    for file in RECIPES[platform].files:
        assert f"wrote {file.destination}" in said
        assert (tmp_path / file.destination).is_file()
    assert "Next, for" in said


@pytest.mark.parametrize("platform", RECIPES)
def test_every_slot_is_in_its_source(platform: str) -> None:
    """A slot whose text is no longer in the catalog's file would silently fill in nothing."""
    for file in RECIPES[platform].files:
        text = recipes.source(file.source)
        for slot in (file.suites, file.hosts):
            assert slot is None or text.count(slot.old) == 1, (file.source, slot)
        for unwanted in file.drop:
            assert unwanted in text, (file.source, unwanted)


@pytest.mark.parametrize("platform", RECIPES)
def test_yaml_stays_yaml(platform: str, tmp_path: Path) -> None:
    """What is written can be read, with awkward but allowed ids too, and without hosts it names no example's host."""
    assert init(platform, "--suites", "@odd:id", "--dir", str(tmp_path)) == 0
    for path in tmp_path.rglob("*"):
        if path.suffix in (".yml", ".yaml"):
            documents = list(yaml.safe_load_all(path.read_text()))
            assert documents, path
        if path.is_file() and any(
            file.hosts and path == tmp_path / file.destination for file in RECIPES[platform].files
        ):
            assert not re.search(r"^[^#]*staging\.example\.com", path.read_text(), re.MULTILINE), path


def test_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that differs is neither replaced nor are others written, until --force; equal files are no obstacle."""
    target = tmp_path / ".github" / "workflows" / "reflect.yml"
    target.parent.mkdir(parents=True)
    target.write_text("mine\n")
    assert init("github", "--dir", str(tmp_path)) == 2
    assert target.read_text() == "mine\n"
    assert "exists and differs" in capsys.readouterr().err
    assert init("github", "--dir", str(tmp_path), "--force") == 0
    assert target.read_text() != "mine\n"
    assert init("github", "--dir", str(tmp_path)) == 0


def test_diff_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--diff shows the lines and leaves the folder as it is."""
    assert init("gitlab", "--suites", "checkout", "--dir", str(tmp_path), "--diff") == 0
    assert "+      suites: checkout" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_service_connection(tmp_path: Path) -> None:
    """azure with a project also writes a service connection, valid against its schema."""
    assert init("azure", *PROJECT, "--dir", str(tmp_path)) == 0
    schema = json.loads((ROOT / "schemas" / "azure-service-connection.schema.json").read_text())
    rendered = json.loads((tmp_path / SERVICE_CONNECTION.destination).read_text())
    jsonschema.validate(rendered, schema)
    assert rendered["url"] == "https://api.reflect.run/v1"


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ((), "Say for which platform"),
        (("gitlba",), "Did you mean gitlab?"),
        (("teamcity",), "`shell` fits any other"),
        (("github", "--suites", "a/b"), "cannot be a suite id"),
        (("github", "--hosts", "x"), "NAME=value"),
        (("github", "--dir", "/no/such/folder"), "is no folder"),
        (("github", *PROJECT), "are for azure"),
        (("azure", "--project-id", "7"), "a GUID"),
    ],
)
def test_bad_input(argv: tuple[str, ...], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input ends with 2 and says what to write instead."""
    assert init(*argv, *(() if "--dir" in argv else ("--dir", str(tmp_path)))) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
