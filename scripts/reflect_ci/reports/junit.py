"""junit.xml, for the test reports of CI systems: one testsuite an execution, one testcase a test.

The file is red exactly when the call is: whatever is not green without a failed test gets a testcase with an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Optional
from xml.etree import ElementTree as ET

from reflect_ci.model import Execution, Outcome, Test
from reflect_ci.reports.text import clean, failed_runs, green, iso, one_line, safe_url, sentence, verdict, why, word

Element = ET.Element
COUNTS = ("tests", "failures", "errors")


def render(outcome: Outcome) -> str:
    """Return the file's text."""
    totals: Counter[str] = Counter()
    texts = []
    # Each becomes text at once: the elements of a thousand executions would take much memory.
    for suite in _suites(outcome, totals):
        totals.update({name: int(suite.get(name, "0")) for name in COUNTS})
        ET.indent(suite)
        texts.append(ET.tostring(suite, encoding="unicode"))
    root = ET.Element("testsuites", name="Reflect", time=_time(outcome.ended_at - outcome.started_at))
    for name in COUNTS:
        root.set(name, str(totals[name]))
    root.text = "\n"
    begin, end = ET.tostring(root, encoding="unicode").rsplit("</", 1)
    return "\n".join(['<?xml version="1.0" encoding="UTF-8"?>', begin.rstrip("\n"), *texts, f"</{end}", ""])


def _suites(outcome: Outcome, totals: Counter[str]) -> Iterator[Element]:
    for execution in outcome.executions:
        yield _suite(execution, outcome)
    red = totals["failures"] + totals["errors"]
    if not outcome.executions or (outcome.exit.code and not red):
        yield _call(outcome)


def _suite(execution: Execution, outcome: Outcome) -> Element:
    suite = ET.Element("testsuite", name=one_line(execution.suite) or "suite", time=_time(execution.seconds))
    stamp = iso(execution.started_at)
    if stamp:
        suite.set("timestamp", stamp[:19])
    url = safe_url(execution.url)
    rows = {"execution": execution.id, "url": url, "verdict": word(execution), "build": safe_url(outcome.build_url)}
    properties = ET.SubElement(suite, "properties")
    for name, value in rows.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=one_line(value))
    names = Counter(test.title for test in execution.tests)
    for test in execution.tests:
        # Readers merge testcases of one name, so the same test twice gets its place in the execution.
        name = test.title if names[test.title] == 1 else f"{test.title} ({test.instance})"
        suite.append(_case(test, one_line(name), suite.get("name", "")))
    _ending(suite, execution, outcome)
    if url:
        ET.SubElement(suite, "system-out").text = url
    return _counted(suite)


def _case(test: Test, name: str, suite: str) -> Element:
    known = [run.run_time for run in test.runs if run.run_time is not None]
    case = ET.Element("testcase", name=name or "test", classname=f"reflect.{suite}", time=_time(sum(known) / 1000))
    if test.status == "failed":
        text = "\n".join(f"step {step.index}: {step.message}" for run in failed_runs(test) for step in run.failed_steps)
        ET.SubElement(case, "failure", type="failed", message=one_line(why(test))).text = clean(text)
    elif test.status != "passed":
        what = "was canceled" if test.status == "canceled" else "did not finish"
        ET.SubElement(case, "error", type=test.status or "unfinished", message=f"The test {what}.")
    lines = [f"page: {safe_url(test.url)}"] if safe_url(test.url) else []
    for number, run in enumerate(test.runs, start=1):
        words = [f"run {number}", run.browser, run.status, safe_url(run.video_url)]
        lines.append(" ".join(one_line(word) for word in words if word))
    if lines:
        ET.SubElement(case, "system-out").text = "\n".join(lines)
    return case


def _ending(suite: Element, execution: Execution, outcome: Outcome) -> None:
    """Add a testcase for an ending that no test shows."""
    shown = any(case.find("failure") is not None or case.find("error") is not None for case in suite.iter("testcase"))
    waiting = execution.exit is None and not outcome.exit.code and not outcome.waited
    if green(execution) or waiting:
        if not execution.tests:
            why_not = (
                "It was started, and not waited for."
                if not outcome.waited
                else "It ran no test, which is allowed here."
            )
            _extra(suite, "skipped", word(execution), execution.reason or why_not)
        return
    if shown and execution.exit is not None and execution.exit.word == "failed":
        return
    _extra(suite, "error", word(execution), execution.reason or f"The execution ended as {word(execution)}.")


def _call(outcome: Outcome) -> Element:
    """Return a testsuite for what belongs to no execution: a refused key, wrong arguments, an interruption."""
    suite = ET.Element("testsuite", name="reflect-ci", time=_time(outcome.ended_at - outcome.started_at))
    kind = "error" if outcome.exit.code else "skipped"
    _extra(suite, kind, verdict(outcome), outcome.message or sentence(outcome), name=outcome.command or "run")
    return _counted(suite)


def _extra(suite: Element, kind: str, word: str, message: str, name: str = "execution") -> None:
    case = ET.SubElement(suite, "testcase", name=name, classname=f"reflect.{suite.get('name')}", time="0")
    ET.SubElement(case, kind, type=word, message=one_line(message))


def _counted(suite: Element) -> Element:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(kind) is not None for case in cases)))
    return suite


def _time(seconds: Optional[float]) -> str:
    # Neither an exponent nor NaN: the schema wants plain digits.
    return f"{seconds:.3f}" if seconds is not None and 0 <= seconds < 1e9 else "0.000"
