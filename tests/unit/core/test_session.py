"""What several threads share in one call."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from reflect_ci.console import Console
from reflect_ci.model import Execution
from reflect_ci.reports import executions as executions_file
from reflect_ci.session import Session
from reflect_ci.settings import Settings

PATIENCE = 30.0


def test_starts_at_the_same_moment_are_all_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two starts that are saved at once are both in the file: the list of the first is not written over the second's."""
    first, second = Execution("a"), Execution("b")
    session = Session(Settings("run", report_dir=tmp_path), Console(io.StringIO(), {}), [first, second])
    writing, started = threading.Event(), threading.Event()
    really = executions_file.write

    def slowly(rows: Sequence[Execution], directory: Path) -> None:
        if len(rows) == 1:
            writing.set()
            started.wait(1)  # without a lock the second start overtakes here
        really(rows, directory)

    monkeypatch.setattr("reflect_ci.session.executions_file.write", slowly)
    first.id = "1"
    one = threading.Thread(target=session.started, args=(first,))
    one.start()
    assert writing.wait(PATIENCE)
    second.id = "2"

    def overtake() -> None:
        session.started(second)
        started.set()

    two = threading.Thread(target=overtake)
    two.start()
    one.join(PATIENCE)
    two.join(PATIENCE)
    saved = json.loads((tmp_path / "executions.json").read_text())["executions"]
    assert [(row["suite"], row["id"]) for row in saved] == [("a", "1"), ("b", "2")]
