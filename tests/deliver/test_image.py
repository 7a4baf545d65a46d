"""The runner's image: small, without a shell, not root, the same each time, and it runs suites."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliver import image as runner_image
from deliver import site
from reflect_ci import __version__
from reflect_ci.simulate import Simulator

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "scripts" / "image" / "Dockerfile"
SHELLS = {"sh", "bash", "dash", "ash", "zsh", "busybox", "env", "apt", "apt-get", "dpkg", "pip", "pip3", "curl", "wget"}
MEGABYTE = 1_000_000


def docker(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run docker with an environment of its own."""
    env = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_HOST", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        ["docker", *map(str, arguments)],
        env={"HOME": "/nonexistent", **env, "DOCKER_BUILDKIT": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0 or not check, done.stderr
    return done


@pytest.fixture(scope="module")
def image() -> str:
    """Build the image, give it to the engine and name it."""
    subprocess.run([ROOT / "scripts" / "engine"], stdin=subprocess.DEVNULL, check=True)
    built = runner_image.build()
    docker("load", "--quiet", "--input", built.archive)
    return built.names[1]


@contextlib.contextmanager
def container(image: str) -> Iterator[str]:
    """Create a container that is not started."""
    name = docker("create", image).stdout.strip()
    try:
        yield name
    finally:
        docker("rm", "--force", name)


def run_beside(
    simulator: Simulator, image: str, *arguments: str, options: tuple[str, ...] = (), key: str = "k-1234567890"
) -> subprocess.CompletedProcess[str]:
    """Run the image as strictly as a cluster does, in the network of this machine."""
    strict = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "host"]
    environ = ["--env", f"REFLECT_API_URL={simulator.url}", "--env", f"REFLECT_API_KEY={key}"]
    return docker("run", "--rm", *strict, *environ, *options, image, *arguments, check=False)


@pytest.mark.engine
def test_it_is_small_and_not_root(image: str) -> None:
    """At most 40 MB, a user above 10000 by number (so that Kubernetes can tell it is not root), and the version's label."""
    inspected = json.loads(docker("image", "inspect", image).stdout)[0]
    assert inspected["Size"] <= 40 * MEGABYTE
    assert inspected["Config"]["User"] == "10001:10001"
    assert inspected["Config"]["Entrypoint"] == ["reflect-ci"]
    assert inspected["Config"]["Labels"]["org.opencontainers.image.version"] == __version__


@pytest.mark.engine
def test_it_holds_no_shell_and_nothing_that_becomes_root(image: str, tmp_path: Path) -> None:
    """No shell, no package manager, no downloader, no file with a setuid or setgid bit."""
    with container(image) as name:
        docker("export", "--output", tmp_path / "root.tar", name)
    with tarfile.open(tmp_path / "root.tar") as tar:
        members = tar.getmembers()
    programs = {Path(member.name).name for member in members if Path(member.name).parent.name in {"bin", "sbin"}}
    assert "reflect-ci" in programs
    assert programs & SHELLS == set()
    assert not [member.name for member in members if member.mode & 0o6000]
    for shell in ("sh", "bash"):
        refused = docker("run", "--rm", "--entrypoint", shell, image, "-c", "true", check=False)
        assert refused.returncode == 127


@pytest.mark.engine
def test_it_runs_suites_on_a_read_only_root(image: str) -> None:
    """A passed suite is exit code 0, a failed one 1, and the service saw one start of each."""
    with Simulator() as simulator:
        passed = run_beside(simulator, image, "run", "passes")
        failed = run_beside(simulator, image, "run", "fails")
        assert passed.returncode == 0, passed.stdout + passed.stderr
        assert failed.returncode == 1, failed.stdout + failed.stderr
        assert [start.suite for start in simulator.started] == ["passes", "fails"]


@pytest.mark.engine
def test_any_user_may_run_it_and_take_the_reports(image: str, tmp_path: Path) -> None:
    """With a user number that the image does not know (as OpenShift chooses one), reports go to a mounted folder."""
    reports = tmp_path / "reports"
    reports.mkdir()
    reports.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents):  # pytest's folders are closed to other users
        if folder.owner() == reports.owner() and folder.stat().st_mode & 0o077 == 0:
            folder.chmod(0o711)
    options = ("--user", "1234567:0", "--volume", f"{reports}:/reports", "--env", "REFLECT_REPORT_DIR=/reports")
    with Simulator() as simulator:
        done = run_beside(simulator, image, "run", "passes", options=options)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((reports / "result.json").read_text())
    assert (reports / "junit.xml").exists()


