"""./scripts/engine with a pretended docker and dockerd: what it starts, clears away and says."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "scripts" / "engine"

# Answers once the pretended dockerd has written the file `up`.
DOCKER = """#!/bin/sh
[ -e "$FAKE/up" ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
echo 20.10.0
"""
DOCKERD = """#!/bin/sh
echo "$@" >>"$FAKE/started"
[ -z "${FAKE_DIES:-}" ] || { echo "no such storage driver" >&2; exit 1; }
touch "$FAKE/up"
exec sleep 30
"""


def run(tmp: Path, *, root: bool = True, dockerd: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the script where only the pretended programs and the system's own are found."""
    programs = tmp / "bin"
    programs.mkdir(exist_ok=True)
    for name, text in {"docker": DOCKER, **({"dockerd": DOCKERD} if dockerd else {})}.items():
        _program(programs / name, text)
    _program(programs / "id", f"#!/bin/sh\necho {0 if root else 1000}\n")
    for tool in (
        "sh",
        "flock",
        "setsid",
        "timeout",
        "sed",
        "cat",
        "rm",
        "mv",
        "mkdir",
        "uname",
        "sleep",
        "tail",
        "grep",
    ):
        _link(programs / tool)
    for tool in ("dirname", "install", "getent", "cut", "touch"):
        _link(programs / tool)
    (tmp / "run/docker/containerd").mkdir(parents=True, exist_ok=True)
    env = {
        "PATH": str(programs),
        "FAKE": str(tmp),
        "HOME": str(tmp / "home"),
        "REFLECT_ENGINE_RUN": str(tmp / "run"),
        "REFLECT_ENGINE_SECONDS": "60",
        **more,
    }
    return subprocess.run(
        [str(ENGINE)], env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
    )


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _link(path: Path) -> None:
    for folder in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        if not path.exists() and (Path(folder) / path.name).exists():
            path.symlink_to(Path(folder) / path.name)


@pytest.fixture(autouse=True)
def _end_pretended_engines(tmp_path: Path) -> object:
    yield
    (tmp_path / "up").unlink(missing_ok=True)
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            mine = f"FAKE={tmp_path}\0".encode() in status.read_bytes()
        except OSError:
            continue
        if mine:
            os.kill(int(status.parent.name), 9)


def test_an_engine_that_answers_is_used(tmp_path: Path) -> None:
    """Nothing is started where an engine answers already."""
    (tmp_path / "up").touch()
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (0, "engine: Docker 20.10.0 answers\n")
    assert not (tmp_path / "started").exists()


def test_an_engine_is_started_and_outlives_the_script(tmp_path: Path) -> None:
    """The script ends as soon as the engine answers, the engine goes on and holds no pipe of the caller open."""
    done = run(tmp_path)  # returns only when both pipes are closed
    assert done.returncode == 0, done.stderr
    assert "Docker 20.10.0 answers" in done.stdout
    assert (tmp_path / "started").exists()
    assert (tmp_path / "home/.cache/reflect-ci-catalog/engine/dockerd.log").exists()
    assert "sleep" in " ".join(_commands_of(tmp_path))


def test_two_callers_start_one_engine(tmp_path: Path) -> None:
    """The second caller waits for the engine of the first."""
    run(tmp_path, DOCKER_HOST="nothing://here")  # lays out the folders
    env = {"PATH": str(tmp_path / "bin"), "FAKE": str(tmp_path), "HOME": str(tmp_path / "home")}
    env["REFLECT_ENGINE_RUN"] = str(tmp_path / "run")
    callers = [
        subprocess.Popen([str(ENGINE)], env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) for _ in range(3)
    ]
    assert [caller.wait(timeout=120) for caller in callers] == [0, 0, 0]
    assert len((tmp_path / "started").read_text().splitlines()) == 1


def test_the_remains_of_a_killed_engine_are_removed(tmp_path: Path) -> None:
    """Pid files of processes that are gone, or whose number another program has now, do not keep dockerd from starting."""
    folder = tmp_path / "run/docker/containerd"
    folder.mkdir(parents=True)
    (tmp_path / "run/docker.pid").write_text(str(os.getpid()))  # alive, but no dockerd
    (folder / "containerd.pid").write_text("999999999")
    (folder / "containerd.sock").touch()
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "run/docker.pid").exists()
    assert list(folder.iterdir()) == []
    assert done.stdout.count("that is gone") == 2


