"""`reflect-ci init PLATFORM`: write that platform's files into the user's repository, filled in; --diff shows them first."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from reflect_ci import parse, recipes
from reflect_ci.errors import Stop, usage
from reflect_ci.inputs import BY_NAME, DEFAULT_API_URL
from reflect_ci.recipes import RECIPES

ALIASES = {
    "azure-devops": "azure",
    "travis-ci": "travis",
    "webapp": "webapp-io",
    "aws": "codedeploy",
    "aws-codedeploy": "codedeploy",
    "github-actions": "github",
}
_PROJECT_ID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("platform", nargs="?", metavar="PLATFORM", help=f"one of {', '.join(RECIPES)}")
    parser.add_argument(
        "--suites",
        action="append",
        metavar="SUITE",
        help="suite ids to fill in, separated by spaces or commas; can be repeated",
    )
    parser.add_argument("--hosts", action="append", metavar="HOST=HOST", help=BY_NAME["hosts"].help)
    parser.add_argument("--dir", default=".", metavar="DIR", help="root of your repository (default: here)")
    parser.add_argument("--diff", action="store_true", help="show what would be written, and write nothing")
    parser.add_argument("--force", action="store_true", help="replace files that differ")
    parser.add_argument(
        "--project-id",
        metavar="ID",
        help="azure: also write a service connection for this project (az devops project show)",
    )
    parser.add_argument("--project-name", metavar="NAME", help="azure: the project's name")


def run(args: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """Return 0 when the files are there, 2 when something stands in the way; then nothing was written."""
    del environ
    try:
        return _init(args)
    except Stop as stop:
        print(f"reflect-ci: {stop.message}", file=sys.stderr)
        return stop.exit.code


def _init(args: argparse.Namespace) -> int:
    platform = _platform(args.platform)
    root = Path(args.dir)
    if not root.is_dir():
        raise usage(f"--dir {args.dir!r} is no folder. Name the root of your repository.")
    files = {root / name: text for name, text in _rendered(platform, args)}
    differing = [path for path, text in files.items() if _present(path) not in (None, text)]
    if args.diff:
        print("".join(_diff(files, root)) or "Nothing would change.")
        return 0
    if differing and not args.force:
        names = ", ".join(str(path.relative_to(root)) for path in differing)
        raise usage(
            f"{names} exists and differs; nothing was written. Look with --diff, then replace with --force, or write elsewhere with --dir."
        )
    for path, text in files.items():
        _write(path, text)
        print(f"wrote {path.relative_to(root)}")
    print(f"\nNext, for {RECIPES[platform].title}:")
    for number, step in enumerate(RECIPES[platform].next, 1):
        print(f"  {number}. {step}")
    if not args.suites:
        print(f"  {len(RECIPES[platform].next) + 1}. Write your suites' ids in the place of the examples.")
    return 0


def _platform(given: str | None) -> str:
    known = ", ".join(RECIPES)
    if not given:
        raise usage(f"Say for which platform: `reflect-ci init PLATFORM`, with one of {known}.")
    name = ALIASES.get(given.lower(), given.lower())
    if name in RECIPES:
        return name
    near = difflib.get_close_matches(name, [*RECIPES, *ALIASES], 1, 0.6)
    raise usage(
        f"There is no platform {given!r}."
        + (f" Did you mean {near[0]}?" if near else f" There are {known}; `shell` fits any other.")
    )


def _rendered(platform: str, args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    suites = [parse.suite(word, "suites") for text in args.suites or [] for word in parse.words(text)]
    hosts = [f"{each['original']}={each['replacement']}" for each in parse.hosts("\n".join(args.hosts or []), "hosts")]
    for file in RECIPES[platform].files:
        yield file.destination, recipes.fill(file, suites, hosts)
    if args.project_id or args.project_name:
        if platform != "azure":
            raise usage("--project-id and --project-name are for azure. Leave them out.")
        if not args.project_id or not _PROJECT_ID.fullmatch(args.project_id) or not args.project_name:
            raise usage(
                "A service connection needs --project-id (a GUID; `az devops project show --project NAME --query id`) and --project-name."
            )
        yield (
            recipes.SERVICE_CONNECTION.destination,
            recipes.service_connection(DEFAULT_API_URL, args.project_id, args.project_name),
        )


def _present(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise usage(f"{path} cannot be read ({why}). Move it away, or write elsewhere with --dir.") from None


def _diff(files: Mapping[Path, str], root: Path) -> Iterator[str]:
    for path, text in files.items():
        before = _present(path)
        name = str(path.relative_to(root))
        old = [] if before is None else before.splitlines(keepends=True)
        yield from difflib.unified_diff(
            old, text.splitlines(keepends=True), "/dev/null" if before is None else name, name
        )


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())  # as bytes: lines end the same on every system
        if text.startswith("#!"):
            path.chmod(path.stat().st_mode | 0o111)
    except OSError as error:
        raise usage(f"{path} cannot be written ({error.strerror or error}). Check the rights of its folder.") from None
