"""The command line. Only the chosen command's module is imported, so that --help stays quick."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn, Optional

from reflect_ci import __version__
from reflect_ci.exits import EXITS
from reflect_ci.inputs import Input, for_command

COMMANDS = {
    "run": "start suites, wait, and give the verdict (the main job)",
    "wait": "pick up executions that another step started, and give their verdict",
    "cancel": "cancel executions; an already finished one is no error",
    "suites": "list the account's suites",
    "doctor": "check key, network, proxy, suites, clock and CI system, with a cure for each trouble",
    "init": "write a platform's files into your repository, filled in",
    "simulate": "run the simulated Reflect service, to try pipelines without an account",
    "demo": "show the main job against the simulated service",
}
HIDDEN = {
    "azure-callback": "complete a waiting Azure DevOps job (for the Tekton trigger)",
    "collect": "join the verdicts of a fan-out (for the Tekton Pipeline)",
}

_KEY_REASON = (
    "The API key cannot be given as an argument: every user of the machine can read the arguments of a process, and CI logs print them. "
    "Set the environment variable REFLECT_API_KEY, or give the path of a file with --api-key-file."
)


class Parser(argparse.ArgumentParser):
    """Says what to write instead, and never repeats a value, which could be the key."""

    def error(self, message: str) -> NoReturn:
        """Print the sentence and leave with 2."""
        print(f"reflect-ci: {message}", file=sys.stderr)
        raise SystemExit(2)


def entry() -> NoReturn:
    """Run as the installed command."""
    code = main(sys.argv[1:], os.environ)
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
        )  # else Python complains about the closed pipe at exit
    sys.exit(code)


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one call and return its exit code."""
    try:
        return _dispatch(list(argv), environ)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        return 128 + 13  # as a program that SIGPIPE ended: nobody reads what is printed (`reflect-ci demo | head`)
    except Exception as error:
        # No traceback: its frames could show the key.
        print(
            f"reflect-ci: something unforeseen happened ({type(error).__name__}). Please report it with what you ran.",
            file=sys.stderr,
        )
        return 5


def _dispatch(argv: list[str], environ: Mapping[str, str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if argv else 2
    if argv[0] in ("-V", "--version"):
        print(f"reflect-ci {__version__}")
        return 0
    command = argv[0]
    if command not in COMMANDS and command not in HIDDEN:
        print(f"reflect-ci: {_unknown_command(command)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"reflect_ci.commands.{command.replace('-', '_')}")
    parser = parser_for(command)
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    args = _parse(parser, argv[1:])
    return int(module.run(args, environ))


def overview() -> str:
    """Return the text of --help."""
    lines = [
        "usage: reflect-ci COMMAND …",
        "",
        "Run Reflect suites from CI and turn their verdict into an exit code.",
        "",
        "commands:",
    ]
    lines += [f"  {name:<10}{text}" for name, text in COMMANDS.items()]
    lines += [
        "",
        "`reflect-ci COMMAND --help` lists a command's inputs; each can also come from its environment variable.",
        "",
        exit_codes(),
    ]
    return "\n".join(lines)


def exit_codes() -> str:
    """Return the table of exit codes as text."""
    return "\n".join(["exit codes:", *(f"  {each.code:<5}{each.word:<15}{each.meaning}" for each in EXITS)])


def parser_for(command: str) -> Parser:
    """Return the parser of a command, with its rows of the input table."""
    parser = Parser(
        prog=f"reflect-ci {command}",
        description=f"{_sentence({**COMMANDS, **HIDDEN}[command])}.",
        epilog=exit_codes(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    for row in for_command(command):
        _add(parser, row)
    return parser


def _add(parser: Parser, row: Input) -> None:
    if row.secret:
        return
    text = row.help.replace("%", "%%")
    known = f"{row.env}; default: {row.default}" if row.default else row.env
    if row.kind == "list":
        parser.add_argument(row.snake, nargs="*", metavar=row.metavar, help=f"{text} [{known}]")
    elif row.kind == "flag":
        parser.add_argument(
            f"--{row.name}", dest=row.snake, nargs="?", const="true", metavar="true|false", help=f"{text} [{known}]"
        )
    elif row.kind == "pairs":
        parser.add_argument(
            f"--{row.name}",
            dest=row.snake,
            action="append",
            metavar=row.metavar,
            help=f"{text} Can be repeated. [{known}]",
        )
    else:
        metavar = "|".join(row.choices) if row.choices else row.metavar or "TEXT"
        parser.add_argument(f"--{row.name}", dest=row.snake, metavar=metavar, help=f"{text} [{known}]")


def _parse(parser: Parser, argv: list[str]) -> argparse.Namespace:
    if any(word == "--api-key" or word.startswith("--api-key=") for word in argv):
        parser.error(_KEY_REASON)
    args, unknown = parser.parse_known_intermixed_args(argv)
    for word in unknown:
        parser.error(_unknown_option(parser, word))
    return args


def _unknown_option(parser: Parser, word: str) -> str:
    option = word.partition("=")[0]
    if not option.startswith("-"):
        return "there is an argument too many. Look at --help for what this command takes."
    near = _nearest(option, [known for action in parser._actions for known in action.option_strings])
    return f"there is no option {option}." + (
        f" Did you mean {near}?" if near else f" `{parser.prog} --help` lists them."
    )


def _unknown_command(command: str) -> str:
    near = _nearest(command, list(COMMANDS))
    return f"there is no command {command!r}." + (
        f" Did you mean {near}?" if near else " The commands are: " + ", ".join(COMMANDS) + "."
    )


def _nearest(word: str, known: list[str]) -> Optional[str]:
    import difflib

    found = difflib.get_close_matches(word, known, 1, 0.6)
    return found[0] if found else None


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
