"""What the commands that talk to the service share: console, settings, session, and the end for bad input."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Callable

from reflect_ci import __version__, reports
from reflect_ci.console import Console
from reflect_ci.errors import Stop, usage
from reflect_ci.inputs import BY_NAME
from reflect_ci.model import Execution, Outcome
from reflect_ci.settings import Settings, read

# Where each system keeps the key: the end of the sentence about a missing one.
_KEY_PLACES = {
    "github": "Add it as a repository secret and pass it: `REFLECT_API_KEY: ${{ secrets.REFLECT_API_KEY }}`. Pull requests from forks get no secrets: set missing-key to skip for them.",
    "gitlab": "Add REFLECT_API_KEY under Settings > CI/CD > Variables, masked; a protected variable reaches only protected branches.",
    "azure": "Add a secret variable and map it: `env: REFLECT_API_KEY: $(ReflectApiKey)`.",
    "jenkins": "Add a Secret text credential and bind it with withCredentials, or use reflectRun(credentialsId: …).",
    "bitbucket": "Add REFLECT_API_KEY as a secured repository or deployment variable.",
    "circleci": "Add REFLECT_API_KEY under Project Settings > Environment Variables, or use a context.",
    "travis": "Add REFLECT_API_KEY in the repository's settings; builds of forks do not get it.",
    "tekton": "REFLECT_API_KEY comes from the Secret that the param secret-name names (`reflect-api-key` by default), key `api-key`: `kubectl create secret generic reflect-api-key --from-file=api-key=FILE`.",
    "codefresh": "Add REFLECT_API_KEY as an encrypted variable of the pipeline.",
    "heroku": "Set it with `heroku config:set REFLECT_API_KEY=…`.",
    "webapp-io": "Add it to the account's secrets and name it in the Layerfile: `SECRET ENV REFLECT_API_KEY`.",
}


def call(
    command: str, args: argparse.Namespace, environ: Mapping[str, str], work: Callable[[Settings, Console], int]
) -> int:
    """Read the settings and do the work; bad input is told, reported and ends with 2."""
    console = Console(sys.stdout, environ)
    console.hide((environ.get(BY_NAME["api-key"].env) or "").strip())
    started = time.time()
    try:
        settings = read(command, args, environ)
        console.hide(settings.key)
        return work(settings, console)
    except Stop as stop:
        return _refused(command, args, environ, console, stop, started)


def _refused(
    command: str, args: argparse.Namespace, environ: Mapping[str, str], console: Console, stop: Stop, started: float
) -> int:
    outcome = Outcome(
        command,
        stop.exit,
        console.redact(stop.message),
        [],
        started,
        time.time(),
        ci=console.system.name,
        build_url=console.system.build_url,
        version=__version__,
    )
    row = BY_NAME["report-dir"]
    paths: list[Path] = []
    if command in row.commands:
        directory = getattr(args, row.snake, None) or environ.get(row.env) or row.default
        paths, _problems = reports.write_all(outcome, Path(directory), console.redact)
    console.error(stop.message)
    console.finished(outcome, paths)
    return stop.exit.code


def require_key(settings: Settings, console: Console) -> None:
    """Raise Stop(usage) when there is no key, with the place where this CI system keeps it."""
    if not settings.key:
        place = _KEY_PLACES.get(
            console.system.name,
            "Set REFLECT_API_KEY, or give a file with --api-key-file. The key stands under Settings > Account Information in Reflect.",
        )
        raise usage(f"There is no API key. {place}")


def warn_about_plain_http(settings: Settings, console: Console) -> None:
    """Say when the key would travel unencrypted to another machine."""
    from urllib.parse import urlsplit

    parts = urlsplit(settings.api_url)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        console.warn(f"api-url {settings.api_url} is not encrypted: the key can be read on the way. Use https://.")


def picked_up(settings: Settings) -> list[Execution]:
    """Return the executions of the arguments and of the file, each once."""
    from reflect_ci.reports import executions

    found = dict.fromkeys(settings.executions, "")
    if settings.from_file:
        try:
            found.update({(suite, number): url for suite, number, url in executions.read(Path(settings.from_file))})
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise usage(
                f"from-file: {settings.from_file!r} cannot be used ({why}). Give the executions.json that `reflect-ci run` wrote."
            ) from None
    elif not settings.executions:
        raise usage(
            f"Say which executions: `reflect-ci {settings.command} SUITE/ID`, or `--from-file reflect-report/executions.json`."
        )
    return [Execution(suite, number, url, "pending") for (suite, number), url in found.items()]


def none_listed(settings: Settings, executions: Sequence[Execution]) -> bool:
    """Tell whether the file was fine but lists nothing."""
    return not executions and bool(settings.from_file)
