"""Text of the user -> value, each with a sentence that says what to write instead. No request is made here.

Every function takes the text and the input's name as people wrote it, and raises Stop(usage).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

from reflect_ci.errors import usage
from reflect_ci.model import Commit

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SUITE = re.compile(r"[^\s/\\\"'`$;<>|&(){}\[\]?#%*!^,]+")
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s/:@?#\[\]\"'<>$(){}]+)(:\d{1,5})?")
_NAMED = re.compile(r"\s*([A-Za-z_][\w.-]*):(?:\s+(.*)|\s*$)")
_COMMIT = re.compile(r"([\w.-]+)/([\w.-]+)@([0-9A-Fa-f]{7,64})")
LONGEST = 24 * 3600.0


def duration(text: str, name: str) -> float:
    """Return seconds from 90s, 30m, 1h30m, or a bare number of seconds; more than zero, a day at most."""
    match = _DURATION.fullmatch(text.strip().lower())
    if text.strip().isdigit():
        seconds = float(text)
    elif match and any(match.groups()):
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        seconds = hours * 3600 + minutes * 60 + rest
    else:
        raise usage(f"{name}: {text!r} is no length of time. Write it as 90s, 30m or 1h30m.")
    if not 0 < seconds <= LONGEST:
        raise usage(f"{name}: {text!r} must be more than zero and at most 24h.")
    return seconds


def flag(text: str, name: str) -> bool:
    """Return True or False from true/false, yes/no, on/off, 1/0 in any case."""
    word = text.strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0"):
        return False
    raise usage(f"{name}: {text!r} is neither true nor false. Write true or false.")


def count(text: str, name: str) -> int:
    """Return a whole number of zero or more."""
    if not text.strip().isdigit():
        raise usage(f"{name}: {text!r} is no whole number. Write 0 for all at once, or 1, 2, 3 …")
    return int(text)


def choice(text: str, name: str, choices: tuple[str, ...]) -> str:
    """Return one of the choices."""
    word = text.strip().lower()
    if word not in choices:
        raise usage(f"{name}: {text!r} is not known. Write {' or '.join(choices)}.")
    return word


def words(text: str) -> list[str]:
    """Split a list that came through one variable: spaces, commas and lines separate."""
    return [word for word in re.split(r"[\s,]+", text) if word]


def handed_on(text: str) -> list[str]:
    """Return the words of a list of executions; the JSON of another step's output `executions` is taken as well."""
    if not text.lstrip().startswith("["):
        return words(text)
    try:
        return [f"{row['suite']}/{row['id']}" for row in json.loads(text) if row["id"]]
    except (ValueError, KeyError, TypeError):
        raise usage(
            "executions: this is not the JSON of the output `executions`. Write SUITE/ID, for example regression-tests/47."
        ) from None


def suite(text: str, name: str) -> str:
    """Return the suite id to the letter, or say why it cannot be one."""
    if not text.strip():
        raise usage(
            f"{name}: a suite id is empty. Write the ID that the suite's page shows, for example regression-tests."
        )
    if text in (".", "..") or not _SUITE.fullmatch(text) or not text.isprintable():
        raise usage(
            f"{name}: {text!r} cannot be a suite id. Write the ID that the suite's page shows, for example "
            "regression-tests (no spaces, slashes, quotes or $); separate several ids by spaces."
        )
    return text


def execution(text: str, name: str) -> tuple[str, str]:
    """Return (suite, id) from SUITE/ID."""
    suite_id, slash, number = text.partition("/")
    if not slash or not suite_id or not re.fullmatch(r"[\w.-]+", number):
        raise usage(f"{name}: {text!r} is no execution. Write it as SUITE/ID, for example regression-tests/47.")
    return suite(suite_id, name), number


def content(text: str, name: str) -> str:
    """Return the text, or the content of FILE for @FILE."""
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise usage(
            f"{name}: the file {text[1:]!r} cannot be read ({_why(error)}). Give a readable UTF-8 file after @."
        ) from None


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not UTF-8 text"


