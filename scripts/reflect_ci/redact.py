"""Keeps the key out of everything that is printed or written, in the spellings in which it could come back."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 4  # shorter "secrets" would blank ordinary text


class Redactor:
    """Replaces secrets in text. Secrets can be added at any time; the longest spelling is replaced first."""

    def __init__(self) -> None:
        self._spellings: list[str] = []

    def add(self, secret: str) -> None:
        """Hide this secret from now on, also URL-encoded, JSON- and HTML-escaped, and in base64."""
        if len(secret) < SHORTEST:
            return
        spellings = {
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            json.dumps(secret)[1:-1],
            html.escape(secret),
            base64.b64encode(secret.encode()).decode(),
        }
        self._spellings = sorted({*self._spellings, *spellings}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without any secret."""
        for spelling in self._spellings:
            if spelling in text:
                text = text.replace(spelling, HIDDEN)
        return text
