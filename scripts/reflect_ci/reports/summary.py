"""summary.md: the verdict as Markdown, for job summaries and comments. Failed tests come first."""

from __future__ import annotations

import re

from reflect_ci.model import Execution, Outcome, Run
from reflect_ci.reports.text import (
    clean,
    duration,
    failures,
    green,
    one_line,
    plural,
    safe_url,
    sentence,
    tally,
    verdict,
    word,
    worst_first,
)

# Below every system's limit (GitHub 1 MiB for a step), with room for what else is there.
LIMIT = 900_000
LONGEST = 1_000
_RESERVE = 400
_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>$=:\"'^])")
_SIGNS = {"passed": "✅", "started": "🚀", "skipped": "⏭️", "done": "✅", "unfinished": "⏳", "failed": "❌"}


def escape(text: str) -> str:
    """Return text that Markdown shows as it is: no link, no HTML, no table cell, no mention."""
    text = one_line(text)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
    text = text.replace("&", "&amp;").replace("<", "&lt;")
    text = _PUNCTUATION.sub(r"\\\1", text)
    # A word joiner, because GitHub finds mentions after all else has been read.
    return text.replace("@", "@\u2060").replace("www\\.", "www\u2060\\.")


def link(text: str, url: str) -> str:
    """Return a link when the address is http or https, else the text."""
    address = safe_url(clean(url))
    # safe_url leaves no parenthesis and no blank, which could end the address.
    return f"[{escape(text)}]({address})" if address else escape(text)


def sign(name: str) -> str:
    """Return the sign of a verdict."""
    return _SIGNS.get(name, "⚠️")


class _Page:
    """Lines up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self.room, self.lines = limit - _RESERVE, list[str]()

    def add(self, *lines: str, keep: int = 0) -> bool:
        size = sum(len(line.encode("utf-8", "replace")) + 1 for line in lines)
        if size > self.room - keep:
            return False
        self.room -= size
        self.lines += lines
        return True


def render(outcome: Outcome, limit: int = LIMIT) -> str:
    """Return the page, at most limit bytes long; '' when not even its heading fits."""
    page = _Page(min(limit, LIMIT))
    name = verdict(outcome)
    if not page.add(f"## {sign(name)} Reflect: {escape(name)}", ""):
        return ""
    page.add(escape(outcome.message or sentence(outcome)), "")
    failed = [
        f"- {link(test.title, _video(test.runs) or execution.url)} in {escape(execution.name)}: {escape(why)}"
        for execution, test, why in failures(outcome.executions)
    ]
    if failed:
        # The table below must get its part of the room.
        _some(page, ["### Failed tests", ""], failed, "failed test", keep=page.room // 2)
    if outcome.executions:
        head = ["| Verdict | Suite | Tests | Duration | Why |", "| --- | --- | --- | --- | --- |"]
        _some(page, head, [_row(execution) for execution in worst_first(outcome.executions)], "execution")
    return "\n".join(page.lines).rstrip("\n") + "\n"


def _some(page: _Page, head: list[str], rows: list[str], noun: str, keep: int = 0) -> None:
    if not page.add(*head, keep=keep):
        return
    shown = 0
    for row in rows:
        if not page.add(row, keep=keep):
            break
        shown += 1
    if shown < len(rows):
        # From the reserve, so it always fits.
        page.lines += ["", f"… and {plural(len(rows) - shown, f'more {noun}')}: see result.json."]
    page.lines.append("")


def _video(runs: list[Run]) -> str:
    return next((run.video_url for run in reversed(runs) if safe_url(run.video_url)), "")


def _row(execution: Execution) -> str:
    name = word(execution)
    why = "" if green(execution) and execution.tests else execution.reason
    cells = (
        f"{sign(name)} {escape(name)}",
        link(execution.name, execution.url),
        escape(tally(execution)) or " ",
        escape(duration(execution.seconds)) or " ",
        escape(why) or " ",
    )
    return f"| {' | '.join(cells)} |"
