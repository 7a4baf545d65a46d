"""The wheel and the self-contained file really run suites, with the oldest and the newest Python of the machine."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deliver import pyz
from reflect_ci import __version__
from reflect_ci.simulate import Simulator
from tests.conformance.frame import ROOT
from tools.other_pythons import pythons, version

pytestmark = pytest.mark.xdist_group("deliver")

PYTHONS = pythons()
ENDS = [min(PYTHONS), max(PYTHONS)]
KEY = "K3yOfTheDeliveryTests"


@pytest.fixture
def sim() -> Iterator[Simulator]:
    """The simulated service."""
    with Simulator() as service:
        yield service


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The self-contained file."""
    path = tmp_path_factory.mktemp("pyz") / "reflect-ci.pyz"
    pyz.build(path)
    return path


@functools.cache
def wheel_in(folder: Path) -> Path:
    """Build the wheel into the folder."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, ROOT], check=True, stdin=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel."""
    return wheel_in(tmp_path_factory.mktemp("wheel"))


def call(tmp: Path, sim: Simulator, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program with an environment that has nothing of this one."""
    environ = {
        "PATH": "/usr/bin:/bin", "HOME": str(tmp), "TMPDIR": str(tmp), "REFLECT_API_KEY": KEY, "REFLECT_API_URL": sim.url,
    }  # fmt: skip
    return subprocess.run(
        [str(word) for word in argv], env=environ, cwd=tmp, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip


def really_runs(tmp: Path, sim: Simulator, *argv: str | Path) -> None:
    """Assert that suites are run, the verdict is the right one, and the reports are there."""
    done = call(tmp, sim, *argv, "run", "passes")
    assert done.returncode == 0, done.stdout + done.stderr
    done = call(tmp, sim, *argv, "run", "passes", "fails")
    assert done.returncode == 1, done.stdout + done.stderr
    assert sorted(started.suite for started in sim.started) == ["fails", "passes", "passes"]
    result = json.loads((tmp / "reflect-report" / "result.json").read_text())
    assert (result["verdict"], result["exitCode"]) == ("failed", 1)
    written = call(tmp, sim, *argv, "init", "github", "--suites", "checkout")
    assert written.returncode == 0, written.stderr
    assert "suites: checkout" in (tmp / ".github" / "workflows" / "reflect.yml").read_text()
    assert KEY not in done.stdout + done.stderr + (tmp / "reflect-report" / "result.json").read_text()


@pytest.mark.parametrize("numbers", ENDS, ids=str)
def test_file_runs_suites(numbers: tuple[int, int], file: Path, sim: Simulator, tmp_path: Path) -> None:
    """A bare `python3 -I` runs suites with the one file and nothing installed."""
    # Away from the tree that it was built from, so that it cannot use anything of it.
    alone = tmp_path / "alone.pyz"
    shutil.copy(file, alone)
    really_runs(tmp_path, sim, PYTHONS[numbers], "-I", alone)


@pytest.mark.parametrize("numbers", ENDS, ids=str)
def test_wheel_runs_suites(numbers: tuple[int, int], wheel: Path, sim: Simulator, tmp_path: Path) -> None:
    """The wheel's command runs suites from a virtual environment that has nothing but it and its dependencies."""
    home = tmp_path / "venv"
    subprocess.run([PYTHONS[numbers], "-m", "venv", home], check=True, stdin=subprocess.DEVNULL)
    done = call(
        tmp_path, sim, home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-index", "--find-links", pyz.fetch(), wheel,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    really_runs(tmp_path, sim, home / "bin" / "reflect-ci")
    done = call(tmp_path, sim, home / "bin" / "python", "-m", "reflect_ci", "--version")
    assert __version__ in done.stdout


def test_file_is_reproducible(file: Path, tmp_path: Path) -> None:
    """The same sources give the same bytes, and the checksum beside the file is the file's."""
    again = tmp_path / "other" / "reflect-ci.pyz"
    digest = pyz.build(again)
    assert again.read_bytes() == file.read_bytes()
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    assert again.with_name("reflect-ci.pyz.sha256").read_text() == f"{digest}  reflect-ci.pyz\n"


def test_file_runs_by_itself(file: Path, sim: Simulator, tmp_path: Path) -> None:
    """The file is executable and names its interpreter."""
    assert os.access(file, os.X_OK)
    assert file.read_bytes().startswith(b"#!/usr/bin/env python3\n")
    done = call(tmp_path, sim, "/usr/bin/env", "PATH=" + str(Path(sys.executable).parent), file, "--version")
    assert __version__ in done.stdout, done.stderr


def test_file_carries_nothing_of_this_machine(file: Path) -> None:
    """There are no compiled parts, no paths of this machine, no notes of pip; licences are carried along."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        for name in names:
            assert not name.endswith((".so", ".pyc", ".pyd")), name
            assert str(ROOT).encode() not in archive.read(name), name
        assert "LICENSE" in names
    assert {name.split("/")[0] for name in names if "/" in name and ".dist-info" not in name} == {
        "certifi", "charset_normalizer", "idna", "reflect_ci", "requests", "urllib3",
    }  # fmt: skip
    for package in ("certifi", "charset_normalizer", "idna", "requests", "urllib3"):
        assert any(re.fullmatch(rf"{package}-[^/]+\.dist-info/(licenses/)?LICENSE.*", name) for name in names), package


def test_file_names_the_python_that_it_needs(file: Path, tmp_path: Path) -> None:
    """Where it starts, it can be read by any Python, and an old one is told which it needs (code 2)."""
    with zipfile.ZipFile(file) as archive:
        main = archive.read("__main__.py").decode()
    pretended = main.replace("import sys\n", "import sys\nsys.version_info = (3, 6, 15)\n", 1)
    (tmp_path / "main.py").write_text(pretended)
    done = subprocess.run([sys.executable, tmp_path / "main.py"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "reflect-ci needs Python 3.9 or later; this is 3.6\n")


def test_wheel_holds_the_runner_alone(wheel: Path) -> None:
    """The wheel has the package, its types' marker and the licence, and none of the maintainers' tools."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = archive.read(f"reflect_ci-{__version__}.dist-info/METADATA").decode()
    assert {name.split("/")[0] for name in names} == {"reflect_ci", f"reflect_ci-{__version__}.dist-info"}
    assert "reflect_ci/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "Requires-Python: >=3.9" in metadata
    assert re.findall(r"Requires-Dist: (\S+)", metadata) == ["requests>=2.28"]


def test_pythons_of_the_machine() -> None:
    """Every Python that was found is one that counts, this one's version among them."""
    assert sys.version_info[:2] in PYTHONS
    assert all(version(path) == numbers >= (3, 9) for numbers, path in PYTHONS.items())
    assert version("/nowhere/python3") is None
