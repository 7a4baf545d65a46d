"""What runs Heroku's files here: honcho for the Procfile, /bin/sh for app.json's scripts, and a stand-in of the Platform API."""

from __future__ import annotations

import json
import re
import shutil
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.conformance.frame import ROOT, path_with_runner

FOLDER = ROOT / "tasks" / "heroku"
SAMPLES = FOLDER / "samples"


def version() -> str:
    """Return the engine's name and version, as the matrix names it."""
    pinned = re.search(r'"honcho==([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert pinned
    return f"honcho {pinned[1]} (the Procfile's release command)"


def slug(tmp: Path, procfile: str | None = None) -> Path:
    """Make an app's folder: the scripts in reflect/, and a Procfile (default: the sample's)."""
    app = tmp / "app"
    shutil.copytree(FOLDER / "reflect", app / "reflect", ignore=shutil.ignore_patterns("__pycache__"))
    (app / "Procfile").write_text(procfile or (SAMPLES / "Procfile").read_text())
    return app


def release(app: Path) -> Sequence[str | Path]:
    """Return the command that runs the Procfile's release command."""
    return [sys.executable, "-m", "honcho", "--app-root", app, "start", "--no-prefix", "--no-colour", "release"]


def environ(tmp: Path, config: Mapping[str, str]) -> dict[str, str]:
    """Return a dyno's environment: its own, then the config vars."""
    base = {"PATH": path_with_runner(), "HOME": str(tmp), "TMPDIR": str(tmp), "LANG": "C.UTF-8", "DYNO": "release.1234"}
    return {**base, "PYTHONUNBUFFERED": "1", "REFLECT_RUNNER": "installed", **config}


@dataclass
class Platform:
    """A stand-in of Heroku's Platform API for one app. `script` holds, for a path, the answers in their order (the last stays).

    An answer is a status and what is sent as JSON; a text is sent as it is.
    """

    script: dict[str, list[tuple[int, Any]]]
    token: str = "t0ken-of-the-stand-in"
    calls: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def __enter__(self) -> Platform:
        """Start it."""
        platform = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                platform.calls.append((self.path, self.headers.get("Authorization", "")))
                status, body = platform.answer(self.path, self.headers)
                data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", f"{platform.url}/elsewhere")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.server.shutdown()
        self.server.server_close()

    def answer(self, path: str, headers: Any) -> tuple[int, Any]:
        """Return the next answer of a path."""
        if path.startswith("/releases/"):  # a route of the app itself, which asks for no token
            return (200 if path == "/releases/v42" else 404), {}
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"id": "unauthorized"}
        if headers.get("Accept") != "application/vnd.heroku+json; version=3":
            return 406, {"id": "not_acceptable"}
        rows = self.script.get(path)
        if not rows:
            return 404, {"id": "not_found"}
        return rows.pop(0) if len(rows) > 1 else rows[0]


def row(version_: int, status: str = "succeeded", slug_id: str | None = "s1") -> dict[str, Any]:
    """Return a release as the API gives it."""
    return {
        "version": version_,
        "status": status,
        "slug": {"id": slug_id} if slug_id else None,
        "description": "Deploy 0123456",
    }


def dyno(version_: int, state: str = "up", type_: str = "web") -> dict[str, Any]:
    """Return a dyno as the API gives it."""
    return {"type": type_, "state": state, "release": {"id": "r", "version": version_}}
