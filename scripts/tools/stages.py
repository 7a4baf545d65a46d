"""The stages of ./scripts/test: each is printed with its time, all run, and the failures are summed up at the end."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
# More failures than this are no hiccup of a loaded machine; repeating them all alone would only take time.
REPEAT_AT_MOST = 25
# A test that hangs is stopped. Far above what the slowest takes on a loaded machine.
HANGS_AFTER = ("--timeout", "900")
# Making the cluster (in a fixture) takes up to 35 minutes where nothing is built yet, so only the tests are timed.
HANGS_AFTER_ENGINE = ("--timeout", "1800", "-o", "timeout_func_only=true")


@dataclass
class Result:
    """How a stage ended: its failures as sentences, pytest's last line, tests that passed only when repeated alone."""

    failures: list[str] = field(default_factory=list)
    last_line: str = ""
    repeated: list[str] = field(default_factory=list)
    seconds: float = 0.0


def run(*argv: str | Path) -> tuple[int, str]:
    """Run a program, show its output as it comes; return its exit code and the last line of the output."""
    environ = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}", "PYTHONUNBUFFERED": "1"}
    last = ""
    with subprocess.Popen(
        [str(word) for word in argv],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line.strip() or last
    return process.returncode, last


def commands(*lines: Sequence[str | Path]) -> Callable[[], Result]:
    """Return a stage that runs programs, each of which must succeed."""

    def stage() -> Result:
        result = Result()
        for line in lines:
            code, last = run(*line)
            if code:
                result.failures.append(f"{' '.join(map(str, line[:4]))}: exit code {code}: {last}")
        return result

    return stage


def shell_scripts() -> list[Path]:
    """Return every shell script of the repository: by its suffix, or by its first line."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if name.startswith("tests/catalog/") or not path.is_file():
            continue  # examples of what is refused
        with path.open("rb") as file:
            first = file.readline(80)
        if (
            first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"bash", b"env sh", b"dash"))
        ) or name.endswith(".sh"):
            found.append(path)
    return found


def lint() -> Result:
    """Check Python and shell; the catalog's own files have a stage of their own."""
    return commands(
        [BIN / "ruff", "check", "--quiet", "."],
        [BIN / "ruff", "format", "--quiet", "--check", "."],
        [BIN / "mypy", "--no-error-summary"],
        [BIN / "shellcheck", "-x", *shell_scripts()],
    )()


def failed_tests(cache: Path) -> set[str]:
    """Return the tests that pytest's cache says failed last time."""
    path = cache / "v" / "cache" / "lastfailed"
    return set(json.loads(path.read_text())) if path.is_file() else set()


def pytest(name: str, *arguments: str, workers: int) -> Result:
    """Run pytest; what failed runs once more, alone, since a loaded machine can starve a test."""
    cache = ROOT / ".cache" / f"pytest-{name}"
    base = [sys.executable, "-m", "pytest", "-q", "-o", f"cache_dir={cache}", *arguments]
    (cache / "v" / "cache" / "lastfailed").unlink(missing_ok=True)
    code, last = run(*base, "-n", str(workers), "--dist", "loadgroup")
    result = Result(last_line=last)
    if code == 0:
        return result
    failed = failed_tests(cache)
    if code == 1 and 0 < len(failed) <= REPEAT_AT_MOST:
        print(f"-- {len(failed)} failed: repeated once, alone", flush=True)
        code, last = run(*base, "-n", "0", "--last-failed", "--last-failed-no-failures", "none")
        still = failed_tests(cache)
        result.repeated = sorted(failed - still)
        failed = still
        result.last_line += f"; repeated alone: {last}"
    if code:
        result.failures = sorted(failed) or [f"pytest ended with code {code}: {last}"]
    return result


def pythons() -> Result:
    """Run the unit tests with the oldest and the newest Python of the machine."""
    return commands([sys.executable, ROOT / "scripts" / "tools" / "other_pythons.py"])()


STAGES: dict[str, Callable[[], Result]] = {
    "lint": lint,
    "catalog": commands([sys.executable, "-m", "catalog"]),
    "tests": lambda: pytest("tests", "-m", "not engine", *HANGS_AFTER, workers=4),
    "engine": commands([ROOT / "scripts" / "engine"], [ROOT / "scripts" / "cluster", "up"]),
    "engine-tests": lambda: pytest("engine", "-m", "engine", *HANGS_AFTER_ENGINE, workers=2),
    "pythons": pythons,
}
QUICK = ("lint", "catalog", "tests")


def summary(results: dict[str, Result]) -> Iterator[str]:
    """Yield the lines of the summary; pytest's own last lines come last."""
    yield "== summary"
    for name, result in results.items():
        yield f"{name:14}{result.seconds:8.1f} s  {'FAILED' if result.failures else 'ok'}"
    for name, result in results.items():
        for test in result.repeated:
            yield f"{name}: passed only when repeated alone: {test}"
    for name, result in results.items():
        for failure in result.failures:
            yield f"{name}: FAILED {failure}"
    for name, result in results.items():
        if result.last_line:
            yield f"{name}: {result.last_line}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages; 1 when one of them failed."""
    parser = argparse.ArgumentParser(prog="./scripts/test")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", choices=list(STAGES))
    options = parser.parse_args(arguments)
    wanted = options.only or (QUICK if options.quick else STAGES)
    results = {"setup": Result(seconds=float(os.environ.pop("REFLECT_SETUP_SECONDS", "0")))}
    for name, stage in STAGES.items():
        if name not in wanted:
            continue
        print(f"== {name}", flush=True)
        start = time.monotonic()
        try:
            results[name] = stage()
        except Exception as error:  # the other stages run all the same
            results[name] = Result(failures=[f"{type(error).__name__}: {error}"])
        results[name].seconds = time.monotonic() - start
        print(f"-- {name}: {results[name].seconds:.1f} s", flush=True)
    for line in summary(results):
        print(line)
    return 1 if any(result.failures for result in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
