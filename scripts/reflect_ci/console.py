"""What a call says: display and the CI system's own output together, one at a time, with the key hidden in all of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from reflect_ci import ci, display
from reflect_ci.model import Execution, Outcome
from reflect_ci.redact import Redactor


class _Hidden:
    """A stream that redacts each write; display and native output write whole lines."""

    def __init__(self, stream: TextIO, redact: Redactor):
        self._stream = stream
        self._redact = redact

    def write(self, text: str) -> int:
        """Write the text without secrets; characters that the stream cannot encode are replaced."""
        text = self._redact(text)
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
        except (BrokenPipeError, OSError, ValueError):
            pass  # nobody reads any more; the verdict and the reports still count
        return len(text)

    def flush(self) -> None:
        """Flush, unless nobody reads."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Tell whether a person watches."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's own number."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:
        """The stream's encoding."""
        return self._stream.encoding or "ascii"


class Console:
    """Thread-safe front of display and native output."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]):
        self.redact = Redactor()
        self.system = ci.detect(environ)
        self._lock = threading.RLock()
        self._stream = _Hidden(stream, self.redact)
        self._native = ci.native(self.system, environ, self._line)
        self._display = display.make(self._stream, environ, self._native.defuse)  # type: ignore[arg-type]  # has what display uses of a TextIO

    def _line(self, text: str) -> None:
        with self._lock:
            self._stream.write(text + "\n")
            self._stream.flush()

    def hide(self, secret: str) -> None:
        """Keep the secret out of everything from now on; the CI system is told first, so its own log hides it too."""
        if secret:
            self._native.mask(secret)  # the only place where it is written; systems take it out of the log
            self.redact.add(secret)

    def note(self, text: str) -> None:
        """Say something."""
        with self._lock:
            self._display.note(self.redact(text))

    def warn(self, text: str) -> None:
        """Say what may be wrong, also in the system's own way."""
        with self._lock:
            self._native.warning(self.redact(text))
            self._display.warn(self.redact(text))

    def error(self, text: str) -> None:
        """Say what is wrong, also in the system's own way."""
        with self._lock:
            self._native.problem(self.redact(text))
            self._display.error(self.redact(text))

    def started(self, execution: Execution) -> None:
        """Say that it was started."""
        with self._lock:
            self._display.started(execution)

    def progress(self, executions: Sequence[Execution]) -> None:
        """Show how far they are."""
        with self._lock:
            self._display.progress(executions, time.time())

    def ended(self, execution: Execution) -> None:
        """Say how it ended."""
        with self._lock:
            self._display.ended(execution)

    def group(self, title: str) -> None:
        """Begin a collapsible part."""
        with self._lock:
            self._native.group(title)

    def end_group(self) -> None:
        """End the part begun last."""
        with self._lock:
            self._native.end_group()

    def finished(self, outcome: Outcome, paths: Sequence[Path]) -> None:
        """Hand over outputs, then say the verdict last."""
        with self._lock:
            self._native.finished(outcome, list(paths), self.redact)
            self._display.finished(outcome, paths)
            self._display.close()
            self._stream.flush()