@pytest.mark.engine
def test_docker_stop_cancels_the_execution(image: str) -> None:
    """The runner is the first process and hears SIGTERM: the remote execution is canceled, the exit code is 143."""
    name = f"reflect-ci-test-{uuid.uuid4().hex[:8]}"
    with Simulator() as simulator:
        environ = ["--env", f"REFLECT_API_URL={simulator.url}", "--env", "REFLECT_API_KEY=k-1234567890"]
        docker("run", "--detach", "--name", name, "--network", "host", *environ, image, "run", "never-ends")
        try:
            assert simulator.wait_for(lambda sim: bool(sim.started), seconds=120), docker("logs", name).stdout
            docker("stop", "--time", "60", name)
            state = json.loads(docker("container", "inspect", name).stdout)[0]["State"]
        finally:
            docker("rm", "--force", name)
        assert state["ExitCode"] == 143
        assert simulator.running() == []


@pytest.mark.engine
def test_it_trusts_the_usual_authorities(image: str) -> None:
    """The bundle of certificate authorities is where the variables say, and a company's own can take its place."""
    script = "import os, ssl; c = ssl.create_default_context(cafile=os.environ['REQUESTS_CA_BUNDLE']); print(len(c.get_ca_certs()))"
    done = docker("run", "--rm", "--entrypoint", "/usr/bin/python3", image, "-c", script)
    assert int(done.stdout) > 100


@pytest.mark.engine
def test_the_dockerfile_builds_on_a_given_base(image: str) -> None:
    """With a base of one's own (here: this very image, which has Python and no shell) the same command runs."""
    tag = f"reflect-ci-test:{uuid.uuid4().hex[:8]}"
    done = subprocess.run(
        [ROOT / "scripts" / "build-image", "--base", image, "--tag", tag],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        with Simulator() as simulator:
            ran = run_beside(simulator, tag, "run", "passes")
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert json.loads(docker("image", "inspect", tag).stdout)[0]["Config"]["User"] == "10001:10001"
    finally:
        docker("rmi", "--force", tag, check=False)


@pytest.mark.engine
def test_the_archive_can_be_carried_elsewhere(image: str, tmp_path: Path) -> None:
    """Without touching the engine, build-image writes an archive that `docker load` and a cluster's nodes read."""
    archive = tmp_path / "image.tar"
    done = subprocess.run(
        [ROOT / "scripts" / "build-image", "--no-load", "--output", archive],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "REFLECT_CI_CACHE": str(runner_image.store()), "DOCKER_HOST": "tcp://127.0.0.1:1"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Loaded image: {image.rpartition('-')[0]}" in docker("load", "--input", archive).stdout


@pytest.mark.engine
def test_the_same_inputs_give_the_same_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built from two clones with caches of their own, the archive is the same to the last bit."""
    debs = runner_image.store() / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    archives: list[Path] = []
    for name in ("one", "another"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "debs").symlink_to(debs)
        # Both are of one copy: somebody may be editing the tree that this runs in.
        clone = tmp_path / name / "clone"
        _copy_sources(tmp_path / "one" / "clone" if archives else ROOT, clone)
        monkeypatch.setattr(site, "ROOT", clone)
        monkeypatch.setenv("REFLECT_CI_CACHE", str(tmp_path / name))
        archives.append(runner_image.build().archive)
    assert archives[0] != archives[1]
    assert archives[0].read_bytes() == archives[1].read_bytes()


def _copy_sources(source: Path, target: Path) -> None:
    for name in ("scripts/reflect_ci", "scripts/deliver", "tasks"):
        shutil.copytree(source / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(source / name, target / name)


def test_the_dockerfile_is_clean() -> None:
    """Hadolint, which knows how Dockerfiles go wrong, has nothing to say."""
    tool = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([tool, "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_a_dockerfile_that_goes_wrong_is_refused(tmp_path: Path) -> None:
    """The check above can fail: root as last user and an unpinned base are named."""
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian:latest\nUSER root\nRUN cd /tmp\n")
    tool = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([tool, "--no-color", bad], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert {"DL3002", "DL3007"} <= set(done.stdout.split())
