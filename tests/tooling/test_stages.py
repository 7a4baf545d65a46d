"""./scripts/test: every stage runs, what failed is summed up, and only what fails alone as well is a failure."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.frame import ROOT
from tools import stages
from tools.stages import Result


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of this test's own."""
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    engine: x\n")
    return tmp_path


def test_every_stage_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure, even an exception, ends its own stage only; the exit code is 1 and the summary names it."""
    ran: list[str] = []

    def broken() -> Result:
        ran.append("broken")
        raise FileNotFoundError("no such tool")

    def failing() -> Result:
        ran.append("failing")
        return Result(failures=["tests/x.py::test_a"], last_line="1 failed, 3 passed in 0.1s")

    def fine() -> Result:
        ran.append("fine")
        return Result(last_line="4 passed in 0.2s", repeated=["tests/y.py::test_b"])

    monkeypatch.setattr(stages, "STAGES", {"broken": broken, "failing": failing, "fine": fine})
    assert stages.main([]) == 1
    out = capsys.readouterr().out
    assert ran == ["broken", "failing", "fine"]
    assert "broken: FAILED FileNotFoundError: no such tool" in out
    assert "failing: FAILED tests/x.py::test_a" in out
    assert "fine: passed only when repeated alone: tests/y.py::test_b" in out
    assert out.rstrip().endswith("fine: 4 passed in 0.2s")


def test_all_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """When no stage failed the exit code is 0, also when a test had to be repeated."""
    monkeypatch.setattr(stages, "STAGES", {"fine": lambda: Result(repeated=["x"])})
    assert stages.main([]) == 0


def test_quick_leaves_out_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """--quick runs what needs no container engine."""
    ran: list[str] = []

    def note(name: str) -> Result:
        ran.append(name)
        return Result()

    monkeypatch.setattr(stages, "STAGES", {name: (lambda name=name: note(name)) for name in stages.STAGES})
    assert stages.main(["--quick"]) == 0
    assert ran == ["lint", "catalog", "tests"]


@pytest.mark.parametrize(
    ("body", "failures", "repeated"),
    [
        ("def test_a(): pass\n", [], []),
        ("def test_a(): assert 0\ndef test_b(): pass\n", ["test_x.py::test_a"], []),
        (
            "from pathlib import Path\ndef test_a():\n    seen = Path('seen')\n    if not seen.exists():\n"
            "        seen.touch()\n        assert 0\n",
            [],
            ["test_x.py::test_a"],
        ),
    ],
    ids=["passes", "fails twice", "passes alone"],
)
def test_failed_tests_run_once_more(root: Path, body: str, failures: list[str], repeated: list[str]) -> None:
    """Failing twice is a failure; a test that passes when it is repeated is named, and is none."""
    (root / "test_x.py").write_text(body)
    result = stages.pytest("own", workers=0)
    assert (result.failures, result.repeated) == (failures, repeated)
    assert "in " in result.last_line


def test_a_test_that_hangs_is_stopped(root: Path) -> None:
    """A hang is a failure after a while, and the tests after it run."""
    (root / "test_x.py").write_text("import time\ndef test_a(): time.sleep(600)\ndef test_b(): pass\n")
    result = stages.pytest("own", "--timeout", "2", workers=0)
    assert result.failures == ["test_x.py::test_a"]
    assert "1 failed, 1 passed" in result.last_line


def test_broken_module_is_a_failure(root: Path) -> None:
    """A module that cannot be imported fails the stage."""
    (root / "test_x.py").write_text("import no_such_module_at_all\n")
    result = stages.pytest("own", workers=0)
    assert result.failures
    assert "error" in result.last_line


def test_no_tests_at_all_is_a_failure(root: Path) -> None:
    """When nothing is collected (a misspelt mark, say) the stage fails."""
    assert root.is_dir()
    assert stages.pytest("own", workers=0).failures


def test_a_command_that_fails_is_named() -> None:
    """Each command of a stage runs; the failed one is named with its code and last line."""
    fails = [sys.executable, "-c", "print('oh no'); raise SystemExit(3)"]
    result = stages.commands(fails, [sys.executable, "-c", "print('fine')"])()
    assert len(result.failures) == 1
    assert result.failures[0].endswith("exit code 3: oh no")


def test_shell_scripts_are_found(root: Path) -> None:
    """By suffix or first line, tracked or not; examples of refused files are left out."""
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    (root / "a.sh").write_text("echo\n")
    (root / "b").write_text("#!/usr/bin/env bash\n")
    (root / "c").write_text("#!/usr/bin/env python3\n")
    (root / "tests" / "catalog" / "x").mkdir(parents=True)
    (root / "tests" / "catalog" / "x" / "d.sh").write_text("echo\n")
    assert [path.name for path in stages.shell_scripts()] == ["a.sh", "b"]


def setup_with(tmp: Path, *arguments: str, uid: str = "1000") -> subprocess.CompletedProcess[str]:
    """Call ./scripts/setup on a machine without any of the Debian packages, as this user."""
    tools = tmp / "bin"
    tools.mkdir()
    fakes = {
        "dpkg-query": "exit 1",
        "id": f"echo {uid}",
        "apt-get": f'echo "apt-get $*" >>"{tmp}/apt"; exit 100',
        "sleep": "",
    }
    for name, script in fakes.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n")
        (tools / name).chmod(0o755)
    for name in ("sh", "dirname", "cat", "grep", "sed", "mkdir", "tail"):
        (tools / name).symlink_to(next(p for home in ("/bin", "/usr/bin") if (p := Path(home, name)).exists()))
    return subprocess.run(
        [ROOT / "scripts" / "setup", *arguments], env={"PATH": str(tools), "HOME": str(tmp)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def test_setup_names_what_is_missing(tmp_path: Path) -> None:
    """Without root it names the packages with their reasons, changes nothing, and stops."""
    done = setup_with(tmp_path)
    assert done.returncode == 1
    assert "install them and call this again" in done.stderr
    assert "git  " in done.stderr
    assert "docker.io" in done.stderr
    assert not (tmp_path / "apt").exists()


def test_quick_setup_asks_for_no_engine(tmp_path: Path) -> None:
    """--quick leaves out what only a container engine needs."""
    done = setup_with(tmp_path, "--quick")
    assert done.returncode == 1
    assert "git  " in done.stderr
    assert "docker.io" not in done.stderr


def test_setup_installs_as_root_and_tries_again(tmp_path: Path) -> None:
    """As root it installs; a registry that does not answer is tried four times, then it stops."""
    done = setup_with(tmp_path, uid="0")
    assert done.returncode == 1
    assert (tmp_path / "apt").read_text().splitlines() == ["apt-get update -q"] * 4


@pytest.mark.parametrize("name", ["setup", "test"])
def test_help(name: str, tmp_path: Path) -> None:
    """--help says what the command does, from any folder, and does nothing."""
    done = subprocess.run(
        [ROOT / "scripts" / name, "--help"], env={"PATH": "/usr/bin:/bin"}, cwd=tmp_path,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: ./scripts/{name}")
    assert list(tmp_path.iterdir()) == []
