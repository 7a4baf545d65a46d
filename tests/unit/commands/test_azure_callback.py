"""`reflect-ci azure-callback`: completing an agentless Azure job, whatever Azure answers."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from reflect_ci.cli import main
from reflect_ci.commands import azure_callback
from reflect_ci.errors import Stop
from reflect_ci.simulate import Simulator

TOKEN = "eyJhbGciOiJub25lIn0.the-job-s-own-token.x"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Azure(ThreadingHTTPServer):
    """A plan's events endpoint that answers what it is told to, the last answer for ever."""

    def __init__(self) -> None:
        self.answers = [204]
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.calls.append((self.path, self.headers.get("Authorization", ""), body))
                status = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/my-organisation/"


@pytest.fixture
def azure() -> Iterator[Azure]:
    """Give the endpoint, served in a thread."""
    server = Azure()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the waits short."""
    monkeypatch.setattr("reflect_ci.commands.azure_callback.time.sleep", lambda _: None)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def environ_of(azure: Azure, **changes: str) -> dict[str, str]:
    """Return what the Task gives to the command."""
    return {
        "AZURE_PLAN_URL": azure.url,
        "AZURE_PLAN_URLS": f"https://dev.azure.com/else/ {azure.url}",
        "AZURE_PROJECT_ID": ID,
        "AZURE_HUB_NAME": "build",
        "AZURE_PLAN_ID": ID,
        "AZURE_JOB_ID": ID,
        "AZURE_TASK_INSTANCE_ID": ID,
        "AZURE_TOKEN": TOKEN,
        **changes,
    }


@pytest.mark.parametrize(
    ("status", "result"), [("Succeeded", "succeeded"), ("Failed", "failed"), ("None", "failed"), ("", "failed")]
)
def test_only_succeeded_completes_the_job_as_succeeded(azure: Azure, status: str, result: str) -> None:
    """Every status but Succeeded fails the job."""
    assert main(["azure-callback", "complete"], environ_of(azure, AZURE_RESULT=status)) == 0
    ((path, authorization, body),) = azure.calls
    assert path == f"/my-organisation/{ID}/_apis/distributedtask/hubs/build/plans/{ID}/events?api-version=2.0-preview.1"
    assert base64.b64decode(authorization.removeprefix("Basic ")).decode() == f":{TOKEN}"
    assert body == {"name": "TaskCompleted", "taskId": ID, "jobId": ID, "result": result}


def test_azure_being_away_is_waited_out(azure: Azure) -> None:
    """500, 503 and 429 are repeated until Azure takes the event."""
    azure.answers = [500, 503, 429, 404, 200]
    assert main(["azure-callback", "complete"], environ_of(azure, AZURE_RESULT="Succeeded")) == 0
    assert len(azure.calls) == 5


def test_azure_staying_away_ends_after_a_while(
    azure: Azure, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does not wait for ever."""
    monkeypatch.setattr(azure_callback, "PATIENCE", 5.0)
    azure.answers = [503]
    assert main(["azure-callback", "complete"], environ_of(azure)) == 5
    assert "Gave up" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "code"), [(401, 3), (403, 3), (302, 3), (203, 3), (400, 5)])
