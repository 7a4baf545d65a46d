"""`reflect-ci collect`, the report of the Tekton Pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflect_ci.cli import main
from reflect_ci.commands.collect import collect, line


def test_all_passed_is_passed() -> None:
    """Only when every suite passed is the word passed."""
    assert collect(["a=passed", "b=passed c=passed"], 2) == (
        "passed",
        [("a", "passed"), ("b", "passed"), ("c", "passed")],
    )


def test_the_worst_comes_first() -> None:
    """The worst word is the verdict, and what did not pass stands before what did."""
    verdict, pairs = collect(["a=passed", "b=failed", "c=timed-out", "d=passed"], 4)
    assert verdict == "timed-out"
    assert [suite for suite, _ in pairs] == ["c", "b", "a", "d"]


def test_a_taskrun_without_a_result_is_lost() -> None:
    """A TaskRun that ended without a verdict is never taken for a passed one."""
    assert collect(["a=passed", ""], 3)[0] == "lost"
    assert collect(["a=passed"], 2)[1][0] == ("?", "lost")
    assert collect([], 0)[0] == "lost"


@pytest.mark.parametrize("text", ["a=great", "a=", "a", "passed"])
def test_an_unknown_word_is_never_passed(text: str) -> None:
    """Anything but a known word counts as bad."""
    assert collect([text, "b=passed"], 2)[0] != "passed"


def test_a_suite_id_may_hold_an_equals_sign() -> None:
    """The last equals sign parts suite and word."""
    assert collect(["a=b=passed"])[1] == [("a=b", "passed")]


def test_a_long_line_is_cut_but_counts_everything() -> None:
    """The results of a TaskRun have 4096 bytes in all; the ones that did not pass are kept longest."""
    text = line([(f"suite-{number}", "failed") for number in range(20)] + [("ä" * 20, "passed")] * 980)
    assert len(text.encode()) <= 3000
    assert text.startswith("suite-0=failed")
    kept = sum("=" in word and not word.startswith("+") for word in text.split())
    assert kept + sum(int(word[1:].partition("=")[0]) for word in text.split() if word.startswith("+")) == 1000


def test_the_command_writes_results_and_ends_with_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is green when suites failed: their TaskRuns are the red ones."""
    environ = {"TEKTON_RESULTS_DIR": str(tmp_path)}
    assert main(["collect", "--expected=3", "--", "a=passed", "b=failed c=passed", "d=passed"], environ) == 0
    assert (tmp_path / "verdict").read_text() == "failed"
    assert (tmp_path / "verdicts").read_text() == "b=failed a=passed c=passed d=passed"
    assert "3 of 4 suites passed: failed." in capsys.readouterr().out


def test_a_count_that_is_none_is_refused() -> None:
    """A reference that Tekton did not resolve must not look like a count."""
    assert main(["collect", "--expected=$(tasks.test.matrix.length)", "--", "a=passed"], {}) == 2
