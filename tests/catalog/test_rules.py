"""Every rule of the checker has examples that it accepts and refuses, and the catalog itself breaks none."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from catalog.platforms import load_platforms
from catalog.readers import read_inputs
from catalog.rule import Rule, all_rules, findings
from catalog.tree import ROOT, Tree
from sync_bootstrap import bootstrap, renewed

EXAMPLES = Path(__file__).parent
RULES = {rule.id: rule for rule in all_rules()}
CATALOG = Tree(ROOT)  # one for all rules, so that each file is read once


def examples(kind: str) -> list[object]:
    """Return a parameter set for every example tree of a kind."""
    return [
        pytest.param(RULES[id_], path, id=f"{id_}-{path.name}")
        for id_ in RULES
        for path in sorted((EXAMPLES / id_).glob(f"{kind}*"))
    ]


@pytest.mark.parametrize("id_", RULES)
def test_has_examples(id_: str) -> None:
    """A rule has a sentence and at least one example of each kind."""
    assert RULES[id_].sentence.endswith(".")
    for kind in ("accepted", "refused"):
        assert list((EXAMPLES / id_).glob(f"{kind}*")), f"no {kind} example in tests/catalog/{id_}"


def test_no_stray_examples() -> None:
    """Every folder of examples belongs to a rule (a renamed rule takes its examples along)."""
    assert {path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(RULES)


@pytest.mark.parametrize(("rule", "path"), examples("accepted"))
def test_accepts(rule: Rule, path: Path) -> None:
    """The rule finds nothing in a tree that keeps it."""
    assert [finding.message for _, finding in findings(Tree(path), [rule])] == []


@pytest.mark.parametrize(("rule", "path"), examples("refused"))
def test_refuses(rule: Rule, path: Path) -> None:
    """The rule finds what breaks it, and its message is a sentence about it."""
    found = [finding for _, finding in findings(Tree(path), [rule])]
    assert found
    assert all(finding.message for finding in found)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_catalog_keeps_the_rule(rule: Rule) -> None:
    """The catalog's own files keep the rule."""
    found = [f"{f.path.relative_to(ROOT)}:{f.line}: {f.message}" for _, f in findings(CATALOG, [rule])]
    assert found == []


def test_copy_of_the_bootstrap_is_renewed_at_its_indentation() -> None:
    """A copy inside a YAML block gets the source's lines, each indented as the copy was; blank lines stay blank."""
    old = "a:\n    # reflect-bootstrap: begin\n    old\n    # reflect-bootstrap: end\nb: 1\n"
    new = renewed(old, "# reflect-bootstrap: begin\nnew\n\nlines\n# reflect-bootstrap: end")
    assert new == "a:\n    # reflect-bootstrap: begin\n    new\n\n    lines\n    # reflect-bootstrap: end\nb: 1\n"


def test_bootstrap_source_has_its_marks() -> None:
    """The source without marker lines is an error, not an empty bootstrap."""
    with pytest.raises(ValueError, match="marker"):
        bootstrap("exec reflect-ci\n")


@pytest.mark.parametrize(
    ("text", "read", "names"),
    [
        ('{"inputs": [{"name": "apiUrl", "default": 5}]}', {"json": "inputs[]"}, {"apiUrl": "5"}),
        ("a\nparam one\nparam two\n", {"regex": r"(?m)^param (\w+)"}, {"one": None, "two": None}),
        ("x", {"environment": True}, None),
    ],
)
def test_readers(text: str, read: dict[str, object], names: dict[str, str | None] | None) -> None:
    """Each reader finds the names and defaults where its path leads."""
    assert read_inputs([], text, read) == names


def test_reader_of_json_inside_yaml() -> None:
    """A text in a YAML file that holds JSON is read through."""
    document = {"spec": {"arguments": '{"properties": {"suites": {"type": "string", "default": false}}}'}}
    assert read_inputs([document], "", {"yaml": "spec.arguments|json.properties.*"}) == {"suites": "false"}


@pytest.mark.parametrize("read", [{"yaml": "a.b.*"}, {"nonsense": 1}, {"yaml": "a"}])
def test_reader_that_finds_nothing_says_so(read: dict[str, object]) -> None:
    """A path that leads nowhere is an error, not an empty list of inputs."""
    with pytest.raises(ValueError, match=r"no inputs at|no such reader|must end"):
        read_inputs([{"a": 1}], "", read)


@pytest.mark.parametrize("row", ["{title: A, spelling: shouting}", "{title: A, spelling: env, colour: red}"])
def test_platform_row_that_is_not_understood(tmp_path: Path, row: str) -> None:
    """A misspelt row of platforms.yaml is refused with the platform's name."""
    path = tmp_path / "platforms.yaml"
    path.write_text(f"acme: {row}\n")
    with pytest.raises(ValueError, match="acme"):
        load_platforms(path)


PLATFORMS = json.loads((ROOT / "schemas" / "platforms.schema.json").read_text())


@pytest.mark.parametrize(
    "path",
    [ROOT / "scripts" / "catalog" / "platforms.yaml", *sorted(EXAMPLES.rglob("platforms.yaml"))],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_platforms_are_what_their_schema_says(path: Path) -> None:
    """Each platforms.yaml validates against its schema."""
    jsonschema.validate(yaml.safe_load(path.read_text()), PLATFORMS)


@pytest.mark.parametrize(
    "row",
    [
        "{title: Acme}",
        "{title: Acme, spelling: shouting}",
        "{title: Acme, spelling: env, inputs: []}",
        "{title: Acme, spelling: env, inputs: [{path: a, command: run, read: {yaml: inputs}}]}",
        "{title: Acme, spelling: env, inputs: [{path: a, command: walk, read: {environment: true}}]}",
        "{title: Acme, spelling: env, inputs: [{path: a, command: run, read: {environment: true}, omit: {tunnel: ''}}]}",
    ],
)
def test_schema_of_platforms_refuses(row: str) -> None:
    """A row that says nothing useful is refused: no spelling, no path to the inputs, no reason."""
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"acme": yaml.safe_load(row)}, PLATFORMS)
