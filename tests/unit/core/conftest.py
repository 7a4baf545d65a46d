"""What the tests of the runner's core share: a call of the runner inside this process, against the simulated service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from reflect_ci.cli import main
from reflect_ci.simulate import Simulator

KEY = "K3yThatMustNotLeakAnywhere0123456789abcd"
REPORTS = ("junit.xml", "result.json", "summary.md", "report.html", "executions.json")


@dataclass
class Ended:
    """What one call left behind."""

    code: int
    text: str
    reports: Path

    def leaks(self) -> list[str]:
        """Return where the key can be read: 'output' or the name of a report."""
        files = {path.name: path.read_text(encoding="utf-8") for path in self.reports.glob("*") if path.is_file()}
        return [name for name, text in {"output": self.text, **files}.items() if KEY in text]


Call = Callable[..., Ended]


@pytest.fixture(autouse=True)
def no_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the machine that the tests run on must not stand between them and the simulated service."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """The built-in simulated service."""
    with Simulator() as service:
        yield service


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Return a function that runs `reflect-ci` with these arguments; url is the service's."""

    def run(url: str, *argv: str, key: str = KEY, **environ: str) -> Ended:
        reports = tmp_path / "report"
        given: dict[str, Any] = {
            "REFLECT_API_URL": url,
            "REFLECT_REPORT_DIR": str(reports),
            "REFLECT_API_KEY": key,
            **environ,
        }
        code = main(list(argv), {name: value for name, value in given.items() if value})
        seen = capsys.readouterr()
        return Ended(code, seen.out + seen.err, reports)

    return run
