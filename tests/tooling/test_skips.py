"""A skip without an agreed reason fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import skips

pytest_plugins = ["pytester"]

README = """# X

## Tests that may be skipped

| test | reason |
|---|---|
| `…test_a` | `no Python … here` |

## Other

| test | reason |
|---|---|
| `…` | `not a reason` |
"""


@pytest.fixture
def readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the hook read a README of this test's own."""
    path = tmp_path / "README.md"
    path.write_text(README)
    monkeypatch.setattr(skips, "README", path)
    return path


@pytest.mark.usefixtures("readme")
@pytest.mark.parametrize(
    ("test", "reason", "allowed"),
    [
        ("x.py::test_a", "no Python 3.9 here", True),
        ("x.py::test_b", "no Python 3.9 here", False),
        ("x.py::test_a", "no Python 3.9 here at all", False),
        ("x.py::test_a", "not a reason", False),
        ("x.py::test_a", "", False),
        ("test", "reason", False),
    ],
)
def test_only_the_table_counts(test: str, reason: str, allowed: bool) -> None:
    """A skip is agreed when a row of that section's table matches all of the test's id and of its reason."""
    assert skips.is_agreed(test, reason) == allowed


def test_without_a_table_nothing_may_be_skipped(readme: Path) -> None:
    """A README without the section allows no skip."""
    readme.write_text("# X\n")
    assert not skips.is_agreed("x.py::test_a", "no Python 3.9 here")


@pytest.mark.usefixtures("readme")
@pytest.mark.parametrize(
    ("body", "failed"),
    [
        ("def test_a(): pytest.skip('no docker')", 1),
        ("@pytest.mark.skip(reason='later')\ndef test_a(): pass", 1),
        ("@pytest.fixture\ndef f(): pytest.skip('no docker')\ndef test_a(f): pass", 1),
        ("def test_a(): pytest.skip('no Python 3.9 here')", 0),
        ("@pytest.mark.xfail\ndef test_a(): assert 0", 0),
    ],
)
def test_skip_in_a_test(pytester: pytest.Pytester, body: str, failed: int) -> None:
    """A skip fails wherever it comes from; an agreed one and an expected failure do not."""
    pytester.makepyfile("import pytest\n" + body)
    pytester.inline_run("-p", "no:cacheprovider", plugins=[skips]).assertoutcome(failed=failed, skipped=1 - failed)


@pytest.mark.usefixtures("readme")
def test_skipped_module(pytester: pytest.Pytester) -> None:
    """A module that skips itself is an error of the collection."""
    pytester.makepyfile("import pytest\npytest.importorskip('no_such_module_at_all')\ndef test_a(): pass")
    assert pytester.inline_run("-p", "no:cacheprovider", plugins=[skips]).ret == pytest.ExitCode.INTERRUPTED
