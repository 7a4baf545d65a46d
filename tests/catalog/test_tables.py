"""The generated tables of the top README are those of the code."""

from __future__ import annotations

from catalog.tables import with_root_tables
from reflect_ci.exits import EXITS
from reflect_ci.inputs import INPUTS
from tests.conformance.frame import ROOT


def test_tables_of_the_top_readme() -> None:
    """Writing the tables anew changes nothing, and each exit code and variable is in them."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert with_root_tables(text) == text, "run `.venv/bin/python -m catalog --write-tables`"
    for each in EXITS:
        assert f"| {each.code} | {each.word} |" in text
    for row in INPUTS:
        assert f"`{row.env}`" in text