def test_a_killed_engine_that_nobody_buried_is_gone_too(tmp_path: Path) -> None:
    """A zombie by the name of dockerd is not waited for."""
    (tmp_path / "run").mkdir()
    (tmp_path / "dockerd").symlink_to("/bin/true")
    process = subprocess.Popen([tmp_path / "dockerd"], env={"FAKE": str(tmp_path)})
    status = Path(f"/proc/{process.pid}/status")
    deadline = time.monotonic() + 60
    while "State:\tZ" not in status.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    (tmp_path / "run/docker.pid").write_text(str(process.pid))
    done = run(tmp_path)
    process.wait()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "started").exists()


def test_an_engine_that_is_still_starting_is_waited_for(tmp_path: Path) -> None:
    """A dockerd that runs and does not answer yet (a loaded machine) gets no second one beside it."""
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "dockerd").symlink_to("/bin/sleep")  # the kernel names a process after the path that was started
    with subprocess.Popen([tmp_path / "dockerd", "100"], env={"FAKE": str(tmp_path)}) as process:
        (folder / "docker.pid").write_text(str(process.pid))
        answering = threading.Timer(2, (tmp_path / "up").touch)
        answering.start()
        done = run(tmp_path)
        answering.join()
        process.kill()
    assert done.returncode == 0, done.stderr
    assert "waiting for it" in done.stdout
    assert not (tmp_path / "started").exists()


def test_capabilities_that_root_lacks_are_not_asked_for(tmp_path: Path) -> None:
    """The wrapper around runc is used exactly where root lacks CAP_SYS_RESOURCE, and as a copy outside of the clone."""
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    arguments = (tmp_path / "started").read_text()
    bounding = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("CapBnd"))
    lacks = not int(bounding.split()[1], 16) >> 24 & 1
    copy = tmp_path / "home/.cache/reflect-ci-catalog/engine/runc-permitted"
    assert copy.exists() == lacks
    assert (f"permitted={copy}" in arguments) == lacks


def test_an_engine_that_ends_at_once_shows_its_last_words(tmp_path: Path) -> None:
    """A dockerd that cannot start is reported at once, with what it said."""
    began = time.monotonic()
    done = run(tmp_path, FAKE_DIES="1")
    assert done.returncode == 1
    assert "no such storage driver" in done.stderr
    assert "dockerd ended" in done.stderr
    assert time.monotonic() - began < 50


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"root": False}, "only root may start one"),
        ({"dockerd": False}, "./scripts/setup installs it"),
        ({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "DOCKER_HOST is tcp://127.0.0.1:1"),
    ],
)
def test_what_stands_in_the_way_is_said(tmp_path: Path, options: dict[str, object], sentence: str) -> None:
    """Each obstacle has its sentence with the cure, and exit code 1."""
    done = run(tmp_path, **options)  # type: ignore[arg-type] # the options of the case
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / "started").exists()


WRAPPER = ENGINE.parent / "tools" / "runc-permitted"


def test_the_wrapper_drops_one_capability_only(tmp_path: Path) -> None:
    """Of a container's and of an exec's specification, only the list elements CAP_SYS_RESOURCE disappear."""
    text = '{"process":{"args":["echo","\\"CAP_SYS_RESOURCE\\""],"capabilities":{"bounding":[%s]}}}'
    lists = ['"CAP_KILL","CAP_SYS_RESOURCE","CAP_CHOWN"', '"CAP_KILL","CAP_SYS_RESOURCE"', '"CAP_SYS_RESOURCE"']
    kept = ['"CAP_KILL","CAP_CHOWN"', '"CAP_KILL"', ""]
    for given, left in zip(lists, kept, strict=True):
        for option, name in (("--bundle", "config.json"), ("--process", "process.json")):
            specification = tmp_path / name
            specification.write_text(text % given)
            value = tmp_path if option == "--bundle" else specification
            done = subprocess.run(
                [str(WRAPPER), "create", option, str(value), "id"],
                env={"PATH": os.defpath, "REFLECT_RUNC": "/bin/echo"},
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            assert specification.read_text() == text % left
            assert done.stdout == f"create {option} {value} id\n"


def _commands_of(tmp: Path) -> list[str]:
    found = []
    for status in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"FAKE={tmp}\0".encode() in status.read_bytes():
                found.append((status.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
