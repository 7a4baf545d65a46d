"""junit.xml is what CI systems accept, and says what the call says."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from reflect_ci import exits
from reflect_ci.model import Outcome
from reflect_ci.reports import junit
from tests.unit.reports import examples

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit.xsd")))


def parsed(outcome: Outcome) -> etree._Element:
    """Read the file that the outcome becomes, after holding it against the schema."""
    root = etree.fromstring(junit.render(outcome).encode())
    SCHEMA.assertValid(root)
    return root


@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_it_is_valid_and_red_exactly_when_the_call_is(ending: str) -> None:
    """Each ending gives a valid file with at least one testcase, and its failures and errors mirror the exit code."""
    outcome = examples.ENDINGS[ending]()
    root = parsed(outcome)
    red = root.xpath("count(//failure | //error)")
    assert bool(red) == bool(outcome.exit.code)
    assert root.xpath("count(//testcase)") >= 1
    assert int(root.get("failures", "")) + int(root.get("errors", "")) == red


@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_the_counts_of_a_testsuite_are_those_of_its_testcases(ending: str) -> None:
    """Systems show the attributes, not what they would count."""
    for suite in parsed(examples.ENDINGS[ending]()).iter("testsuite"):
        for name, path in (
            ("tests", "testcase"),
            ("failures", "testcase/failure"),
            ("errors", "testcase/error"),
            ("skipped", "testcase/skipped"),
        ):
            assert int(suite.get(name, "")) == suite.xpath(f"count({path})"), name


def test_a_failure_names_the_step_and_the_message_and_links_the_video() -> None:
    """Whoever reads only the CI's test report learns why."""
    case = parsed(examples.ENDINGS["failed"]()).xpath("//testcase[failure]")[0]
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "step 4: Visual Observe Failed - image difference exceeds limit"
    assert "https://videos.example/2641.mp4" in case.findtext("system-out")
    assert case.get("time") == "16.126"
    assert case.get("classname") == "reflect.checkout"


def test_one_testsuite_an_execution_and_one_testcase_a_test() -> None:
    """An execution that ended without a test shows its reason as an error."""
    root = parsed(examples.ENDINGS["several"]())
    assert [suite.get("name") for suite in root] == ["checkout", "mobile", "admin"]
    assert [len(suite.findall("testcase")) for suite in root] == [1, 2, 1]
    error = root[2].find("testcase/error")
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("service", "The service refused the request (400): bad host.")


def test_the_execution_is_named_and_linked() -> None:
    """Properties carry the execution's number, its page and the build."""
    suite = parsed(examples.ENDINGS["passed"]())[0]
    rows = {row.get("name"): row.get("value") for row in suite.iter("property")}
    assert rows == {
        "execution": "47",
        "url": "https://app.reflect.run/suites/checkout/executions/47",
        "verdict": "passed",
        "build": "https://github.com/octo/app/actions/runs/1",
    }


def test_the_same_test_twice_stays_two_testcases() -> None:
    """Readers merge testcases of one name, so a repeated test gets its place in the execution."""
    rows = [examples.row(instance="0"), examples.row("failed", instance="3"), examples.row(name="Log in")]
    root = parsed(examples.outcome(exits.FAILED, examples.execution(exits.FAILED, *rows)))
    assert [case.get("name") for case in root.iter("testcase")] == ["Check out (0)", "Check out (3)", "Log in"]


def test_of_several_attempts_the_last_failed_one_of_each_browser_counts() -> None:
    """An attempt that was repeated is not the reason; two browsers are told apart."""
    runs = [
        examples.run("failed", examples.step("first attempt")),
        examples.run("failed", examples.step("second attempt")),
        examples.run("failed", examples.step("other"), browser="Safari"),
    ]
    root = parsed(examples.outcome(exits.FAILED, examples.execution(exits.FAILED, examples.row("failed", runs=runs))))
    assert root.xpath("//failure/@message") == ["Chrome: step 4: second attempt; Safari: step 4: other"]


def test_hostile_text_stays_text() -> None:
    """Control characters are dropped, markup is escaped and no scheme but http becomes a link."""
    text = junit.render(examples.nasty())
    root = parsed(examples.nasty())
    assert "javascript:alert(document.domain)" not in text
    assert "\x1b" not in text
    assert {element.tag for element in root.iter(etree.Element)} <= {
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "system-out",
    }


def test_a_thousand_executions() -> None:
    """A large call is one valid file."""
    root = parsed(examples.many())
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3100", "100", "0")
