"""Command line and environment -> Settings. All bad input is refused here, before any request, as Stop(usage)."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional

from reflect_ci import inputs, parse
from reflect_ci.errors import usage
from reflect_ci.inputs import BY_NAME, Input
from reflect_ci.model import Commit
from reflect_ci.placeholders import PLACEHOLDERS, UNMISTAKABLE, cure_of

# Values in which a lone $NAME may be meant (a password, say): only unmistakable placeholders are refused there.
_FREE = ("variables", "parameters", "cookies", "headers", "local-storage", "session-storage", "overrides")


@dataclass
class Settings:
    """The inputs of one call as values. commit: 'auto', or None for none. Times in seconds."""

    command: str
    key: str = ""
    suites: list[str] = field(default_factory=list)
    executions: list[tuple[str, str]] = field(default_factory=list)
    from_file: str = ""
    api_url: str = inputs.DEFAULT_API_URL
    body: dict[str, Any] = field(default_factory=dict)
    commit: Optional[Commit] = None
    auto_commit: bool = True
    wait: bool = True
    allow_empty: bool = False
    timeout: float = 1800.0
    leave: bool = False
    wait_for_url: str = ""
    cancel_older: bool = False
    concurrency: int = 0
    report_dir: Path = Path("reflect-report")
    skip_without_key: bool = False


class Values:
    """Where a row's text comes from: command line, environment, default."""

    def __init__(self, args: argparse.Namespace, environ: Mapping[str, str]):
        self._args = args
        self._environ = environ

    def text(self, name: str) -> str:
        """Return the row's text; placeholders are refused."""
        row = BY_NAME[name]
        given = getattr(self._args, row.snake, None)
        if isinstance(given, list):
            given = "\n".join(given) if given else None
        text = str(given) if given is not None else self._environ.get(row.env) or ""
        _refuse_placeholder(row, text)
        return text or row.default

    def words(self, name: str) -> list[str]:
        """Return a list row: arguments to the letter, or the variable split."""
        row = BY_NAME[name]
        given = getattr(self._args, row.snake, None)
        split = parse.handed_on if name == "executions" else parse.words
        found: list[str] = list(given) if given else split(self._environ.get(row.env, ""))
        _refuse_placeholder(row, " ".join(found))
        return list(dict.fromkeys(found))


def _refuse_placeholder(row: Input, text: str) -> None:
    if not text:
        return
    values = text.splitlines() if row.kind == "pairs" else [text]
    for value in values:
        value = value.partition("=")[2] if row.kind == "pairs" and "=" in value else value
        cure = cure_of(value, UNMISTAKABLE if row.name in _FREE else PLACEHOLDERS)
        if cure:
            # A key is not shown, even one that looks like a placeholder.
            what = f"{row.env} holds a placeholder that" if row.secret else f"{row.name}: {value.strip()!r}"
            raise usage(f"{what} was never filled in; {cure}.")


def read(command: str, args: argparse.Namespace, environ: Mapping[str, str]) -> Settings:
    """Return the call's settings, or raise Stop(usage) with what to write instead."""
    refuse_misspelt(environ)
    values = Values(args, environ)
    has = {row.name for row in inputs.for_command(command)}
    settings = Settings(command)
    settings.api_url = parse.api_url(values.text("api-url"), "api-url")
    if "suites" in has:
        settings.suites = [parse.suite(word, "suites") for word in values.words("suites")]
        settings.body = _body(values)
        text = values.text("commit").strip()
        settings.auto_commit = text.lower() == "auto"
        settings.commit = None if settings.auto_commit else parse.commit(text, "commit")
    if "executions" in has:
        settings.executions = [parse.execution(word, "executions") for word in values.words("executions")]
        settings.from_file = values.text("from-file")
    if "timeout" in has:
        settings.timeout = parse.duration(values.text("timeout"), "timeout")
        settings.leave = _choice(values, "on-timeout") == "leave"
        settings.allow_empty = parse.flag(values.text("allow-empty"), "allow-empty")
        settings.report_dir = Path(values.text("report-dir"))
    if "wait" in has:
        settings.wait = parse.flag(values.text("wait"), "wait")
        settings.cancel_older = _choice(values, "conflict") == "cancel"
        settings.concurrency = parse.count(values.text("concurrency"), "concurrency")
        settings.skip_without_key = _choice(values, "missing-key") == "skip"
        url = values.text("wait-for-url")
        settings.wait_for_url = parse.web_url(url, "wait-for-url") if url else ""
    settings.key = key(values)
    return settings


