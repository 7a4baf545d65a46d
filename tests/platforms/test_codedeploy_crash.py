"""The CodeDeploy hook when its own process goes wrong: Failed is reported all the same, and nothing is started twice."""

from __future__ import annotations

import importlib
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, ROOT
from tests.platforms.codedeploy import emulator
from tests.platforms.codedeploy.aws import SECRET, Aws


class Context:
    """Lambda's context: how much time is left."""

    def __init__(self, seconds: float):
        self._ends = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left."""
        return int((self._ends - time.monotonic()) * 1000)


def hook() -> dict[str, str]:
    """Return the event of a hook that no other test has."""
    return {"DeploymentId": "d-EXAMPLE11", "LifecycleEventHookExecutionId": uuid.uuid4().hex}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    """An account whose secret holds the key, and the variables that lead there."""
    with Aws({SECRET: KEY}) as account:
        for name, value in account.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REFLECT_SECRET_ARN", SECRET)
        monkeypatch.setenv("REFLECT_SUITES", "passes")
        monkeypatch.setenv("REFLECT_REPORT_DIR", str(tmp_path))
        yield account


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The functions' module, in this process."""
    monkeypatch.syspath_prepend(str(ROOT / "tasks" / "codedeploy" / "lambda"))
    for name in ("codedeploy_hook", "reflect_aws"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("codedeploy_hook")


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit, KeyboardInterrupt])
def test_crash_is_reported(
    aws: Aws,
    functions: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: type[BaseException],
) -> None:
    """Whatever is raised on the way, Failed is reported, and the log has no key and no traceback."""

    def broken(*_: object) -> int:
        raise error(f"with {KEY}")

    monkeypatch.setattr("reflect_ci.cli.main", broken)
    functions.handler(hook(), Context(60))
    assert [each["status"] for each in aws.statuses] == ["Failed"]
    log = capsys.readouterr()
    assert error.__name__ in log.out
    assert KEY not in log.out + log.err


@pytest.mark.parametrize("error", [RuntimeError, MemoryError, SystemExit])
def test_crash_before_the_runner_is_reported(
    aws: Aws, functions: Any, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """What goes wrong before the runner is called is reported as Failed, too."""

    def broken(_environ: object) -> str:
        raise error

    monkeypatch.setattr(functions, "key_of", broken)
    functions.handler(hook(), Context(60))
    assert [each["status"] for each in aws.statuses] == ["Failed"]


def test_exit_code_without_a_report_is_not_green(aws: Aws, functions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Code 0 alone is no success: the report must say passed, too."""
    monkeypatch.setattr("reflect_ci.cli.main", lambda *_: 0)
    functions.handler(hook(), Context(60))
    assert [each["status"] for each in aws.statuses] == ["Failed"]


def test_hang_is_reported_before_lambda_ends_it(aws: Aws, functions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that hangs past its own deadline is reported as Failed by the watchdog; its later end changes nothing."""
    let_go = threading.Event()

    def hanging(*_: object) -> int:
        let_go.wait(60)
        return 0

    monkeypatch.setattr("reflect_ci.cli.main", hanging)
    call = threading.Thread(target=functions.handler, args=(hook(), Context(5)), daemon=True)
    began = time.monotonic()
    call.start()
    while not aws.statuses and time.monotonic() - began < 60:
        time.sleep(0.02)
    assert [each["status"] for each in aws.statuses] == ["Failed"]
    assert call.is_alive()
    let_go.set()
    call.join(60)
    assert [each["status"] for each in aws.statuses] == ["Failed"]


def test_status_is_given_up_in_time(aws: Aws, functions: Any) -> None:
    """A CodeDeploy that throttles for ever is asked again until a moment before Lambda's limit; then the function fails."""
    aws.troubles["PutLifecycleEventHookExecutionStatus"] = ["ThrottlingException", "…"]
    context = Context(5)
    with pytest.raises(functions.Trouble, match="ThrottlingException"):
        functions.failed({"requestPayload": hook()}, context)
    assert len(aws.calls) >= 2
    assert context.get_remaining_time_in_millis() > 0


def test_status_that_can_never_be_taken(aws: Aws, functions: Any) -> None:
    """An answer of CodeDeploy that another try does not change fails the function at once."""
    aws.troubles["PutLifecycleEventHookExecutionStatus"] = ["InvalidDeploymentIdException", "…"]
    with pytest.raises(functions.Trouble, match="did not take Failed"):
        functions.failed({"requestPayload": hook()}, Context(60))
    assert len(aws.calls) == 1  # no use in asking again


def test_killed_and_called_again(tmp_path: Path) -> None:
    """A function that is killed in the middle and called again with its event takes up what it had started."""
    event = hook()
    with Simulator() as sim, Aws({SECRET: KEY}) as account:
        environ = {
            "REFLECT_API_URL": sim.url, "REFLECT_SUITES": "takes-2", "REFLECT_SECRET_ARN": SECRET,
            "REFLECT_REPORT_DIR": str(tmp_path / "reports"), **account.environ,
        }  # fmt: skip

        def call_and_ignore(function: emulator.Function) -> None:
            try:
                function.call(event)
            except (OSError, ValueError):
                return  # it is killed

        with emulator.function("codedeploy_hook.handler", environ, tmp_path) as function:
            call = threading.Thread(target=call_and_ignore, args=(function,), daemon=True)
            call.start()
            # A poll was made, so the id is saved.
            polled = sim.wait_for(
                lambda service: (
                    bool(service.started) and any(c.path.endswith(service.started[0].id) for c in service.calls)
                )
            )
            assert polled, function.log
        call.join(60)
        assert account.statuses == []
        with emulator.function("codedeploy_hook.handler", environ, tmp_path) as function:
            function.call(event)
            assert "they are taken up" in function.log
        assert [each["status"] for each in account.statuses] == ["Succeeded"]
        assert [each.suite for each in sim.started] == ["takes-2"]
