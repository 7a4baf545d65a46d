"""The scenario file: what is accepted and refused, by the loader that users meet and by the JSON Schema alike."""

from __future__ import annotations

import copy
import json
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from reflect_ci.simulate import ScenarioError, scenarios
from reflect_ci.simulate.builtin import SUITES
from reflect_ci.simulate.load import load

SCHEMA = json.loads((Path(__file__).parents[3] / "schemas" / "scenario.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

ACCEPTED: list[dict[str, Any]] = [
    {},
    {"suites": {}},
    {"suites": SUITES},
    {"built-in": False, "keys": {"refuse": ["old"]}, "faults": {"suites": ["cut"], "tests": [{"status": 500, "times": "always"}]}},
    {"shape": {"suites": "flat", "executions": "flat", "tests": "array", "ids": "text", "words": {"canceled": "cancelled"}}},
    {"suites": {"a": {"name": "A", "takes": 1.5, "status": "never", "tests": 0, "history": ["pending"], "others": 2, "bookmark": "x"}}},
    {"suites": {"a": {"tests": [{"name": "T", "status": "failed", "runs": ["failed"], "action": "x", "url": "y", "failed-steps": {"4": "z"}}]}}},
    {"suites": {"a": {"faults": {"start": [{"answer": "html", "status": 502, "body": "<p>", "delay": 1, "created": True}]}}}},
    {"suites": {"a": {"faults": {"poll": [{"delay": 1}, {"status": 429, "retry-after": "soon"}], "cancel": [{"status": 409, "then": "passed"}]}}}},
]  # fmt: skip

REFUSED: list[tuple[Any, str]] = [
    ([], "scenarios must be an object"),
    ({"suits": {}}, "scenarios has no `suits`. Did you mean suites?"),
    ({"suites": []}, "scenarios.suites must be an object of suite ids"),
    ({"suites": {"a b": {}}}, "'a b' is no suite id"),
    ({"suites": {"": {}}}, "is no suite id"),
    ({"suites": {"a": None}}, "scenarios.suites.a must be an object"),
    ({"suites": {"a": {"colour": 1}}}, "scenarios.suites.a has no `colour`. It takes name, takes, status"),
    ({"suites": {"a": {"takes": "2s"}}}, "scenarios.suites.a.takes must be a number of seconds"),
    ({"suites": {"a": {"takes": -1}}}, "0 or more, not -1"),
    ({"suites": {"a": {"status": "green"}}}, 'must be passed, failed, canceled or never, not "green"'),
    ({"suites": {"a": {"tests": -1}}}, "from 0 to 10000, not -1"),
    ({"suites": {"a": {"tests": [{"status": "never"}]}}}, "tests[0].status must be passed, failed or canceled"),
    ({"suites": {"a": {"tests": [{"failed-steps": {"four": "x"}}]}}}, "must be step numbers with messages"),
    ({"suites": {"a": {"faults": {"begin": []}}}}, "takes start, poll, cancel and list"),
    ({"suites": {"a": {"faults": {"start": "cut"}}}}, 'faults.start must be a list, not "cut"'),
    ({"suites": {"a": {"faults": {"start": ["cutt"]}}}}, "must be cut, hang, drip"),
    ({"suites": {"a": {"faults": {"start": [{"times": 2}]}}}}, "needs one of status, answer or delay"),
    ({"suites": {"a": {"faults": {"start": [{"status": 99}]}}}}, "a whole number from 200 to 599"),
    ({"suites": {"a": {"faults": {"start": [{"status": 500, "times": 0}]}}}}, "a number from 1, or `always`"),
    ({"suites": {"a": {"history": ["running"]}}}, "history[0] must be passed, failed, canceled or pending"),
    ({"keys": {"refuse": "old"}}, "keys.refuse must be a list"),
    ({"shape": {"ids": "numbers"}}, "shape.ids must be number or text"),
    ({"built-in": "no"}, "built-in must be true or false"),
]


def accepted(value: Any) -> bool:
    """Tell whether the loader takes it."""
    try:
        load(value if isinstance(value, dict) else {"suites": {"a": value}})
    except ScenarioError:
        return False
    return True


def test_the_schema_is_one() -> None:
    """The schema itself is valid."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("value", ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepted(value: dict[str, Any]) -> None:
    """Loader and schema accept it."""
    load(value)
    VALIDATOR.validate(value)


@pytest.mark.parametrize(("value", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_refused(value: Any, sentence: str, tmp_path: Path) -> None:
    """Loader and schema refuse it, the loader with a sentence that says where and what to write."""
    file = tmp_path / "scenarios.json"
    file.write_text(json.dumps(value), encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load(file)
    assert sentence in str(refused.value)
    assert not VALIDATOR.is_valid(value)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _places(item, (*path, name))


def _replaced(value: Any, path: tuple[Any, ...], item: Any) -> Any:
    if not path:
        return item
    changed = copy.copy(value)
    changed[path[0]] = _replaced(value[path[0]], path[1:], item)
    return changed


@pytest.mark.parametrize("number", range(len(ACCEPTED)))
def test_loader_and_schema_agree(number: int) -> None:
    """Whatever stands at whatever place: both accept it, or both refuse it."""
    seen = set()
    for path in _places(ACCEPTED[number]):
        if not path:
            continue
        for item in (
            None,
            True,
            -1,
            0,
            3,
            2.5,
            100_000,
            "",
            "text",
            "passed",
            "cut",
            [],
            ["passed"],
            {},
            {"status": 500},
            {"x": 1},
        ):
            value = _replaced(ACCEPTED[number], path, item)
            seen.add(accepted(value))
            assert accepted(value) == VALIDATOR.is_valid(value), (path, item)
    assert number == 0 or seen == {True, False}


def test_the_words_of_the_schema_are_those_of_the_code() -> None:
    """No word is in one of the two only."""
    parts = SCHEMA["$defs"]
    assert parts["kind"]["enum"] == list(scenarios.KINDS)
    assert parts["suite"]["properties"]["status"]["enum"] == list(scenarios.STATUSES)
    shape = SCHEMA["properties"]["shape"]["properties"]
    assert {name: tuple(shape[name]["enum"]) for name in scenarios.SHAPES} == scenarios.SHAPES
    assert list(shape["words"]["properties"]) == list(scenarios.WORDS)


def test_the_documented_example_works() -> None:
    """The example in the module's description is a scenario file, and does what its comments say."""
    text = (scenarios.__doc__ or "").split("schema.json:\n", 1)[1].split("\nA suite also takes", 1)[0]
    value = yaml.safe_load(textwrap.dedent(text))
    VALIDATOR.validate(value)
    found = load(value)
    assert list(found.suites) == ["checkout"]
    assert [answer.status or answer.kind for answer in found.suites["checkout"].faults["start"]] == [429, "cut"]
    for word in (*scenarios.KINDS, *SCHEMA["$defs"]["answer"]["properties"], *SCHEMA["$defs"]["suite"]["properties"]):
        assert word in (scenarios.__doc__ or "") + str(list(scenarios.KINDS)), word


def test_own_suites_are_added(tmp_path: Path) -> None:
    """Own suites come beside the built-in ones and replace one of the same id, from JSON and from YAML alike."""
    value = {"suites": {"mine": {}, "passes": {"status": "failed"}}}
    for name, text in (
        ("s.json", json.dumps(value)),
        ("s.yaml", yaml.safe_dump(value)),
        ("s.yml", yaml.safe_dump(value)),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        found = load(tmp_path / name)
        assert set(found.suites) == {*SUITES, "mine"}
        assert found.suites["passes"].status == "failed"


def test_test_ids_are_unique() -> None:
    """No two tests of the service have the same id."""
    ids = [test.id for suite in load().suites.values() for test in suite.tests]
    assert len(ids) == len(set(ids)) > 100


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("missing.json", None, "cannot be read: No such file"),
        ("bad.json", b"{", "is not JSON"),
        ("bad.json", b"suites: {}", "A YAML file must be named *.yaml"),
        ("bad.yaml", b"suites: {", "is not YAML"),
        ("latin.json", b'{"a": "\xe9"}', "it is not UTF-8 text"),
        ("list.yaml", b"- passes", "scenarios must be an object"),
        ("empty.yaml", b"", "scenarios must be an object"),
        ("number.yaml", b"suites: {7: {}}", "7 is no suite id"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, name: str, data: bytes | None, sentence: str) -> None:
    """A file that cannot be used is named with the reason."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ScenarioError) as refused:
        load(tmp_path / name)
    assert sentence in str(refused.value)


def test_yaml_without_pyyaml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyyaml the sentence says how to get on; JSON still works."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "s.yaml").write_text("suites: {mine: {}}", encoding="utf-8")
    (tmp_path / "s.json").write_text('{"suites": {"mine": {}}}', encoding="utf-8")
    with pytest.raises(ScenarioError, match="pip install pyyaml"):
        load(tmp_path / "s.yaml")
    assert "mine" in load(tmp_path / "s.json").suites