def _choice(values: Values, name: str) -> str:
    return parse.choice(values.text(name), name, BY_NAME[name].choices)


def _body(values: Values) -> dict[str, Any]:
    """Return the request's body without the commit; named inputs are merged over the raw overrides."""
    raw = values.text("overrides")
    over = parse.overrides(raw, "overrides") if raw.strip() else {}
    hosts = parse.hosts(values.text("hosts"), "hosts")
    named: dict[str, Sequence[Any]] = {
        "hostnames": hosts,
        "parameters": _items(values, "parameters"),
        "cookies": parse.cookies(values.text("cookies"), "cookies"),
        "headers": _items(values, "headers"),
        "localStorage": _items(values, "local-storage"),
        "sessionStorage": _items(values, "session-storage"),
    }
    over.update({member: list(items) for member, items in named.items() if items})
    tunnel = values.text("tunnel").strip()
    if tunnel:
        over["agent"] = {"name": tunnel}
    body: dict[str, Any] = {"overrides": over} if over else {}
    variables = parse.pairs(values.text("variables"), "variables")
    if variables:
        body["variables"] = variables
    mobile = parse.pairs(values.text("mobile-apps"), "mobile-apps", named_lines=False)
    if mobile:
        body["mobileAppOverrides"] = mobile
    return body


def _items(values: Values, name: str) -> list[dict[str, str]]:
    """Return the API's key/value items. Item names as in the API's prose and in a client's localStorage."""
    return [{"key": key_, "value": value} for key_, value in parse.pairs(values.text(name), name).items()]


def key(values: Values) -> str:
    """Return the API key from the file or the environment, '' when none is given; refuse one that cannot be a key."""
    path = values.text("api-key-file")
    if path:
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise usage(
                f"api-key-file: {path!r} cannot be read ({why}). Give the path of a file that holds only the key."
            ) from None
        source = f"the file {path!r}"
        if not text.strip():
            raise usage(f"api-key-file: {path!r} is empty. Write the API key into it.")
        cure = cure_of(text.strip(), PLACEHOLDERS)
        if cure:  # what the file holds is not shown: nothing hides it yet
            raise usage(f"api-key-file: what REFLECT_API_KEY_FILE names, {path!r}, was never filled in; {cure}.")
    else:
        text = values.text("api-key")
        source = "REFLECT_API_KEY"
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise usage(f"{source} holds quotes around the key. Store the key without them.")
    if any(char.isspace() or not char.isprintable() or ord(char) > 126 for char in text):
        raise usage(
            f"{source} holds spaces, line breaks or other characters that no key has. Store the key alone, on one line."
        )
    return text


# Variables that begin like inputs and are none: read by the bootstrap and by native outputs.
_OTHERS = (
    "REFLECT_RUNNER", "REFLECT_CACHE_DIR", "REFLECT_AZURE_PUBLISH",
    "REFLECT_VERDICT", "REFLECT_EXIT_CODE", "REFLECT_EXECUTION_ID", "REFLECT_EXECUTION_URL",
)  # fmt: skip

# Azure Pipelines shows a later step the output executionUrl of a step named `reflect` under such a name.
_OUTPUTS_OF_AZURE = ("REFLECT_EXECUTIONID", "REFLECT_EXECUTIONURL", "REFLECT_REPORTDIR")


def refuse_misspelt(environ: Mapping[str, str]) -> None:
    """Refuse REFLECT_… variables that are nearly, but not quite, an input."""
    known = [row.env for row in inputs.INPUTS]
    for name, value in environ.items():
        if not name.startswith("REFLECT_") or name in known or name in _OTHERS or not value:
            continue
        if name in _OUTPUTS_OF_AZURE and environ.get("TF_BUILD"):
            continue
        import difflib

        close = difflib.get_close_matches(name, known, 1, 0.88)
        if close:
            raise usage(f"{name} is no input. Did you mean {close[0]}?")
