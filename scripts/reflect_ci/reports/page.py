"""report.html: one file without scripts and without network, for people. Everything in it is escaped."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Optional

from reflect_ci.ci.systems import SYSTEMS
from reflect_ci.exits import PASSED
from reflect_ci.model import Execution, Outcome, Run, Test
from reflect_ci.reports.style import STYLE
from reflect_ci.reports.text import (
    clean,
    counted,
    duration,
    failed_runs,
    green,
    iso,
    one_line,
    plural,
    safe_url,
    sentence,
    tally,
    verdict,
    word,
    worst_first,
)

# Up to this many executions the green ones are open as well.
OPEN = 3
_ORDER = {"failed": 0, "canceled": 1, "pending": 2, "passed": 3}
_KINDS = {"passed": "good", "done": "good", "started": "quiet", "skipped": "quiet", "failed": "bad"}


def render(outcome: Outcome) -> str:
    """Return the page."""
    name = verdict(outcome)
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    executions = worst_first(outcome.executions)
    body = [_header(outcome, name), *(_execution(execution, len(executions)) for execution in executions)]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'">
<title>{_text(f"Reflect: {name}")}</title>
<style>{STYLE}</style>
</head>
<body class="{_kind(name)}">
<main>
{chr(10).join(body)}
</main>
</body>
</html>
"""


def _text(value: str) -> str:
    return escape(one_line(value), quote=True)


def _kind(name: str) -> str:
    return _KINDS.get(name, "warn")


def _link(text: str, url: str) -> str:
    address = safe_url(url)
    if not address:
        return _text(text)
    return f'<a href="{escape(address, quote=True)}" rel="noopener noreferrer">{_text(text)}</a>'


def _badge(name: str) -> str:
    return f'<span class="badge {_kind(name)}">{_text(name)}</span>'


def _header(outcome: Outcome, name: str) -> str:
    commit = outcome.commit
    counts = counted(outcome.executions)
    passed = sum(execution.exit is PASSED for execution in outcome.executions)
    rows = [
        (
            "Executions",
            f"{passed} of {len(outcome.executions)} passed" if outcome.waited else f"{len(outcome.executions)} started",
        ),
        ("Tests", f"{counts['passed']} of {counts['total']} passed" if counts["total"] else ""),
        ("Duration", duration(outcome.ended_at - outcome.started_at)),
        ("Ended", _when(outcome.ended_at)),
        ("Exit code", str(outcome.exit.code)),
    ]
    facts = [(term, _text(value)) for term, value in rows if value]
    if outcome.ci:
        title = next((row.title for row in SYSTEMS if row.name == outcome.ci), outcome.ci)
        facts.append(("Build", _link(title, outcome.build_url)))
    if commit:
        facts.append(("Commit", f"<code>{_text(f'{commit.owner}/{commit.repo}@{commit.sha[:8]}')}</code>"))
    items = "".join(f"<div><dt>{term}</dt><dd>{value}</dd></div>" for term, value in facts)
    return f"""<header>
<h1><span class="product">Reflect</span> {_badge(name)}</h1>
<p class="message">{_text(outcome.message or sentence(outcome))}</p>
<dl>{items}</dl>
</header>"""


def _when(seconds: Optional[float]) -> str:
    stamp = iso(seconds)
    return f"{stamp[:10]} {stamp[11:16]} UTC" if stamp else ""


def _execution(execution: Execution, total: int) -> str:
    name = word(execution)
    opened = "" if green(execution) and total > OPEN else " open"
    facts = " · ".join(filter(None, (tally(execution), duration(execution.seconds))))
    reason = "" if green(execution) and execution.tests else execution.reason
    parts = [f'<p class="reason">{_text(reason)}</p>'] if reason else []
    if safe_url(execution.url):
        parts.append(f"<p>{_link('Open in Reflect', execution.url)}</p>")
    tests = sorted(execution.tests, key=lambda test: _ORDER.get(test.status, 2))
    if tests:
        parts.append(f'<ul class="tests">{"".join(_test(test) for test in tests)}</ul>')
    return f"""<details class="execution {_kind(name)}"{opened}>
<summary>{_badge(name)}<span class="name">{_text(execution.name)}</span><span class="facts">{_text(facts)}</span></summary>
<div class="inside">{"".join(parts)}</div>
</details>"""


def _test(test: Test) -> str:
    known = [run.run_time for run in test.runs if run.run_time is not None]
    browsers = ", ".join(dict.fromkeys(run.browser for run in test.runs if run.browser))
    facts = [
        browsers,
        duration(sum(known) / 1000) if known else "",
        plural(len(test.runs), "run") if len(test.runs) > 1 else "",
    ]
    lines = [
        _badge("unfinished" if test.status == "pending" else test.status),
        f'<span class="name">{_text(test.title)}</span>',
    ]
    lines.append(f'<span class="facts">{_text(" · ".join(filter(None, facts)))}{_videos(test.runs)}</span>')
    steps = _steps(test) if test.status == "failed" else ""
    page = f'<p class="page">{_link(clean(test.url), test.url)}</p>' if steps and safe_url(test.url) else ""
    return f'<li class="{_kind(test.status)}">{"".join(lines)}{page}{steps}</li>'


def _videos(runs: list[Run]) -> str:
    shown = [(number, run) for number, run in enumerate(runs, start=1) if safe_url(run.video_url)]
    if len(shown) == 1:
        return f" {_link('Video', shown[0][1].video_url)}"
    return "".join(f" {_link(f'Video {number}', run.video_url)}" for number, run in shown)


def _steps(test: Test) -> str:
    runs = failed_runs(test)
    rows = []
    for run in runs:
        browser = f"{run.browser}, " if len(runs) > 1 and run.browser else ""
        of = f" of {run.step_count}" if run.step_count else ""
        for step in run.failed_steps:
            message = escape(clean(step.message)) or "failed"
            rows.append(f'<li><span class="step">{_text(f"{browser}step {step.index}{of}")}</span> {message}</li>')
    return (
        f'<ol class="steps">{"".join(rows)}</ol>' if rows else '<p class="page">The service names no failed step.</p>'
    )
