"""The README's first command: the demonstration itself, and the script that sets everything up for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reflect_ci import cli, exits
from reflect_ci.commands import demo

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "demo"


def _demo(tmp: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp), "PYTHONPATH": str(ROOT / "scripts"), **more}
    return subprocess.run(
        [sys.executable, "-m", "reflect_ci", "demo"],
        env=environ, cwd=tmp, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def test_demo(tmp_path: Path) -> None:
    """It passes, fails and picks up as it says, shows verdicts and links, and names report files that exist."""
    # A CI system around it and a broken proxy make no difference; the CI system's files are not touched.
    github = tmp_path / "github-output"
    done = _demo(
        tmp_path,
        GITHUB_ACTIONS="true", GITHUB_OUTPUT=str(github), REFLECT_SUITES="other", REFLECT_TIMEOUT="nonsense",
        HTTP_PROXY="http://127.0.0.1:1", http_proxy="http://127.0.0.1:1",
    )  # fmt: skip
    out = done.stdout
    assert done.returncode == 0, out + done.stderr
    for part in (
        "exit code 1 (failed), as it was meant.",
        "The demonstration went as it was meant: `search` failed on purpose, the others passed.",
        "Filter by price",
        '{"original": "www.shop.example", "replacement": "preview-7.shop.example"}',
        "https://app.reflect.run/suites/nightly/executions/1",
    ):
        assert part in out, part
    # What was only started has no verdict yet.
    assert out.count("exit code 0 (started), as it was meant.") == 1
    assert out.count("exit code 0 (passed), as it was meant.") == 1
    named = [line.strip() for line in out.splitlines() if line.startswith("   reflect-report")]
    assert {Path(name).name for name in named} == {
        "junit.xml",
        "result.json",
        "summary.md",
        "report.html",
        "executions.json",
    }
    assert all((tmp_path / name).stat().st_size for name in named)
    assert len(named) == 15
    assert demo.KEY not in out + done.stderr
    assert not github.exists()


def test_demo_that_goes_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """When a command ends otherwise than it was meant, the demonstration says which one and fails."""

    def always_passes(argv: list[str], environ: dict[str, str]) -> int:  # noqa: ARG001 - stands in for the command line
        return exits.PASSED.code

    monkeypatch.setattr(cli, "main", always_passes)
    args = cli.parser_for("demo")
    demo.add_arguments(args)
    code = demo.run(args.parse_args(["--report-dir", str(tmp_path)]), {})
    out = capsys.readouterr().out
    assert code == 1
    assert "exit code 0 (passed), but 1 was meant!" in out
    assert "The demonstration did NOT go as it was meant: see 1 above." in out


# --- scripts/demo --------------------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a clone in a folder with a space, with the script and the package, without any environment."""
    root = tmp_path / "a clone"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(SCRIPT, root / "scripts" / "demo")
    (root / "scripts" / "reflect_ci").symlink_to(ROOT / "scripts" / "reflect_ci")
    return root


def _script(root: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(root), **more}
    return subprocess.run(
        [str(root / "scripts" / "demo"), *argv],
        env=environ, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


# A Python that has everything, but makes environments that only note what they are asked for.
FAKE = """
case "$*" in
    *'-m venv '*)
        mkdir -p "$3/bin"
        printf '#!/bin/sh\\necho "$*" >> "%s/log"\\ncase "$*" in *pip*) exit PIP ;; -c*) exit 1 ;; *) echo "ran $*" ;; esac\\n' "$HOME" > "$3/bin/python"
        chmod +x "$3/bin/python" ;;
    *) exit 0 ;;
esac
"""


def test_script_reuses_an_environment(clone: Path) -> None:
    """An environment that runs this clone's package is used as it is, and options are passed on."""
    _program(clone / ".venv" / "bin" / "python", f'exec env PYTHONPATH="{ROOT}/scripts" "{sys.executable}" "$@"')
    done = _script(clone, "--no-such-option", PYTHON="/no/such/python")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--no-such-option" in done.stderr


def test_script_installs(clone: Path) -> None:
    """Without one it makes .venv-demo, installs this clone into it, and runs the command from there."""
    fake = _program(clone / "python", FAKE.replace("PIP", "0"))
    done = _script(clone, "--report-dir", "x y", PYTHON=str(fake))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "ran -m reflect_ci demo --report-dir x y"
    assert f"install --editable {clone}" in (clone / "log").read_text(encoding="utf-8")


def test_script_leaves_nothing_half_made(clone: Path) -> None:
    """An installation that failed is removed, and the message says what it needs."""
    fake = _program(clone / "python", FAKE.replace("PIP", "1"))
    done = _script(clone, PYTHON=str(fake))
    assert done.returncode == 1
    assert "PIP_INDEX_URL" in done.stderr
    assert not (clone / ".venv-demo").exists()


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        ("", "there is no"),
        ('case "$*" in *version_info*) exit 1 ;; --version) echo Python 3.6.8 ;; esac', "is Python 3.6.8, but Python 3.9 or later is needed"),
        ('case "$*" in *ensurepip*) exit 1 ;; esac', "apt-get install python3-venv"),
    ],
)  # fmt: skip
def test_script_says_what_is_missing(clone: Path, python: str, sentence: str) -> None:
    """Without Python, with an old one or one without venv, it says what to install and makes nothing."""
    path = clone / "python"
    if python:
        _program(path, python)
    done = _script(clone, PYTHON=str(path))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (clone / ".venv-demo").exists()
