"""The bootstrap gets the runner in each of its ways, and says what to do when it cannot.

No network: pip is pointed at a folder of wheels by its own environment variables, a URL at a server on this machine.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deliver import pyz
from reflect_ci.inputs import RUNNER
from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT

SCRIPT = ROOT / "tasks" / "shell" / "reflect-run.sh"
KEY = "K3yOfTheBootstrapTests"
# On one worker, which builds the deliveries once.
pytestmark = pytest.mark.xdist_group("bootstrap")


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runner's wheel and the wheels that it needs: what an index would give."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, stdin=subprocess.DEVNULL)
    for wheel in pyz.fetch().iterdir():
        (folder / wheel.name).symlink_to(wheel)
    return folder


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The self-contained file."""
    path = tmp_path_factory.mktemp("pyz") / "reflect-ci.pyz"
    pyz.build(path)
    return path


@pytest.fixture
def server(file: Path) -> Iterator[str]:
    """The address of a server that has the file."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=file.parent)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as service:
        threading.Thread(target=service.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{service.server_port}"
        service.shutdown()


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """The simulated service."""
    with Simulator() as service:
        yield service


def tools(folder: Path, *names: str, **scripts: str) -> str:
    """Return a PATH with nothing but these tools of the system, and these scripts in place of others."""
    folder.mkdir()
    for name in ("sh", "mkdir", "mktemp", "mv", "rm", "cut", "cksum", "cat", "uname", "id", *names):
        found = next(path for home in ("/bin", "/usr/bin") if (path := Path(home, name)).exists())
        (folder / name).symlink_to(found)
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder)


def python_of_this(folder: Path) -> str:
    """Return a PATH whose only python3 is a bare one of this version, and that has no reflect-ci."""
    return tools(folder, python3=f'#!/bin/sh\nexec "{sys._base_executable}" "$@"\n')  # type: ignore[attr-defined]


def call(
    tmp: Path, sim: Simulator, runner: str | None, path: str, *arguments: str, shell: str = "/bin/sh", **more: str
) -> tuple[int, str]:
    """Call the bootstrap as a job would; return its exit code and its output."""
    environ = {
        "PATH": path, "HOME": str(tmp / "home"), "TMPDIR": str(tmp), "REFLECT_API_KEY": KEY,
        "REFLECT_API_URL": sim.url, "REFLECT_SUITES": "passes", **more,
    }  # fmt: skip
    if runner is not None:
        environ["REFLECT_RUNNER"] = runner
    done = subprocess.run(
        [shell, SCRIPT, *arguments], env=environ, cwd=tmp, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
    )  # fmt: skip
    assert KEY not in done.stdout
    return done.returncode, done.stdout


def index(wheels: Path) -> dict[str, str]:
    """Return the variables that point pip at the folder of wheels."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}


def test_requirement_is_installed_once(tmp_path: Path, sim: Simulator, wheels: Path) -> None:
    """The default requirement is installed by pip, kept, and not installed again by the next job."""
    path = python_of_this(tmp_path / "bin")
    code, log = call(tmp_path, sim, None, path, **index(wheels))
    assert code == 0, log
    assert f"installing {RUNNER.default}" in log
    # The second job finds no index at all.
    code, log = call(tmp_path, sim, None, path, "run", PIP_NO_INDEX="1")
    assert code == 0, log
    assert "installing" not in log
    assert [started.suite for started in sim.started] == ["passes", "passes"]


def test_default_is_the_tables() -> None:
    """The script's default runner is the input table's."""
    assert f"${{REFLECT_RUNNER:-{RUNNER.default}}}" in SCRIPT.read_text()


def test_loose_requirement_is_not_kept(tmp_path: Path, sim: Simulator, wheels: Path) -> None:
    """A requirement that may mean another version tomorrow is installed anew for every job."""
    path = python_of_this(tmp_path / "bin")
    assert call(tmp_path, sim, "reflect-ci>=0.1", path, **index(wheels))[0] == 0
    code, log = call(tmp_path, sim, "reflect-ci>=0.1", path, PIP_NO_INDEX="1")
    assert code == 5, log


