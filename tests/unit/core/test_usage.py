"""Bad input ends with code 2 and a sentence, and nothing is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from reflect_ci.inputs import INPUTS, RUN, for_command
from reflect_ci.simulate import Simulator
from tests.unit.core.conftest import KEY, Call

PLACEHOLDERS = (
    "$(ReflectApiKey)", "${{ secrets.REFLECT_API_KEY }}", "${{REFLECT_API_KEY}}", "$REFLECT_API_KEY", "${REFLECT_API_KEY}", "$env:REFLECT_API_KEY",
    "%REFLECT_API_KEY%", "$(params.api-key)", "<< parameters.api_key >>", "<<parameters.api_key>>", "$[[ inputs.api-key ]]", "{{ api_key }}", "<api-key>", "<API-KEY>",
    "<your api key goes here>",
)  # fmt: skip

BAD_CALLS: dict[str, tuple[list[str], dict[str, str], str]] = {
    "unknown option": (["passes", "--frobnicate"], {}, "there is no option --frobnicate"),
    "misspelt option": (["passes", "--timout", "3m"], {}, "Did you mean --timeout?"),
    "abbreviated option": (["passes", "--time", "3m"], {}, "Did you mean --timeout?"),
    "misspelt variable": (["passes"], {"REFLECT_TIMEUOT": "3m"}, "Did you mean REFLECT_TIMEOUT?"),
    "no suite": ([], {}, "reflect-ci run SUITE"),
    "empty suite": ([""], {}, "a suite id is empty"),
    "suite with a slash": (["a/b"], {}, "cannot be a suite id"),
    "suite with a space": (["a b"], {}, "cannot be a suite id"),
    "suites as shell code": ([], {"REFLECT_SUITES": '"; touch pwned; $(id)'}, "cannot be a suite id"),
    "key as argument": (["passes", "--api-key", KEY], {}, "cannot be given as an argument"),
    "key as argument with =": (["passes", f"--api-key={KEY}"], {}, "cannot be given as an argument"),
    "missing key": (["passes"], {"key": ""}, "There is no API key"),
    "key with a line break": (["passes"], {"key": "abc\ndef"}, "on one line"),
    "key in quotes": (["passes"], {"key": f"'{KEY}'"}, "without them"),
    "key file missing": (["passes", "--api-key-file", "/no/such/file"], {"key": ""}, "cannot be read"),
    "key file is a folder": (["passes", "--api-key-file", "/"], {"key": ""}, "cannot be read"),
    "JSON": (["passes", "--overrides", "{"], {}, "no valid JSON"),
    "host without =": (["passes", "--hosts", "prod.example.com"], {}, "NAME=value"),
    "negative timeout": (["passes", "--timeout=-5s"], {}, "Write it as 90s"),
    "wait": (["passes", "--wait", "perhaps"], {}, "Write true or false"),
    "choice": (["passes", "--on-timeout", "explode"], {}, "Write cancel or leave"),
    "api-url": (["passes", "--api-url", "reflect.run"], {}, "Write it in full"),
    "placeholder as suite": (["$(params.suite)"], {}, "was never filled in"),
    "placeholder as suite with spaces": ([], {"REFLECT_SUITES": "${{ inputs.suites }}"}, "was never filled in"),
    "placeholder as host": (["passes", "--hosts", "a.com=$(host)"], {}, "was never filled in"),
    "placeholder as variable": (["passes", "--variables", "A=${{ secrets.A }}"], {}, "was never filled in"),
}


@pytest.mark.parametrize("name", BAD_CALLS)
def test_bad_input(name: str, sim: Simulator, call: Call) -> None:
    """Each ends with 2 and says what to write, before any request."""
    argv, environ, sentence = BAD_CALLS[name]
    ended = call(sim.url, "run", *argv, **environ)
    assert ended.code == 2, ended.text
    assert sentence in " ".join(ended.text.split())
    assert sim.calls == []
    assert "Traceback" not in ended.text
    assert ended.leaks() == []


@pytest.mark.parametrize("text", PLACEHOLDERS)
def test_unexpanded_key(text: str, sim: Simulator, call: Call) -> None:
    """A key that its CI system never filled in is refused with that system's right spelling."""
    ended = call(sim.url, "run", "passes", key=text)
    assert ended.code == 2, ended.text
    assert "was never filled in" in ended.text
    assert sim.calls == []


def test_dollar_in_a_password(sim: Simulator, call: Call) -> None:
    """A lone $word as a variable's value may be meant and is sent as it is."""
    ended = call(sim.url, "run", "passes", "--variables", "PASSWORD=$ecret")
    assert ended.code == 0, ended.text
    assert sim.started[0].body["variables"] == {"PASSWORD": "$ecret"}


def test_skip_without_a_key(sim: Simulator, call: Call) -> None:
    """missing-key=skip ends with 0, says so, and does not claim a verdict."""
    ended = call(sim.url, "run", "passes", "--missing-key", "skip", key="")
    assert ended.code == 0
    assert "Skipped" in ended.text
    assert sim.calls == []
    assert '"verdict": "skipped"' in (ended.reports / "result.json").read_text()


def test_key_from_a_file(sim: Simulator, call: Call, tmp_path: Path) -> None:
    """The key of api-key-file wins over the variable, its last line break aside."""
    path = tmp_path / "key"
    path.write_text("the-key-of-the-file\n")
    assert call(sim.url, "run", "passes", "--api-key-file", str(path), key="wrong-key").code == 0
    assert {each.headers["x-api-key"] for each in sim.calls} == {"the-key-of-the-file"}


def test_every_input_by_option_and_by_variable(sim: Simulator, call: Call) -> None:
    """Every input of `run` is an option in --help with its variable beside it; only the key has no option."""
    text = " ".join(call(sim.url, "run", "--help").text.split())
    for row in for_command(RUN):
        assert row.env in text or row.secret, row.name
        assert f"--{row.name}" in text or row.secret or row.kind == "list", row.name
    assert [row.name for row in INPUTS if row.secret] == ["api-key"]


def test_request_body(sim: Simulator, call: Call) -> None:
    """All overrides reach the service under the API's names, named ones over the raw ones."""
    ended = call(
        sim.url, "run", "passes", "--commit", "acme/shop@0123abc", "--tunnel", "office",
        "--overrides", '{"hostnames": [{"original": "x", "replacement": "y"}], "other": 1}',
        REFLECT_HOSTS="a.com=https://b.com/", REFLECT_VARIABLES="USER=1\nPLAN: free", REFLECT_PARAMETERS="q=1", REFLECT_COOKIES="c=2", REFLECT_HEADERS="H=3",
        REFLECT_LOCAL_STORAGE="l=4", REFLECT_SESSION_STORAGE="s=5", REFLECT_MOBILE_APPS="app.apk=61f2",
    )  # fmt: skip
    assert ended.code == 0, ended.text
    assert sim.started[0].body == {
        "overrides": {
            "hostnames": [{"original": "a.com", "replacement": "b.com"}],
            "other": 1,
            "parameters": [{"key": "q", "value": "1"}],
            "cookies": [{"name": "c", "value": "2"}],
            "headers": [{"key": "H", "value": "3"}],
            "localStorage": [{"key": "l", "value": "4"}],
            "sessionStorage": [{"key": "s", "value": "5"}],
            "agent": {"name": "office"},
        },
        "variables": {"USER": "1", "PLAN": "free"},
        "mobileAppOverrides": {"app.apk": "61f2"},
        "gitHub": {"owner": "acme", "repo": "shop", "sha": "0123abc"},
    }
