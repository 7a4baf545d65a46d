"""Runs the jobs of an expanded configuration by CircleCI's documented rules, on this machine and without images.

Steps run one after the other in /bin/bash -eo pipefail, which reads BASH_ENV. After a failed step only those with
`when: always` (or on_fail) run, and store_test_results and store_artifacts. A cancelled job is killed: no step of it
runs any more. A job runs when each job that it requires has one of the statuses asked for, success if none is.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conformance.frame import PATIENCE, path_with_runner

ENGINE = "own packer and expander (checked against the schema) and own executor of documented semantics, /bin/bash"
TERMINAL = ["success", "failed", "canceled", "unauthorized", "not_run"]


@dataclass
class Job:
    """One job: success, failed, canceled or not_run; the step that failed with its exit code; what it stored."""

    name: str
    status: str = "not_run"
    log: str = ""
    failed: tuple[str, int] | None = None
    stored: list[Path] = field(default_factory=list)
    folder: Path = Path()
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Machine:
    """What the jobs of a pipeline share. variables: of the project or a context; cancel: which job is cancelled, and when."""

    scratch: Path
    variables: Mapping[str, str]
    branch: str = "main"
    cancel: tuple[str, Callable[[], bool]] | None = None

    def workflow(self, jobs: list[dict[str, Any]]) -> dict[str, Job]:
        """Run a workflow's jobs in an order that their requirements allow; return how each ended."""
        done: dict[str, Job] = {}
        waiting = [job for job in jobs if self.selected(job)]
        names = {job["name"] for job in waiting}
        while waiting:
            ready = [job for job in waiting if all(name in done for name in required(job))]
            assert ready, f"these wait for each other: {[job['name'] for job in waiting]}"
            for job in ready:
                waiting.remove(job)
                assert set(required(job)) <= names
                wanted = required(job)
                runs = all(done[name].status in statuses for name, statuses in wanted.items())
                done[job["name"]] = self.job(job) if runs else Job(job["name"])
        return done

    def selected(self, job: Mapping[str, Any]) -> bool:
        """Return whether the job's filters let this branch pass."""
        branches = job["filters"].get("branches", {})
        listed = {word: [text] if isinstance(text, str) else text for word, text in branches.items()}
        if any(matches(pattern, self.branch) for pattern in listed.get("ignore", [])):
            return False
        return "only" not in listed or any(matches(pattern, self.branch) for pattern in listed["only"])

    def job(self, job: Mapping[str, Any]) -> Job:
        """Run one job in a folder of its own."""
        place = self.scratch / re.sub(r"\W+", "-", job["name"])
        folder = place / "project"
        folder.mkdir(parents=True)
        (place / "bash_env").touch()
        result = Job(job["name"], "success", folder=folder)
        environ = {
            "PATH": path_with_runner(), "HOME": str(place), "TMPDIR": str(place), "LANG": "C.UTF-8",
            "BASH_ENV": str(place / "bash_env"), "CI": "true", "CIRCLECI": "true", "CIRCLE_BRANCH": self.branch,
            "CIRCLE_SHA1": "0123456789abcdef0123456789abcdef01234567", "CIRCLE_JOB": job["name"],
            "CIRCLE_REPOSITORY_URL": "git@bitbucket.org:acme/shop.git", **self.variables,
            **{name: value(text) for name, text in job["environment"].items()},
        }  # fmt: skip
        for step in job["steps"]:
            ((kind, body),) = step.items()
            when = body.get("when", "on_success")
            if (
                result.status == "failed"
                and when == "on_success"
                and kind not in ("store_test_results", "store_artifacts")
            ):
                continue
            if result.status == "success" and when == "on_fail":
                continue
            if kind == "run":
                self.run(body, environ, result)
                if result.status == "canceled":
                    break
            else:
                self.built_in(kind, body, result)
        return result

    def run(self, body: Mapping[str, Any], environ: Mapping[str, str], result: Job) -> None:
        """Run a `run` step; cancel the job in it when its time has come."""
        title = body.get("name", "run")
        own = {name: value(text) for name, text in body.get("environment", {}).items()}
        log = result.folder.parent / "log"
        began = time.monotonic()
        with log.open("w+b") as output:
            process = subprocess.Popen(
                ["/bin/bash", "-eo", "pipefail", "-c", body["command"]],
                env={**environ, **own}, cwd=result.folder, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = self.wait(process, result)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        result.seconds[title] = time.monotonic() - began
        result.log += f"== {title}\n{log.read_text(errors='replace')}\n"
        if code is None:
            result.status = "canceled"
        elif code and result.status == "success":
            result.status, result.failed = "failed", (title, code)

    def wait(self, process: subprocess.Popen[bytes], result: Job) -> int | None:
        """Wait for a step; None when its job was cancelled (which kills it)."""
        end = time.monotonic() + PATIENCE
        while process.poll() is None:
            if self.cancel and self.cancel[0] == result.name and self.cancel[1]():
                return None
            assert time.monotonic() < end, f"{result.name} still runs after {PATIENCE} s"
            time.sleep(0.05)
        return process.returncode

    def cache(self, key: str) -> Path:
        """Return the folder that keeps a cache between pipelines."""
        return self.scratch.parent / "circleci-caches" / re.sub(r"\W+", "-", key.replace("{{ arch }}", "arch"))

    def built_in(self, kind: str, body: Mapping[str, Any], result: Job) -> None:
        """Do a step of CircleCI's own."""
        workspace = self.scratch / "workspace"
        if kind == "persist_to_workspace":
            root = result.folder / body["root"]
            for pattern in body["paths"]:
                found = [path for path in root.glob(pattern) if path.is_file()]
                assert found, f"persist_to_workspace: nothing at {pattern}"
                for path in found:
                    target = workspace / path.relative_to(root)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, target)
        elif kind == "attach_workspace":
            if workspace.is_dir():
                shutil.copytree(workspace, result.folder / body["at"], dirs_exist_ok=True)
        elif kind in ("store_test_results", "store_artifacts"):
            result.stored.append(result.folder / body["path"])
        elif kind == "restore_cache":
            found = [self.cache(key) for key in body["keys"] if self.cache(key).is_dir()]
            if found:
                shutil.copytree(found[0], result.folder.parent, dirs_exist_ok=True)
        elif kind == "save_cache":
            # What a key holds never changes.
            if not self.cache(body["key"]).exists():
                for path in body["paths"]:
                    inside = path.removeprefix("~/")
                    shutil.copytree(result.folder.parent / inside, self.cache(body["key"]) / inside)
        else:
            assert kind == "checkout", kind


def matches(pattern: str, branch: str) -> bool:
    """Return whether a branch passes a filter: its name, or a regular expression between slashes."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return re.fullmatch(pattern[1:-1], branch) is not None
    return branch == pattern


def required(job: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the jobs that this one requires, each with the statuses that will do."""
    result = {}
    for item in job["requires"]:
        if isinstance(item, str):
            result[item] = ["success"]
        else:
            ((name, statuses),) = item.items()
            listed = TERMINAL if statuses == "terminal" else statuses
            result[name] = [listed] if isinstance(listed, str) else listed
    return result


def value(text: Any) -> str:
    """Return a value of `environment:` as the step sees it: a boolean is 1 or 0."""
    return str(int(text)) if isinstance(text, bool) else "" if text is None else str(text)
