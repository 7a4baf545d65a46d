"""result.json and executions.json keep to their schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reflect_ci import exits
from reflect_ci.reports import executions, result, write_all
from tests.unit.reports import examples

SCHEMAS = Path(__file__).parents[3] / "schemas"


def schema_of(name: str) -> dict[str, Any]:
    """Return the schema that the project ships."""
    schema: dict[str, Any] = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return schema


def validator(name: str) -> jsonschema.Draft202012Validator:
    """Return what checks against that schema."""
    schema = schema_of(name)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def rendered(ending: str) -> dict[str, Any]:
    """Read the file that this ending becomes."""
    data: dict[str, Any] = json.loads(result.render(examples.ENDINGS[ending]()))
    return data


@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_every_ending_keeps_to_the_schema(ending: str) -> None:
    """Programs may rely on the schema whatever the end was."""
    validator("result").validate(rendered(ending))


def test_the_schema_knows_every_exit_code_and_word() -> None:
    """A code that is added to the table has to be added to the schema."""
    properties = schema_of("result")["properties"]
    assert {each.code for each in exits.EXITS} == set(properties["exitCode"]["enum"])
    words = {each.word for each in (*exits.EXITS, exits.STARTED, exits.SKIPPED)}
    assert words | {"done"} == set(properties["verdict"]["enum"])


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        ("passed", "passed"),
        ("started", "started"),
        ("skipped", "skipped"),
        ("canceled-as-asked", "done"),
        ("several", "service"),
        ("empty-allowed", "passed"),
    ],
)
def test_exit_code_zero_is_not_always_passed(ending: str, verdict: str) -> None:
    """Neither what was only started, nor what was skipped, may be read as a verdict of the suite."""
    assert rendered(ending)["verdict"] == verdict


def test_a_failed_test_has_its_step_and_video() -> None:
    """The file has what the service said, to the letter."""
    data = rendered("failed")
    run = data["executions"][0]["tests"][1]["runs"][0]
    assert run["failedSteps"] == [{"index": "4", "message": "Visual Observe Failed - image difference exceeds limit"}]
    assert (run["seconds"], run["startedAt"]) == (16.126, "2022-02-01T17:02:43.077Z")
    assert data["counts"] == {"total": 2, "passed": 1, "failed": 1, "canceled": 0, "pending": 0}
    assert (data["startedAt"], data["endedAt"], data["seconds"]) == (
        "2025-11-25T22:16:40.000Z",
        "2025-11-25T22:17:50.000Z",
        70,
    )


def test_numbers_that_are_none_become_null(tmp_path: Path) -> None:
    """NaN and times outside of any calendar are not JSON, and hostile text stays one string."""
    paths, problems = write_all(examples.nasty(), tmp_path, lambda text: text)
    assert problems == []
    for path in paths:
        if path.suffix == ".json":
            validator(path.stem).validate(json.loads(path.read_text(encoding="utf-8")))
    run = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))["executions"][0]["tests"][0]["runs"][0]
    assert (run["seconds"], run["startedAt"], run["videoUrl"]) == (None, None, "")


def test_executions_round_trip(tmp_path: Path) -> None:
    """What run wrote, wait and cancel read; what was not started is not in it."""
    outcome = examples.ENDINGS["several"]()
    executions.write(outcome.executions, tmp_path / "new" / "folder")
    path = tmp_path / "new" / "folder" / "executions.json"
    validator("executions").validate(json.loads(path.read_text(encoding="utf-8")))
    assert executions.read(path) == [
        ("checkout", "47", "https://app.reflect.run/suites/checkout/executions/47"),
        ("mobile", "12", "https://app.reflect.run/suites/mobile/executions/12"),
    ]


def test_a_file_without_executions_is_an_empty_list(tmp_path: Path) -> None:
    """The file is written before anything is started, so a clean-up step may find it empty."""
    executions.write([], tmp_path)
    assert executions.read(tmp_path / "executions.json") == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read: No such file"),
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", 'has no list "executions"'),
        ('{"version": 1, "executions": {}}', 'has no list "executions"'),
        ('{"version": 2, "executions": []}', 'says "version": 2'),
        ('{"version": 1, "executions": [7]}', 'execution 1 has no "suite"'),
        (
            '{"version": 1, "executions": [{"suite": "a", "id": "1"}, {"suite": "b", "id": 47}]}',
            'execution 2 has no "id"',
        ),
        ('{"version": 1, "executions": [{"suite": " ", "id": "1"}]}', 'execution 1 has no "suite"'),
        ('{"version": 1, "executions": [{"suite": "a", "id": "1", "url": 5}]}', 'the "url" of execution 1'),
    ],
)
def test_a_wrong_file_is_refused_with_what_to_write(tmp_path: Path, text: str | None, said: str) -> None:
    """Each defect has its sentence, which says what to write instead."""
    path = tmp_path / "executions.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"Name the executions\.json|Write ") as caught:
        executions.read(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_byte_order_mark_is_no_defect(tmp_path: Path) -> None:
    """Editors on Windows put one before the text."""
    path = tmp_path / "executions.json"
    path.write_text('\ufeff{"version": 1, "executions": [{"suite": "a", "id": "1"}]}', encoding="utf-8")
    assert executions.read(path) == [("a", "1", "")]
