#!/usr/bin/env python3
"""Wait until a Heroku app's web dynos all run its newest release; print that release and the app's host: `v42 shop.example.com`.

HEROKU_APP and HEROKU_API_KEY are needed; HEROKU_COMMIT: the commit that the newest release must be of;
HEROKU_RELEASE_TIMEOUT: seconds, default 900; HEROKU_API_URL: default https://api.heroku.com.

Exit codes: 1 the release failed, 2 wrong input, 3 the token was refused, 4 no such app, 5 Heroku refused the request,
6 not in time. Needs Python 3.9 or later and nothing else.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Optional

PAUSE = 3.0
RUNNING = ("up", "idle")  # idle: an Eco dyno that sleeps; it starts with the newest release
REFUSALS = {
    401: (3, "Heroku refuses the token: set HEROKU_API_KEY to a valid one (heroku authorizations:create)"),
    403: (3, "the token of HEROKU_API_KEY may not read this app"),
    404: (4, "Heroku knows no such app: look at HEROKU_APP"),
}


class Stop(Exception):
    """An end with its exit code and sentence."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """The token goes to no other address."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class Heroku:
    """Heroku's Platform API, reading only."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token
        self.opener = urllib.request.build_opener(NoRedirect)

    def get(self, path: str, newest: bool = False) -> Any:
        """Return an answer's JSON; None when Heroku gave no usable answer, so that it may be asked again."""
        request = urllib.request.Request(self.url + path)
        request.add_header("Accept", "application/vnd.heroku+json; version=3")
        request.add_unredirected_header("Authorization", f"Bearer {self.token}")
        if newest:
            request.add_header("Range", "version ..; order=desc,max=1")
        try:
            with self.opener.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in REFUSALS:
                raise Stop(*REFUSALS[error.code]) from None
            if error.code < 500 and error.code != 429:
                raise Stop(5, f"Heroku answers {error.code} to GET {path}") from None
        except (OSError, http.client.HTTPException, ValueError):
            pass
        return None


def release_of(heroku: Heroku, app: str, commit: str) -> tuple[Optional[dict[str, Any]], str]:
    """Return the newest release when it is out and of the commit, else None and what is waited for."""
    releases = heroku.get(f"/apps/{app}/releases", newest=True)
    if not releases:
        return None, "an answer of Heroku" if releases is None else "a first release"
    release: dict[str, Any] = max(releases, key=lambda row: int(row["version"]))
    name = f"v{release['version']}"
    if commit:
        slug = heroku.get(f"/apps/{app}/slugs/{release['slug']['id']}") if release.get("slug") else None
        if not slug or not slug.get("commit") or not str(slug["commit"]).startswith(commit):
            return None, f"a release of {commit[:12]} (the newest is {name})"
    if release["status"] in ("failed", "expired"):
        raise Stop(1, f"release {name} {release['status']}: nothing was tested (heroku releases:output {name})")
    return (release, "") if release["status"] == "succeeded" else (None, f"the release phase of {name}")


def not_yet(heroku: Heroku, app: str, version: int) -> str:
    """Return what is waited for, '' when every web dyno runs the release."""
    dynos = heroku.get(f"/apps/{app}/dynos")
    if dynos is None:
        return "an answer of Heroku"
    web = [dyno for dyno in dynos if dyno["type"] == "web"]
    ready = [dyno for dyno in web if dyno["release"]["version"] == version and dyno["state"] in RUNNING]
    return "" if web and len(ready) == len(web) else f"the web dynos on v{version} ({len(ready)} of {len(web)})"


def wait(heroku: Heroku, app: str, commit: str, seconds: float) -> str:
    """Wait for the release and its dynos; return `v42 host`."""
    end = time.monotonic() + seconds
    said, said_at = "", 0.0
    while True:
        release, what = release_of(heroku, app, commit)
        if release:
            what = not_yet(heroku, app, release["version"])
            about = heroku.get(f"/apps/{app}") if not what else None
            host = urllib.parse.urlsplit(str((about or {}).get("web_url"))).netloc
            if host:
                return f"v{release['version']} {host}"
            what = what or "an answer of Heroku"
        if time.monotonic() >= end:
            raise Stop(6, f"not in {seconds:g} s: {what}")
        if what != said or time.monotonic() - said_at > 50:
            said, said_at = what, time.monotonic()
            print(f"reflect: waiting for {what}", file=sys.stderr, flush=True)
        time.sleep(min(PAUSE, max(0.1, end - time.monotonic())))


def main() -> int:
    """Wait as the environment says; the exit code."""
    environ = os.environ
    try:
        app, token = environ.get("HEROKU_APP", "").strip(), environ.get("HEROKU_API_KEY", "").strip()
        for name, value in (("HEROKU_APP", app), ("HEROKU_API_KEY", token)):
            if not value or not value.isascii() or any(sign in value for sign in "$<>{}/ \r\n"):
                raise Stop(2, f"{name} is not set" if not value else f"{name} is no usable value")
        try:
            seconds = float(environ.get("HEROKU_RELEASE_TIMEOUT") or 900)
        except ValueError:
            raise Stop(2, "HEROKU_RELEASE_TIMEOUT is no number of seconds") from None
        heroku = Heroku(environ.get("HEROKU_API_URL") or "https://api.heroku.com", token)
        print(wait(heroku, urllib.parse.quote(app, safe=""), environ.get("HEROKU_COMMIT", "").strip().lower(), seconds))
    except (KeyError, TypeError):
        print("reflect: Heroku's answer is not as it is documented", file=sys.stderr)
        return 5
    except Stop as stop:
        print(f"reflect: {stop}", file=sys.stderr)
        return stop.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
