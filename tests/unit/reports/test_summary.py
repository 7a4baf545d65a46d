"""summary.md shows the verdict, and nothing that others wrote becomes Markdown."""

from __future__ import annotations

from markdown_it import MarkdownIt
from markdown_it.token import Token

from reflect_ci import exits
from reflect_ci.reports import summary
from tests.unit.reports import examples


def tokens(text: str) -> list[Token]:
    """Every token, those inside of lines too."""
    blocks = MarkdownIt("commonmark").enable("table").parse(text)
    return [token for block in blocks for token in (block, *(block.children or []))]


def shown(text: str) -> str:
    """Return what a reader of the page sees."""
    return "".join(token.content for token in tokens(text) if token.type in ("text", "text_special", "code_inline"))


def test_failed_tests_come_before_the_table() -> None:
    """Whoever opens a job's page sees first what failed and why."""
    text = summary.render(examples.ENDINGS["several"]())
    assert text.index("Failed tests") < text.index("| Verdict |")
    assert "Check out in mobile/12: step 4: Visual Observe Failed - image difference exceeds limit" in shown(text)
    assert "The service refused the request (400): bad host." in shown(text)


def test_red_rows_come_first() -> None:
    """A thousand green rows do not hide the red one."""
    rows = [line for line in summary.render(examples.ENDINGS["several"]()).splitlines() if line.startswith("| ")]
    assert ["mobile" in rows[2], "admin" in rows[3], "checkout" in rows[4]] == [True, True, True]


def test_links_lead_to_the_execution_and_the_video() -> None:
    """Both are one click away."""
    links = [
        token.attrGet("href")
        for token in tokens(summary.render(examples.ENDINGS["failed"]()))
        if token.type == "link_open"
    ]
    assert links == ["https://videos.example/2641.mp4", "https://app.reflect.run/suites/checkout/executions/47"]


def test_hostile_text_stays_text() -> None:
    """No link, image, HTML, code, emphasis or further cell comes out of names, messages and reasons."""
    text = summary.render(examples.nasty())
    found = {token.type for token in tokens(text)}
    assert not found & {
        "link_open",
        "image",
        "html_inline",
        "html_block",
        "code_inline",
        "fence",
        "strong_open",
        "em_open",
        "hr",
    }
    assert "<script>" in shown(text)
    assert len([token for token in tokens(text) if token.type == "td_open"]) == 5
    assert "<" not in text
    assert "@everyone" not in text
    assert "\x1b" not in text


def test_a_link_cannot_be_broken_out_of() -> None:
    """Parentheses, quotes and blanks in an address are escaped."""
    url = 'https://app.reflect.run/x) [click](https://evil.example/ "t") <b>'
    row = examples.execution(exits.PASSED, examples.row())
    row.url = url
    links = [
        token.attrGet("href")
        for token in tokens(summary.render(examples.outcome(exits.PASSED, row)))
        if token.type == "link_open"
    ]
    assert len(links) == 1
    assert str(links[0]).startswith("https://app.reflect.run/x%29%20%5Bclick%5D%28https://evil.example/")


def test_a_large_call_keeps_to_the_limit_and_says_what_is_left_out() -> None:
    """A page over the limit would be dropped as a whole by the CI system."""
    text = summary.render(examples.many(5000, tests=1), limit=100_000)
    assert 90_000 < len(text.encode()) <= 100_000
    assert "more failed tests: see result.json." in text
    assert "more executions: see result.json." in text
    assert "| Verdict |" in text


def test_the_limit_is_below_that_of_github() -> None:
    """Without a limit of its own a page still fits into a job's summary."""
    assert summary.LIMIT < 1024 * 1024
    assert len(summary.render(examples.many(9000, tests=1)).encode()) <= summary.LIMIT


def test_a_small_limit_is_kept() -> None:
    """The job's page may be nearly full already."""
    for limit in (0, 100, 500, 700, 1500):
        assert len(summary.render(examples.many(100), limit).encode()) <= limit
    assert summary.render(examples.many(100), 100) == ""


def test_a_thousand_executions_fit() -> None:
    """The usual large call is shown as a whole."""
    text = summary.render(examples.many())
    assert "more executions" not in text
    assert text.count("suite\\-") == 1100
