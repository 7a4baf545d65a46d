"""How the GitHub actions get the runner: as a step of its own, without the key, and from the cache the second time."""

from __future__ import annotations

import re
import shutil
import zipapp
from pathlib import Path

from reflect_ci.inputs import RUNNER
from reflect_ci.simulate import Simulator
from tests.conformance.frame import KEY, Case, execute
from tests.platforms.github import act
from tests.platforms.github_gitlab import PACKAGE, fill
from tests.platforms.test_github_samples import SAMPLES, SUITES


def push(tmp: Path, sim: Simulator, *options: str) -> tuple[int, str]:
    """Run the sample of a push; the options say how it gets the runner."""
    repo = act.repository(tmp / "shop", {"push.yml": (SAMPLES / "push.yml").read_text()})
    words = ["--secret-file", str(act.dotenv(tmp / "secrets", {"REFLECT_API_KEY": KEY}))]
    for pair in (f"REFLECT_API_URL={sim.url}", f"REFLECT_TEST_ARTIFACTS={tmp / 'artifacts'}", *options):
        words += ["--env", pair]
    command = act.command(repo, tmp, "push", words)
    return execute(command, Case(), sim, env=act.environ(tmp), cwd=repo, log=tmp / "act.log")


def test_self_contained_file(tmp_path: Path) -> None:
    """A path to the self-contained file is enough; nothing is installed."""
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source / "reflect_ci", ignore=shutil.ignore_patterns("__pycache__"))
    pyz = tmp_path / "reflect-ci.pyz"
    zipapp.create_archive(source, pyz, main="reflect_ci.cli:entry")
    with Simulator({"suites": SUITES}) as sim:
        code, log = push(tmp_path, sim, f"REFLECT_RUNNER={pyz}")
        assert code == 0, log
        assert len(sim.started) == 1
    assert "Main Get the runner" in log


def test_cache(tmp_path: Path) -> None:
    """The first job installs the runner and the cache is named by it; a job that finds it in the cache installs nothing."""
    kept = tmp_path / "kept"
    offline = ("PIP_NO_INDEX=1", f"REFLECT_TEST_CACHE={kept}")
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with Simulator({"suites": SUITES}) as sim:
        code, log = push(first, sim, *offline)
        # There is no index here, so the install must fail, and it says so before anything is called.
        assert code != 0
        assert "installing reflect-ci==0.1.0" in log
        assert "pip could not install reflect-ci==0.1.0" in log
        assert sim.calls == []
        found = re.search(r"cache key (reflect\S+)", log)
        assert found, log
        # The version is in the key, or the cache of an old one would be found for ever.
        assert re.fullmatch(rf"reflect-ci-Linux-\w+-3\.\d+\.\d+-{re.escape(RUNNER.default)}", found[1])
        fill(kept / found[1])
        code, log = push(second, sim, *offline)
        assert code == 0, log
        assert "installing" not in log
        assert len(sim.started) == 1


def test_key_is_not_there_while_installing(tmp_path: Path) -> None:
    """The step that installs the runner does not get the key: what a package runs then cannot see it."""
    spy = tmp_path / "spy"
    spy.mkdir()
    (spy / "__main__.py").write_text(
        "import os, sys\n"
        "with open(os.environ['SPY_LOG'], 'a') as log:\n"
        "    print(sys.argv[1], 'key=' + os.environ.get('REFLECT_API_KEY', 'none'), file=log)\n"
    )
    zipapp.create_archive(spy, tmp_path / "spy.pyz")
    with Simulator({"suites": SUITES}) as sim:
        code, log = push(tmp_path, sim, f"REFLECT_RUNNER={tmp_path / 'spy.pyz'}", f"SPY_LOG={tmp_path / 'seen'}")
    assert code == 0, log
    assert (tmp_path / "seen").read_text() == f"--version key=none\nrun key={KEY}\n"
