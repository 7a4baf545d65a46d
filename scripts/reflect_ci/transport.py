"""HTTP by `requests`, imported when first needed. One request in, one Answer or one Unreachable out, never hanging.

Redirects are not followed (they could carry the key elsewhere), cookies are not kept, a body has a size and a time limit.
Proxy variables, NO_PROXY and REQUESTS_CA_BUNDLE work as requests documents them.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import requests

CONNECTIONS = 16
LARGEST_BODY = 16 * 1024 * 1024
CONNECT_LIMIT = 10.0


@dataclass
class Answer:
    """What the service answered. body is the parsed JSON, or None when it was none; text is the start of the raw text."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    text: str = ""

    @property
    def retry_after(self) -> Optional[float]:
        """Seconds that the service asks to wait, from Retry-After as a number or a date; None when it does not ask."""
        value = self.headers.get("retry-after", "").strip()
        if value.isdigit():
            return float(value)
        if value:
            from email.utils import parsedate_to_datetime

            try:
                return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
            except (TypeError, ValueError):
                return None
        return None


class Unreachable(Exception):
    """No complete answer. sent tells whether the request may have reached the service; lasting, that trying again is no use."""

    def __init__(self, why: str, sent: bool, lasting: bool = False):
        super().__init__(why)
        self.why = why
        self.sent = sent
        self.lasting = lasting


class Transport:
    """Sends requests with the key's header, over at most CONNECTIONS connections."""

    def __init__(self, key: str, limit: float, version: str):
        self.limit = limit
        self._headers = {
            "X-API-KEY": key,
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": f"reflect-ci/{version}",
        }
        self._session: Optional[requests.Session] = None
        self._lock = threading.Lock()

    def _open(self) -> requests.Session:
        with self._lock:
            if self._session is None:
                import http.cookiejar

                import requests

                session = requests.Session()
                adapter = requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True)
                session.mount("https://", adapter)
                session.mount("http://", adapter)
                session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
                session.auth = _keep_headers  # else ~/.netrc would be read and sent
                self._session = session
            return self._session

    def send(self, method: str, url: str, body: Any = None, limit: Optional[float] = None) -> Answer:
        """Send one request and return the answer, or raise Unreachable. limit: seconds for all of it."""
        # First, under its lock: Python 3.9 hands a second thread a half-imported package when it comes from a zip file.
        session = self._open()
        import requests

        limit = self.limit if limit is None else limit
        data = None if body is None else json.dumps(body).encode()
        ends = time.monotonic() + limit
        try:
            response = session.request(
                method,
                url,
                data=data,
                headers=self._headers,
                allow_redirects=False,
                stream=True,
                timeout=(min(CONNECT_LIMIT, limit), limit),
                # requests applies the environment's CA file itself unless `verify` is given
            )
        except requests.exceptions.RequestException as error:
            raise _unreachable(error) from None
        except (UnicodeError, ValueError) as error:
            raise Unreachable(
                f"the request could not be made ({type(error).__name__})", sent=False, lasting=True
            ) from None
        try:
            text = _read(response, ends)
        finally:
            response.close()
        return _answer(response.status_code, {k.lower(): v for k, v in response.headers.items()}, text)

    def probe(self, url: str, limit: float) -> int:
        """GET somebody else's page without the key; return its status, 0 when it does not answer."""
        import requests

        try:
            with requests.get(
                url,
                timeout=limit,
                allow_redirects=False,
                stream=True,
                headers={"User-Agent": self._headers["User-Agent"]},
            ) as response:
                return int(response.status_code)
        except (requests.exceptions.RequestException, UnicodeError, ValueError):
            return 0


def _keep_headers(request: Any) -> Any:
    return request


def _read(response: requests.Response, ends: float) -> bytes:
    """Return the body; a slow drip ends at the limit, an endless body at its size."""
    import requests
    import urllib3

    chunks: list[bytes] = []
    size = 0
    try:
        for chunk in _pieces(response):
            chunks.append(chunk)
            size += len(chunk)
            if size > LARGEST_BODY:
                raise Unreachable("the answer is larger than 16 MiB", sent=True)
            if time.monotonic() > ends:
                raise Unreachable("the answer came too slowly", sent=True)
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(_broken(error), sent=True) from None
    return b"".join(chunks)


def _pieces(response: requests.Response) -> Iterator[bytes]:
    """Yield the body as it arrives, so that a drip meets the time limit between its drops."""
    arrived = getattr(response.raw, "read1", None)
    if arrived is None:  # urllib3 before 2.1
        yield from response.iter_content(64)
        return
    while True:
        piece = arrived(65536, decode_content=True)
        if not piece:
            return
        yield piece


def _broken(error: Exception) -> str:
    return (
        "the answer came too slowly"
        if "timed out" in str(error).lower()
        else "the connection broke off inside the answer"
    )


def _answer(status: int, headers: dict[str, str], raw: bytes) -> Answer:
    text = raw.decode("utf-8", "replace")
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    return Answer(status, headers, parsed, text[:2000])


def _unreachable(error: Exception) -> Unreachable:
    """Tell a request that never left from one that may have arrived."""
    import requests

    kinds = requests.exceptions
    text = str(error)
    if isinstance(error, kinds.SSLError):
        cure = _certificate_cure()
        return Unreachable(f"the TLS certificate was not accepted{cure}", sent=False, lasting=True)
    if isinstance(error, kinds.ProxyError):
        return Unreachable("the proxy refused or did not answer: check HTTPS_PROXY and NO_PROXY", sent=False)
    if isinstance(error, kinds.ConnectTimeout):
        return Unreachable("no connection within the time limit", sent=False)
    if isinstance(
        error, (kinds.InvalidURL, kinds.InvalidSchema, kinds.MissingSchema, kinds.InvalidProxyURL, kinds.InvalidHeader)
    ):
        return Unreachable("the URL or the proxy's URL is not valid", sent=False, lasting=True)
    if isinstance(error, kinds.Timeout):
        return Unreachable("no answer within the time limit", sent=True)
    if "NameResolutionError" in text or "Name or service not known" in text or "getaddrinfo failed" in text:
        return Unreachable("the host name could not be resolved", sent=False)
    if "NewConnectionError" in text or "Failed to establish a new connection" in text:
        return Unreachable("the connection was refused", sent=False)
    return Unreachable("the connection broke off before an answer", sent=True)


def _certificate_cure() -> str:
    bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if bundle:
        return f": check that the CA file {bundle} holds the right authority"
    return ": for a private authority set REQUESTS_CA_BUNDLE to its CA file"