@pytest.mark.parametrize("kind", ["file", "requirement"])
def test_files_of_the_job_do_not_shadow_the_runner(
    tmp_path: Path, sim: Simulator, wheels: Path, file: Path, kind: str
) -> None:
    """A user's repository may hold requests.py, json.py or reflect_ci/: the runner imports its own and Python's."""
    for name in ("requests.py", "json.py", "argparse.py", "reflect_ci/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("raise SystemExit('shadowed')\n")
    tools_path = python_of_this(tmp_path / "bin")
    runner = str(file) if kind == "file" else None
    code, log = call(tmp_path, sim, runner, tools_path, PYTHONPATH=str(tmp_path), **index(wheels))
    assert code == 0, log


def test_requirement_that_pip_cannot_get(tmp_path: Path, sim: Simulator) -> None:
    """When pip fails the step is red with a code of its own, names the requirement, and nothing was called."""
    code, log = call(tmp_path, sim, "reflect-ci==99.0", python_of_this(tmp_path / "bin"), PIP_NO_INDEX="1")
    assert code == 5
    assert "pip could not install reflect-ci==99.0" in log
    assert sim.calls == []


def test_installer_does_not_see_the_key(tmp_path: Path, sim: Simulator) -> None:
    """What pip runs has no key in its environment; the runner has it."""
    wrapper = f'#!/bin/sh\ncase " $* " in *" install "*) env >"{tmp_path}/seen"; exit 1;; esac\nexec "{sys.executable}" "$@"\n'
    call(tmp_path, sim, None, tools(tmp_path / "bin", "env", python3=wrapper))
    seen = (tmp_path / "seen").read_text()
    assert "REFLECT_SUITES" in seen
    assert KEY not in seen


def test_file_by_path(tmp_path: Path, sim: Simulator, file: Path) -> None:
    """The self-contained file is run from where it lies, by the system's Python alone."""
    code, log = call(tmp_path, sim, str(file), python_of_this(tmp_path / "bin"))
    assert code == 0, log
    assert len(sim.started) == 1


@pytest.mark.parametrize("fetcher", ["curl", "python"])
def test_file_by_url(tmp_path: Path, sim: Simulator, file: Path, server: str, fetcher: str) -> None:
    """The file is fetched from a URL (also without curl), kept, and run when its checksum is right."""
    path = python_of_this(tmp_path / "bin")
    if fetcher == "curl":
        (tmp_path / "bin" / "curl").symlink_to("/usr/bin/curl")
    runner = f"{server}/reflect-ci.pyz#sha256={hashlib.sha256(file.read_bytes()).hexdigest()}"
    code, log = call(tmp_path, sim, runner, path)
    assert code == 0, log
    code, log = call(tmp_path, sim, runner.replace(server, "http://127.0.0.1:9"), path)
    assert code == 0, f"not kept: {log}"
    assert len(sim.started) == 2


def test_url_without_a_checksum(tmp_path: Path, sim: Simulator, server: str) -> None:
    """A URL alone is refused: whoever holds the server would run in every pipeline."""
    code, log = call(tmp_path, sim, f"{server}/reflect-ci.pyz", python_of_this(tmp_path / "bin"))
    assert code == 2
    assert "#sha256=" in log
    assert sim.calls == []


@pytest.mark.parametrize("kind", ["url", "path"])
def test_wrong_checksum(tmp_path: Path, sim: Simulator, file: Path, server: str, kind: str) -> None:
    """A file that is not the one that was named is not run, and not kept."""
    place = f"{server}/reflect-ci.pyz" if kind == "url" else str(file)
    code, log = call(tmp_path, sim, f"{place}#sha256={'0' * 64}", python_of_this(tmp_path / "bin"))
    assert code == 2
    assert "it was not run" in log
    assert sim.calls == []
    assert not list((tmp_path / "home").rglob("*.pyz"))


@pytest.mark.parametrize(
    ("runner", "code", "words"),
    [
        ("http://127.0.0.1:9/reflect-ci.pyz#sha256=" + "0" * 64, 5, "could not be fetched"),
        ("nowhere/reflect-ci.pyz", 2, "there is no file nowhere/reflect-ci.pyz"),
        ("reflect-ci.pyz#md5=00", 2, "#sha256="),
        ("reflect-ci.pyz#sha256=../../x", 2, "#sha256="),
        ("--index-url=http://127.0.0.1:9/", 2, "starts with '-'"),
        ("installed", 2, "no reflect-ci is on the PATH"),
    ],
)
def test_runner_that_cannot_be_had(tmp_path: Path, sim: Simulator, runner: str, code: int, words: str) -> None:
    """Each mistake in `runner` has its sentence; nothing is called and nothing half-fetched is left."""
    got, log = call(tmp_path, sim, runner, python_of_this(tmp_path / "bin"))
    assert got == code, log
    assert words in log
    assert sim.calls == []
    assert not list((tmp_path / "home").rglob("new.*"))


def test_without_python(tmp_path: Path, sim: Simulator) -> None:
    """Without any Python the step says so."""
    code, log = call(tmp_path, sim, None, tools(tmp_path / "bin"))
    assert code == 2
    assert "no Python 3.9 or later" in log


def test_python_too_old_but_a_newer_one_beside_it(tmp_path: Path, sim: Simulator, file: Path) -> None:
    """An old python3 is passed over when a newer one has its version in its name."""
    path = tools(
        tmp_path / "bin",
        python3="#!/bin/sh\nexit 1\n",
        **{"python3.11": f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'},
    )
    code, log = call(tmp_path, sim, str(file), path)
    assert code == 0, log


def test_python_without_pip(tmp_path: Path, sim: Simulator, wheels: Path) -> None:
    """Debian's bare Python has no pip: that of a virtual environment installs."""
    wrapper = f'#!/bin/sh\ncase " $* " in *" pip "*) exit 1;; esac\nexec "{sys._base_executable}" "$@"\n'  # type: ignore[attr-defined]
    code, log = call(tmp_path, sim, None, tools(tmp_path / "bin", python3=wrapper), **index(wheels))
    assert code == 0, log


def test_home_that_cannot_be_written(tmp_path: Path, sim: Simulator, wheels: Path) -> None:
    """A job without a home folder of its own installs below the temporary folder."""
    code, log = call(tmp_path, sim, None, python_of_this(tmp_path / "bin"), **index(wheels), HOME="/proc/nowhere")
    assert code == 0, log


def test_cache_folder_of_the_users_choice(tmp_path: Path, sim: Simulator, wheels: Path) -> None:
    """REFLECT_CACHE_DIR is where the platform's own cache can keep it."""
    cache = tmp_path / "a cache"
    code, log = call(
        tmp_path, sim, None, python_of_this(tmp_path / "bin"), **index(wheels), REFLECT_CACHE_DIR=str(cache)
    )
    assert code == 0, log
    assert len(list(cache.iterdir())) == 1


def shells() -> list[str]:
    """Return the shells of this machine that may be a CI's /bin/sh."""
    return [path for path in ("/bin/sh", "/bin/dash", "/bin/bash", "/usr/bin/zsh", "/bin/ksh") if Path(path).exists()]


@pytest.mark.parametrize("shell", shells())
def test_every_shell(tmp_path: Path, sim: Simulator, file: Path, shell: str) -> None:
    """The script is plain POSIX sh."""
    code, log = call(tmp_path, sim, str(file), python_of_this(tmp_path / "bin"), shell=shell)
    assert code == 0, log


def test_arguments_reach_the_runner(tmp_path: Path, sim: Simulator, file: Path) -> None:
    """Arguments are the runner's: without any it runs."""
    code, log = call(tmp_path, sim, str(file), python_of_this(tmp_path / "bin"), "run", "fails", REFLECT_SUITES="")
    assert code == 1, log
    assert [started.suite for started in sim.started] == ["fails"]


def environ_for(kind: str, tmp: Path, file: Path, wheels: Path) -> Mapping[str, str]:
    """Return how a way of getting the runner is set up."""
    if kind == "installed":
        return {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "REFLECT_RUNNER": "installed"}
    path = python_of_this(tmp / "bin")
    return {"PATH": path, "REFLECT_RUNNER": str(file)} if kind == "file" else {"PATH": path, **index(wheels)}


@pytest.mark.parametrize("kind", ["installed", "file", "requirement"])
def test_signal_reaches_the_runner(tmp_path: Path, sim: Simulator, file: Path, wheels: Path, kind: str) -> None:
    """A SIGTERM to the step's own process cancels the execution: the script became the runner."""
    environ = {
        "HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path), "REFLECT_API_KEY": KEY, "REFLECT_API_URL": sim.url,
        "REFLECT_SUITES": "never-ends", **environ_for(kind, tmp_path, file, wheels),
    }  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            ["/bin/sh", SCRIPT], env=environ, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        assert sim.wait_for(lambda service: bool(service.started), seconds=240), (tmp_path / "log").read_text()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(timeout=120) == 143, (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
    assert sim.running() == []


def test_two_jobs_at_once(tmp_path: Path, sim: Simulator, wheels: Path) -> None:
    """Jobs that install into the same cache at the same time do not spoil it for each other."""
    path = python_of_this(tmp_path / "bin")
    results: list[tuple[int, str]] = []
    jobs = [
        threading.Thread(target=lambda: results.append(call(tmp_path, sim, None, path, **index(wheels))))
        for _ in range(3)
    ]
    for job in jobs:
        job.start()
        time.sleep(0.05)
    for job in jobs:
        job.join()
    assert [code for code, _ in results] == [0, 0, 0], results
