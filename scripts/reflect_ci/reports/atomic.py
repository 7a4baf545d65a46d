"""Files that are there as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path


def write(path: Path, text: Iterable[str]) -> None:
    """Write the text, whole or in parts, into a new file in the same folder, then put it in the path's place.

    Not by tempfile: its files are for the owner alone, and a report is read by whatever publishes it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("x", encoding="utf-8", newline="\n", errors="replace") as file:
            file.writelines([text] if isinstance(text, str) else text)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def reason(error: BaseException) -> str:
    """Return why a file could not be written or read, without its path."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