def json_value(text: str, name: str) -> Any:
    """Return the parsed JSON, numbers as numbers."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = (
            f"line {error.lineno}, column {error.colno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else "it is nested too deeply"
        )
        raise usage(
            f"{name}: this is no valid JSON ({where}). Check quotes and commas, or give the JSON in a file as @FILE."
        ) from None


def pairs(text: str, name: str, named_lines: bool = True) -> dict[str, str]:
    """Return NAME -> value from NAME=value lines, `NAME: value` lines (named_lines) or a JSON object; text stays text."""
    text = content(text, name)
    if text.lstrip().startswith("{"):
        return _object(text, name)
    result: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, value = _pair(line, name, named_lines)
        if key in result:
            raise usage(f"{name}: {key!r} is given twice. Give each name once.")
        result[key] = value
    return result


def _pair(line: str, name: str, named_lines: bool) -> tuple[str, str]:
    named = _NAMED.fullmatch(line) if named_lines else None
    if named:
        return named[1], _unquoted((named[2] or "").strip())
    key, equals, value = line.partition("=")
    if not equals or not key.strip():
        raise usage(
            f"{name}: the line {line.strip()!r} has no NAME=value. Write one NAME=value a line, or a JSON object."
        )
    return key.strip(), value.rstrip("\r")


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _object(text: str, name: str) -> dict[str, str]:
    def once(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) < len(items):
            raise usage(f"{name}: a name is given twice in the JSON object. Give each name once.")
        return dict(items)

    try:
        parsed = json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=once)
    except (ValueError, RecursionError):
        parsed = json_value(text, name)
    result = {}
    for key, value in parsed.items():
        if isinstance(value, bool):
            value = "true" if value else "false"
        if not isinstance(value, str):
            raise usage(f"{name}: the value of {key!r} must be text. Write it in quotes.")
        result[key] = value
    return result


def hosts(text: str, name: str) -> list[dict[str, str]]:
    """Return the API's hostname overrides from original=replacement, one a line or separated by commas."""
    text = content(text, name)
    if not text.lstrip().startswith("{"):
        text = text.replace(",", "\n")
        text = "\n".join(piece for line in text.splitlines() for piece in line.split())
    given = pairs(text, name, named_lines=False)
    return [{"original": host(old, name), "replacement": host(new, name)} for old, new in given.items()]


def host(text: str, name: str) -> str:
    """Return host or host:port; a URL is reduced to that."""
    text = text.strip()
    if "://" in text:
        text = urlsplit(text).netloc.rpartition("@")[2]
    text = text.rstrip("/")
    match = _HOST.fullmatch(text)
    if not match or (match[2] and int(match[2][1:]) > 65535):
        raise usage(
            f"{name}: {text!r} is no host name. Write original=replacement, for example prod.example.com=staging.example.com."
        )
    return text


def cookies(text: str, name: str) -> list[dict[str, Any]]:
    """Return the API's cookie objects from NAME=value lines or a JSON array of objects with name and value."""
    text = content(text, name)
    if not text.lstrip().startswith("["):
        return [{"name": key, "value": value} for key, value in pairs(text, name).items()]
    parsed = json_value(text, name)
    for cookie in parsed:
        if (
            not isinstance(cookie, dict)
            or not isinstance(cookie.get("name"), str)
            or not isinstance(cookie.get("value"), str)
        ):
            raise usage(
                f'{name}: each cookie needs a name and a value as text, as in [{{"name": "session", "value": "abc"}}].'
            )
    return list(parsed)


def overrides(text: str, name: str) -> dict[str, Any]:
    """Return the raw overrides object."""
    parsed = json_value(content(text, name), name)
    if not isinstance(parsed, dict):
        raise usage(
            f'{name}: this must be a JSON object, as in {{"hostnames": [{{"original": "a.com", "replacement": "b.com"}}]}}.'
        )
    misplaced = sorted({"overrides", "variables", "gitHub", "mobileAppOverrides"} & set(parsed))
    if misplaced:
        raise usage(
            f"{name}: {misplaced[0]!r} does not belong in it. Give only what stands under the API's `overrides`; variables, commit and mobile-apps are inputs of their own."
        )
    return parsed


def commit(text: str, name: str) -> Optional[Commit]:
    """Return the commit of owner/repo@sha, None for `none`. `auto` is the caller's."""
    if text.strip().lower() == "none":
        return None
    match = _COMMIT.fullmatch(text.strip())
    if not match:
        raise usage(
            f"{name}: {text!r} is no commit. Write auto, none, or owner/repo@sha with 7 to 64 hexadecimal digits."
        )
    return Commit(match[1], match[2], match[3])


def web_url(text: str, name: str) -> str:
    """Return an http or https URL without user name, query or fragment problems, or say what to write."""
    text = text.strip()
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise usage(f"{name}: {text!r} is no URL. Write it in full, as in https://staging.example.com.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or re.search(r"\s", text):
        raise usage(f"{name}: {text!r} is no URL. Write it in full, as in https://staging.example.com.")
    if parts.username or parts.password:
        raise usage(f"{name}: the URL holds a user name or password, which would end up in logs. Write it without.")
    return text


def api_url(text: str, name: str) -> str:
    """Return the base URL of the API without a trailing slash."""
    url = web_url(text, name)
    parts = urlsplit(url)
    if parts.query or parts.fragment:
        raise usage(f"{name}: {text!r} must be a base URL without ? or #, as in https://api.reflect.run/v1.")
    if re.search(r"/suites(/|$)", parts.path):
        raise usage(
            f"{name}: {text!r} goes too deep. Write the base URL, as in https://api.reflect.run/v1; the suite is an input of its own."
        )
    return url.rstrip("/")
