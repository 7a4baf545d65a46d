"""report.html is one file that needs and runs nothing, whatever is in it."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from reflect_ci import exits
from reflect_ci.model import Outcome
from reflect_ci.reports import page
from tests.unit.reports import examples

VOID = {"meta"}
TAGS = frozenset(
    re.findall(
        r"\w+", "html head meta title style body main header h1 span p dl div dt dd details summary a ul li ol code"
    )
)


class Reader(HTMLParser):
    """Collects elements, and fails on one that is not closed where it should be."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def read(outcome: Outcome) -> Reader:
    """Read the page that the outcome becomes."""
    return Reader(page.render(outcome))


@pytest.mark.parametrize("ending", examples.ENDINGS)
def test_every_ending_is_a_whole_page_with_its_message(ending: str) -> None:
    """The page says what happened and what to do."""
    outcome = examples.ENDINGS[ending]()
    reader = read(outcome)
    assert outcome.message in reader.text
    assert {tag for tag, _ in reader.elements} <= TAGS


def test_hostile_text_stays_text() -> None:
    """Nothing but the page's own elements and attributes comes out, and no link to a scheme but http."""
    reader = read(examples.nasty())
    assert {tag for tag, _ in reader.elements} <= TAGS
    names = {name for _, attributes in reader.elements for name in attributes}
    assert names <= {"lang", "charset", "name", "content", "http-equiv", "class", "open", "href", "rel"}
    assert [attributes["href"] for tag, attributes in reader.elements if tag == "a"] == []
    assert "<script>alert(1)</script>" in reader.text
    assert "\x1b" not in reader.text


def test_it_needs_no_network_and_allows_none() -> None:
    """The policy forbids everything but the page's own style sheet, which it names by its hash."""
    text = page.render(examples.ENDINGS["failed"]())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert policy and style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in policy[1]
    assert not re.search(r"url\(|@import|src=", text)


def test_failed_steps_and_links_are_shown() -> None:
    """A failed test has its step of how many, its message, its page and its video."""
    reader = read(examples.ENDINGS["failed"]())
    assert "BuildGitHub Actions" in reader.text
    assert "step 4 of 14 Visual Observe Failed - image difference exceeds limit" in reader.text
    links = [attributes["href"] for tag, attributes in reader.elements if tag == "a"]
    assert {
        "https://app.reflect.run/suites/checkout/executions/47",
        "https://videos.example/2641.mp4",
        "https://staging.example/one",
    } <= set(links)


def test_with_many_executions_only_the_red_ones_are_open_and_they_come_first() -> None:
    """A page of a thousand is still read at a glance."""
    details = [attributes for tag, attributes in read(examples.many()).elements if tag == "details"]
    assert len(details) == 1000
    assert ["open" in attributes for attributes in details] == [True] * 100 + [False] * 900


def test_it_fits_a_phone_and_a_dark_screen() -> None:
    """The page follows the width of the screen and the colours that its reader has chosen."""
    text = page.render(examples.outcome(exits.PASSED, examples.execution()))
    assert 'name="viewport" content="width=device-width' in text
    assert "prefers-color-scheme:dark" in text
    assert "max-width:36rem" in text