def test_a_refusal_is_final(azure: Azure, answer: int, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A refused token or body is said in a sentence, once, and the token is in none; a redirect is not followed."""
    azure.answers = [answer]
    assert main(["azure-callback", "complete"], environ_of(azure)) == code
    assert [path for path, _, _ in azure.calls if path == "/elsewhere"] == []
    assert len(azure.calls) == 1
    out = "".join(capsys.readouterr())
    assert "Azure DevOps" in out
    assert TOKEN not in out


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/my-organisation/",
        "http://127.0.0.1:1/my-organisation/",
        "https://dev.azure.com/other/",
        "https://dev.azure.com/elsewhere/",
        "https://dev.azure.com@evil.example/else/",
        "https://dev.azure.com/else/../other/",
        "https://dev.azure.com/else/?x=",
        "http://dev.azure.com/else/",
        "",
    ],
)
def test_only_configured_plan_urls_are_called(azure: Azure, url: str) -> None:
    """The token goes to no other place, however the address is dressed up."""
    assert main(["azure-callback", "complete"], environ_of(azure, AZURE_PLAN_URL=url)) == 2
    assert azure.calls == []


def test_a_plan_url_without_its_slash_is_the_same_plan() -> None:
    """Azure writes it with and without a slash."""
    assert (
        azure_callback.allowed_plan("https://dev.azure.com/o", "https://dev.azure.com/o/") == "https://dev.azure.com/o/"
    )
    with pytest.raises(Stop):
        azure_callback.allowed_plan("https://dev.azure.com/other", "https://dev.azure.com/o")


IDS = ("AZURE_PROJECT_ID", "AZURE_PLAN_ID", "AZURE_JOB_ID", "AZURE_TASK_INSTANCE_ID", "AZURE_HUB_NAME")


@pytest.mark.parametrize(
    ("name", "value"),
    [*((name, value) for name in IDS for value in ("", "../../x", "$(system.JobId)")), ("AZURE_TOKEN", "")],
)
def test_malformed_fields_are_refused(azure: Azure, name: str, value: str) -> None:
    """Nothing is called with ids that are none."""
    assert main(["azure-callback", "complete"], environ_of(azure, **{name: value})) == 2
    assert azure.calls == []


@pytest.mark.parametrize(("answer", "gone"), [(200, True), (202, True), (404, True), (403, False), (500, False)])
def test_the_secret_is_deleted_through_the_cluster(
    answer: int, gone: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One DELETE with the service account's token; an answer that does not mean gone is not taken for it."""
    import requests

    for name, text in {"namespace": "apps", "token": "sa-token\n", "ca.crt": "x"}.items():
        (tmp_path / name).write_text(text)
    seen: dict[str, Any] = {}

    def delete(_: object, url: str, **options: Any) -> Any:
        seen.update(options, url=url)
        response = requests.Response()
        response.status_code = answer
        return response

    monkeypatch.setattr(requests.Session, "delete", delete)
    said: list[str] = []
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert azure_callback.delete_secret("reflect-azure-1", environ, said.append, tmp_path) is gone
    assert seen["url"] == "https://10.0.0.1:443/api/v1/namespaces/apps/secrets/reflect-azure-1"
    assert seen["headers"] == {"Authorization": "Bearer sa-token"}
    assert seen["verify"] == str(tmp_path / "ca.crt")
    assert ("deleted" in said[0]) is gone


def test_without_a_cluster_nothing_is_deleted(tmp_path: Path) -> None:
    """Outside of a pod there is a sentence, no traceback."""
    said: list[str] = []
    assert not azure_callback.delete_secret("a", {}, said.append, tmp_path)
    assert not azure_callback.delete_secret("../pods/x", {}, said.append, tmp_path)
    assert all("Secret" in text for text in said)


def guarded(azure: Azure, sim: Simulator, suite: str, tmp_path: Path) -> subprocess.Popen[str]:
    """Start the guard as the Task does."""
    environ = environ_of(
        azure,
        REFLECT_SUITES=suite,
        REFLECT_API_URL=sim.url,
        REFLECT_API_KEY="k" * 20,
        PATH=os.defpath,
        HOME=str(tmp_path),
    )
    return subprocess.Popen(
        [sys.executable, "-m", "reflect_ci", "azure-callback", "guard"],
        env=environ,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(("suite", "code"), [("passes", 0), ("fails", 1)])
def test_the_guard_leaves_an_ordinary_end_to_finally(azure: Azure, suite: str, code: int, tmp_path: Path) -> None:
    """It hands on the runner's code and calls nobody."""
    with Simulator() as sim:
        process = guarded(azure, sim, suite, tmp_path)
        out, _ = process.communicate(timeout=120)
    assert process.returncode == code, out
    assert azure.calls == []


def test_the_guard_completes_a_cancelled_job_as_failed(azure: Azure, tmp_path: Path) -> None:
    """On SIGTERM the execution is cancelled, then the job is completed, since no finally may run."""
    with Simulator() as sim:
        process = guarded(azure, sim, "never-ends", tmp_path)
        assert sim.wait_for(lambda service: bool(service.started), seconds=60)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=120)
        assert sim.running() == []
    assert process.returncode == 143, out
    assert [body["result"] for _, _, body in azure.calls] == ["failed"]
    assert TOKEN not in out
